import { checksum } from "../../protocol/checksum";
import type { NumberedEvent } from "../../protocol/messages";

/** What a feature's `state.ts` exports: all that a client needs of it. */
export interface FeatureState<S = unknown> {
  readonly version: string;
  initial(): S;
  // Whatever a reducer wants of its event, the room has seen to: it folded the same one with the same code.
  reduce(state: S, event: never): S;
}
/** One of any state: what it is given is what it returned before. */
export interface AnyFeatureState {
  readonly version: string;
  initial(): unknown;
  reduce(state: never, event: never): unknown;
}
export type FeatureTable = Readonly<Record<string, AnyFeatureState>>;
export type States = Readonly<Record<string, unknown>>;

/** Every feature's state as the room has told it. Whoever finds a state unchanged has nothing to do. */
export class Slices {
  #states: States;
  readonly #checksums = new Map<string, { state: unknown; sum: string }>();

  /** Without a prototype: a feature named by the room is looked up here. */
  readonly #features: FeatureTable;
  /** A reducer threw: it met something that its code does not know. */
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

  /** Everything anew, as the room holds it. What it does not hold begins at the beginning. */
  reset(received: States): void {
    this.#states = Object.fromEntries(
      Object.entries(this.#features).map(([name, { initial }]) => [
        name,
        Object.hasOwn(received, name) ? received[name] : initial(),
      ]),
    );
  }

  /** An event of a feature that this code does not have is passed over. */
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

  /** A feature's state with one more event, wherever that state comes from. */
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
