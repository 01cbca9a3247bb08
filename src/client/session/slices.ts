import { checksum } from "../../protocol/checksum";
import type { NumberedEvent } from "../../protocol/messages";

/** What a feature's `state.ts` exports: the part of a feature that a client needs. */
export interface FeatureState<S = unknown> {
  readonly version: string;
  initial(): S;
  // The event needs no check here: the room has folded the same event with the same code.
  reduce(state: S, event: never): S;
}
/** The same for a state of unknown type. */
export interface AnyFeatureState {
  readonly version: string;
  initial(): unknown;
  reduce(state: never, event: never): unknown;
}
export type FeatureTable = Readonly<Record<string, AnyFeatureState>>;
export type States = Readonly<Record<string, unknown>>;

/** The state of each feature as the room has it. An unchanged state stays the same object. */
export class Slices {
  #states: States;
  readonly #checksums = new Map<string, { state: unknown; sum: string }>();

  /** Without a prototype: a feature named by the room is looked up here. */
  readonly #features: FeatureTable;
  /** A reducer threw, most often on an event that is newer than its code. */
  readonly #onReducerError: (feature: string, error: unknown) => void;

  constructor(features: FeatureTable, onReducerError: (feature: string, error: unknown) => void) {
    this.#onReducerError = onReducerError;
    this.#features = Object.assign(Object.create(null), features);
    this.#states = {};
    this.reset({});
  }

  get states(): States {
    return this.#states;
  }

  version(feature: string): string | undefined {
    return this.#features[feature]?.version;
  }

  /** Replaces all states by those of the room. A feature that the room did not send starts at its initial state. */
  reset(received: States): void {
    this.#states = Object.fromEntries(
      Object.entries(this.#features).map(([name, { initial }]) => [
        name,
        Object.hasOwn(received, name) ? received[name] : initial(),
      ]),
    );
  }

  /** Ignores an event of an unknown feature. */
  fold(event: NumberedEvent): void {
    const { f } = event;
    if (!this.#features[f]) return;
    const before = this.#states[f];
    try {
      const after = this.reduce(f, before, event);
      if (after !== before) this.#states = { ...this.#states, [f]: after };
    } catch (error) {
      this.#onReducerError(f, error);
    }
  }

  /** The given state of a feature with one more event. */
  reduce(f: string, state: unknown, event: NumberedEvent): unknown {
    return this.#features[f]?.reduce(state as never, event as never);
  }

  /** A state that did not change keeps its checksum. */
  checksum(feature: string): string {
    const state = this.#states[feature];
    const cached = this.#checksums.get(feature);
    if (cached && cached.state === state) return cached.sum;
    const sum = checksum(state);
    this.#checksums.set(feature, { state, sum });
    return sum;
  }
}
