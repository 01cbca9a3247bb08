import type { Json, NumberedEvent } from "../../protocol/messages";
import type { PendingAction } from "./pending";
import type { Slices, States } from "./slices";

export interface PredictionContext {
  user: string;
  name: string;
  /** When the action was made, on the room's clock. */
  at: number;
  /** The feature's state with the predictions of earlier actions in it. */
  state: unknown;
}
type AnyPredictedEvent = { readonly n: string; readonly d: unknown };
/** Predicts the events of an action. Returns undefined where it cannot. */
export type Predict = (
  data: Json,
  foreseeing: PredictionContext,
) => AnyPredictedEvent | readonly AnyPredictedEvent[] | undefined;
export type AnyPredictions = Readonly<Record<string, Readonly<Record<string, Predict>>>>;

/**
 * The states as they will be if the room accepts all pending actions. A prediction is removed in the same step in which the
 * real event is folded, so that nothing flickers.
 */
export class OptimisticStates {
  readonly #cache = new Map<
    string,
    { confirmed: unknown; pending: readonly PendingAction[]; state: unknown }
  >();
  #lastStates: States | undefined;
  readonly #slices: Slices;
  readonly #predictions: AnyPredictions;
  readonly #onError: (feature: string, error: unknown) => void;

  constructor(
    slices: Slices,
    predictions: AnyPredictions,
    onError: (feature: string, error: unknown) => void,
  ) {
    this.#slices = slices;
    this.#predictions = predictions;
    this.#onError = onError;
  }

  compute(
    pending: readonly PendingAction[],
    you: { user: string; name: string } | undefined,
    seq: number,
  ): States {
    const confirmed = this.#slices.states;
    if (you === undefined || pending.length === 0) return confirmed;
    const changed = Object.keys(this.#predictions).flatMap((feature) => {
      if (!Object.hasOwn(confirmed, feature)) return [];
      const state = this.#applyPending(feature, confirmed[feature], pending, you, seq);
      return state === confirmed[feature] ? [] : [[feature, state] as const];
    });
    const before = this.#lastStates;
    const after: States = { ...confirmed, ...Object.fromEntries(changed) };
    // The same object as before if none of its states has changed.
    if (!before || Object.keys(after).some((name) => before[name] !== after[name])) this.#lastStates = after;
    return this.#lastStates ?? after;
  }

  #applyPending(
    feature: string,
    confirmed: unknown,
    pending: readonly PendingAction[],
    you: { user: string; name: string },
    seq: number,
  ): unknown {
    const cached = this.#cache.get(feature);
    if (cached && cached.confirmed === confirmed && cached.pending === pending) return cached.state;
    let state = confirmed;
    let lastSeq = seq;
    for (const { f, a, d, at, id } of pending) {
      if (f !== feature) continue;
      try {
        for (const { n, d: data } of this.#predict(feature, a, d, { ...you, at, state })) {
          const event: NumberedEvent = { f, n, d: data, by: you.user, op: id, seq: ++lastSeq, at };
          state = this.#slices.reduce(feature, state, event);
        }
      } catch (error) {
        // The prediction is wrong or made an invalid event. The confirmed state is not affected.
        this.#onError(feature, error);
      }
    }
    this.#cache.set(feature, { confirmed, pending, state });
    return state;
  }

  #predict(
    feature: string,
    action: string,
    data: Json,
    context: PredictionContext,
  ): readonly AnyPredictedEvent[] {
    const predictions = this.#predictions[feature];
    const predict = predictions && Object.hasOwn(predictions, action) ? predictions[action] : undefined;
    const predicted = predict?.(data, context);
    if (predicted === undefined) return [];
    return "n" in predicted ? [predicted] : predicted;
  }
}
