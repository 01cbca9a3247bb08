import type { Json, NumberedEvent } from "../../protocol/messages";
import type { PendingAction } from "./pending";
import type { Slices, States } from "./slices";

export interface Foreseeing {
  user: string;
  name: string;
  /** When the action was made, on the room's clock. */
  at: number;
  /** The state of the feature with everything on it that comes before. */
  state: unknown;
}
type Foreseen = { readonly n: string; readonly d: unknown };
/** What an action will come to, if the room agrees; nothing where that cannot be told. */
export type Predict = (data: Json, foreseeing: Foreseeing) => Foreseen | readonly Foreseen[] | undefined;
export type Predictions = Readonly<Record<string, Readonly<Record<string, Predict>>>>;

/**
 * The states as they will be if the room agrees to what is pending. An action leaves this picture in the very step that
 * brings its event into the other one, so that nothing flickers.
 */
export class Outlook {
  readonly #held = new Map<
    string,
    { confirmed: unknown; pending: readonly PendingAction[]; state: unknown }
  >();
  #states: States | undefined;

  constructor(
    private readonly slices: Slices,
    private readonly predictions: Predictions,
    private readonly failed: (feature: string, error: unknown) => void,
  ) {}

  states(
    pending: readonly PendingAction[],
    you: { user: string; name: string } | undefined,
    seq: number,
  ): States {
    const confirmed = this.slices.states;
    if (you === undefined || pending.length === 0) return confirmed;
    const ahead = Object.keys(this.predictions).flatMap((feature) => {
      if (!Object.hasOwn(confirmed, feature)) return [];
      const state = this.#ahead(feature, confirmed[feature], pending, you, seq);
      return state === confirmed[feature] ? [] : [[feature, state] as const];
    });
    const before = this.#states;
    const after: States = { ...confirmed, ...Object.fromEntries(ahead) };
    // The same object as long as nothing in it is another.
    if (!before || Object.keys(after).some((name) => before[name] !== after[name])) this.#states = after;
    return this.#states ?? after;
  }

  #ahead(
    feature: string,
    confirmed: unknown,
    pending: readonly PendingAction[],
    you: { user: string; name: string },
    seq: number,
  ): unknown {
    const held = this.#held.get(feature);
    if (held && held.confirmed === confirmed && held.pending === pending) return held.state;
    let state = confirmed;
    let number = seq;
    for (const { f, a, d, at, id } of pending) {
      if (f !== feature) continue;
      try {
        for (const { n, d: data } of this.#foreseen(feature, a, d, { ...you, at, state })) {
          const event: NumberedEvent = { f, n, d: data, by: you.user, op: id, seq: ++number, at };
          state = this.slices.reduced(feature, state, event);
        }
      } catch (error) {
        // A mistake of the prediction's, or what it foresees is no event: the room's own state is not in doubt.
        this.failed(feature, error);
      }
    }
    this.#held.set(feature, { confirmed, pending, state });
    return state;
  }

  #foreseen(feature: string, action: string, data: Json, foreseeing: Foreseeing): readonly Foreseen[] {
    const table = this.predictions[feature];
    const predict = table && Object.hasOwn(table, action) ? table[action] : undefined;
    const foreseen = predict?.(data, foreseeing);
    if (foreseen === undefined) return [];
    return "n" in foreseen ? [foreseen] : foreseen;
  }
}
