import { checksum } from "../../protocol/checksum";
import type { Json, NumberedEvent } from "../../protocol/messages";
import type { AnyFeature, PrivateEvent, SliceParts } from "../api/feature";
import type { SnapshotParts, SplitSlice } from "../storage/snapshot-parts";

export interface StoredSlices {
  /** `in`: of which sides this is the rest, and the parts are stored beside it. */
  [feature: string]: { v: string; s: unknown; p?: unknown; in?: string };
}

interface Slice {
  readonly feature: AnyFeature;
  shared: unknown;
  private: unknown;
  /** Of the shared state that it was reckoned of. */
  checksum: { of: unknown; text: string };
}

/** Every feature's state in a room, shared and private. Reducers are pure, so a state that is put back is as it was. */
export class Slices {
  readonly #slices: ReadonlyMap<string, Slice>;

  constructor(features: readonly AnyFeature[]) {
    this.#slices = new Map(
      features.map((feature): [string, Slice] => {
        const shared = feature.shared.initial();
        return [feature.name, { feature, shared, private: feature.private?.initial(), checksum: noChecksum }];
      }),
    );
  }

  shared(feature: string): unknown {
    return this.#slices.get(feature)?.shared;
  }

  private(feature: string): unknown {
    return this.#slices.get(feature)?.private;
  }

  /** An event of a feature that this code no longer has is passed over. */
  fold(event: NumberedEvent): void {
    const slice = this.#slices.get(event.f);
    if (slice) slice.shared = slice.feature.shared.reduce(slice.shared, event);
  }

  foldPrivate(name: string, event: PrivateEvent): void {
    const slice = this.#slices.get(name);
    const hidden = slice?.feature.private;
    if (hidden) slice.private = hidden.reduce(slice.private, event);
  }

  /** What one decision says to the feature that made it: all of it, or where a reducer throws, none. */
  foldAll(name: string, events: readonly NumberedEvent[], privates: readonly PrivateEvent[]): void {
    const slice = this.#slices.get(name);
    if (!slice) return;
    const { shared, private: hidden } = slice;
    try {
      for (const event of events) this.fold(event);
      for (const event of privates) this.foldPrivate(name, event);
    } catch (error) {
      slice.shared = shared;
      slice.private = hidden;
      throw error;
    }
  }

  viewFor(name: string, user: string): Json | undefined {
    const slice = this.#slices.get(name);
    return slice?.feature.private?.viewFor?.(slice.shared, slice.private, user);
  }

  state(): Record<string, unknown> {
    return Object.fromEntries([...this.#slices].map(([name, { shared }]) => [name, shared]));
  }

  /** A slice that did not change keeps its checksum. */
  checksums(): Record<string, string> {
    const sums: Record<string, string> = {};
    for (const [name, slice] of this.#slices) {
      if (slice.checksum.of !== slice.shared)
        slice.checksum = { of: slice.shared, text: checksum(slice.shared) };
      sums[name] = slice.checksum.text;
    }
    return sums;
  }

  store(): StoredSlices {
    const stored: StoredSlices = {};
    for (const [name, { feature, shared, private: hidden }] of this.#slices) {
      stored[name] = { v: feature.version, s: shared };
      if (feature.private) stored[name].p = hidden;
    }
    return stored;
  }

  /** The same without what is stored in parts. */
  storeRest(): StoredSlices {
    const stored = this.store();
    for (const [name, { feature, shared, private: hidden }] of this.#slices) {
      const slice = stored[name];
      if (!slice) continue;
      const [ofShared, ofPrivate] = [feature.shared.parts, feature.private?.parts];
      if (ofShared) slice.s = ofShared.rest(shared);
      if (ofPrivate) slice.p = ofPrivate.rest(hidden);
      if (ofShared || ofPrivate) slice.in = `${ofShared ? SHARED : ""}${ofPrivate ? PRIVATE : ""}`;
    }
    return stored;
  }

  /** What is stored in parts. */
  split(): SplitSlice[] {
    const split: SplitSlice[] = [];
    for (const [name, { feature, shared, private: hidden }] of this.#slices) {
      const [ofShared, ofPrivate] = [feature.shared.parts, feature.private?.parts];
      if (ofShared) split.push({ key: `${name}/${SHARED}`, state: shared, parts: ofShared });
      if (ofPrivate) split.push({ key: `${name}/${PRIVATE}`, state: hidden, parts: ofPrivate });
    }
    return split;
  }

  restore(stored: StoredSlices, packs: SnapshotParts): void {
    for (const [name, slice] of this.#slices) {
      const held = stored[name];
      if (!held) continue;
      const { feature } = slice;
      const other = held.v !== feature.version;
      const { shared, private: hidden } = feature;
      const join = (side: string, parts: SliceParts<unknown> | undefined, rest: unknown) => {
        if (held.in?.includes(side) && !parts)
          throw new Error(`${name} is stored in parts, and this code does not know how to join them.`);
        return parts ? packs.join(`${name}/${side}`, parts, rest) : rest;
      };
      const s = join(SHARED, shared.parts, held.s);
      slice.shared = other && shared.migrate ? shared.migrate(s, held.v) : s;
      if (!hidden || held.p === undefined) continue;
      const p = join(PRIVATE, hidden.parts, held.p);
      slice.private = other && hidden.migrate ? hidden.migrate(p, held.v) : p;
    }
  }
}

const SHARED = "s";
const PRIVATE = "p";

/** No state is this. */
const noChecksum = { of: Symbol(), text: "" };
