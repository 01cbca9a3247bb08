import { checksum } from "../protocol/checksum";
import type { Json, NumberedEvent } from "../protocol/messages";
import type { AnyFeature, PrivateEvent } from "./feature";

export interface StoredSlices {
  [feature: string]: { v: string; s: unknown; p?: unknown };
}

/** Every feature's state in a room, shared and private. Reducers are pure, so a state that is put back is as it was. */
export class Slices {
  readonly #features: ReadonlyMap<string, AnyFeature>;
  readonly #shared = new Map<string, unknown>();
  readonly #private = new Map<string, unknown>();
  readonly #sums = new Map<string, { slice: unknown; sum: string }>();

  constructor(features: readonly AnyFeature[]) {
    this.#features = new Map(features.map((feature) => [feature.name, feature]));
    for (const feature of features) {
      this.#shared.set(feature.name, feature.shared.initial());
      this.#private.set(feature.name, feature.private?.initial());
    }
  }

  shared(feature: string): unknown {
    return this.#shared.get(feature);
  }

  private(feature: string): unknown {
    return this.#private.get(feature);
  }

  /** An event of a feature that this code no longer has is passed over. */
  fold(event: NumberedEvent): void {
    const feature = this.#features.get(event.f);
    if (feature) this.#shared.set(event.f, feature.shared.reduce(this.#shared.get(event.f), event));
  }

  foldPrivate(name: string, event: PrivateEvent): void {
    const hidden = this.#features.get(name)?.private;
    if (hidden) this.#private.set(name, hidden.reduce(this.#private.get(name), event));
  }

  /** To put back, should a decision fail half-way. */
  mark(name: string): () => void {
    const shared = this.#shared.get(name);
    const hidden = this.#private.get(name);
    return () => {
      this.#shared.set(name, shared);
      this.#private.set(name, hidden);
    };
  }

  mine(name: string, user: string): Json | undefined {
    return this.#features.get(name)?.private?.mine?.(this.#shared.get(name), this.#private.get(name), user);
  }

  state(): Record<string, unknown> {
    return Object.fromEntries(this.#shared);
  }

  /** A slice that did not change keeps its checksum. */
  checksums(): Record<string, string> {
    const sums: Record<string, string> = {};
    for (const [name, slice] of this.#shared) {
      const known = this.#sums.get(name);
      const sum = known && known.slice === slice ? known.sum : checksum(slice);
      this.#sums.set(name, { slice, sum });
      sums[name] = sum;
    }
    return sums;
  }

  store(): StoredSlices {
    const stored: StoredSlices = {};
    for (const [name, feature] of this.#features) {
      stored[name] = { v: feature.version, s: this.#shared.get(name) };
      if (feature.private) stored[name].p = this.#private.get(name);
    }
    return stored;
  }

  restore(stored: StoredSlices): void {
    for (const [name, feature] of this.#features) {
      const held = stored[name];
      if (!held) continue;
      const other = held.v !== feature.version;
      const { shared, private: hidden } = feature;
      this.#shared.set(name, other && shared.migrate ? shared.migrate(held.s, held.v) : held.s);
      if (!hidden || held.p === undefined) continue;
      this.#private.set(name, other && hidden.migrate ? hidden.migrate(held.p, held.v) : held.p);
    }
  }
}
