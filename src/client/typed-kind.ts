import type { main } from "../kinds/main";
import type { Json, NumberedEvent, WireSignal } from "../protocol/messages";
import type { AnyFeature, DataOf, EventOf, Schema, Schemas } from "../room/api/feature";
import type { Kind } from "../room/api/kind";
import type { Predict } from "./session/optimistic";
import type { FeatureState } from "./session/slices";

/**
 * What a client knows of a kind of room. It comes from the type of the kind (`typeof main`), so none of the server's code is
 * imported.
 */
export type AnyKind = Kind<string, readonly AnyFeature[]>;

/** The built-in kinds, which a client can name without importing them. */
export interface BuiltInKinds {
  main: typeof main;
}

export type FeatureOf<K extends AnyKind> = K["features"][number];
export type FeatureName<K extends AnyKind> = FeatureOf<K>["name"];
export type FeatureNamed<K extends AnyKind, N extends string> = Extract<FeatureOf<K>, { name: N }>;

export type StateOf<F> = F extends { shared: { initial(): infer S } } ? S : never;
/** A room's whole state: one slice for each feature. */
export type StatesOf<K extends AnyKind> = { readonly [N in FeatureName<K>]: StateOf<FeatureNamed<K, N>> };

type ActionsOf<F> = F extends { schema: { actions: infer A extends Schemas } } ? A : never;
type EventsOf<F> = F extends { schema: { events: infer E extends Schemas } } ? E : never;
type SignalsOf<F> = F extends { schema: { signals?: infer G } } ? (G extends Schemas ? G : never) : never;

export type ActionName<K extends AnyKind, N extends string> = keyof ActionsOf<FeatureNamed<K, N>> & string;
export type EventName<K extends AnyKind, N extends string> = keyof EventsOf<FeatureNamed<K, N>> & string;
export type SignalName<K extends AnyKind, N extends string> = keyof SignalsOf<FeatureNamed<K, N>> & string;

/** The input of a schema, before its defaults are filled in. */
type InputOf<S> = S extends { "~standard": { types?: { input: infer I } | undefined } } ? I : DataOf<S>;
export type ActionData<K extends AnyKind, N extends string, A extends string> = InputOf<
  ActionsOf<FeatureNamed<K, N>>[A & keyof ActionsOf<FeatureNamed<K, N>>]
>;
export type SignalData<K extends AnyKind, N extends string, G extends string> = InputOf<
  SignalsOf<FeatureNamed<K, N>>[G & keyof SignalsOf<FeatureNamed<K, N>>]
>;

/** An event of a feature as a reducer receives it, with its number and time. */
export type FeatureEvent<K extends AnyKind, N extends string> = EventOf<EventsOf<FeatureNamed<K, N>>>;
export type NamedEvent<K extends AnyKind, N extends string, E extends string> = Extract<
  FeatureEvent<K, N>,
  { n: E }
>;
export type NamedSignal<K extends AnyKind, N extends string, G extends string> = Omit<
  WireSignal,
  "n" | "d"
> & {
  n: G;
  d: SignalData<K, N, G>;
};

/** The result of an action: the last event it made, or an answer. */
export type ActionResult<K extends AnyKind, N extends string> =
  | FeatureEvent<K, N>
  /** The action made no event, or had been done before. Then `seq` is the number of the event it made. */
  | { n?: undefined; seq?: number; answer?: Json };

/** The topics to listen to, such as `chat.said` and `chat.typing`. */
export type Topic<K extends AnyKind> = {
  [N in FeatureName<K>]: `${N}.${EventName<K, N> | SignalName<K, N>}`;
}[FeatureName<K>];
export type TopicPayload<K extends AnyKind, T extends string> = T extends `${infer N}.${infer E}`
  ?
      | (E extends EventName<K, N> ? NamedEvent<K, N, E> : never)
      | (E extends SignalName<K, N> ? NamedSignal<K, N, E> : never)
  : never;

type BuiltInName = FeatureName<BuiltInKinds[keyof BuiltInKinds]>;
/** The `state.ts` of each feature that is not built in. */
export type FeatureStates<K extends AnyKind> = {
  readonly [N in Exclude<FeatureName<K>, BuiltInName>]: FeatureState<StateOf<FeatureNamed<K, N>>>;
} & { readonly [N in FeatureName<K> & BuiltInName]?: FeatureState<StateOf<FeatureNamed<K, N>>> };

/** Predictions of this user's actions, by feature. */
export type Predictions<K extends AnyKind> = {
  readonly [N in FeatureName<K>]?: {
    readonly [A in ActionName<K, N>]?: (
      data: ActionData<K, N, A>,
      foreseeing: { user: string; name: string; at: number; state: StateOf<FeatureNamed<K, N>> },
    ) => PredictedEvent<K, N> | readonly PredictedEvent<K, N>[] | undefined;
  };
};
type PredictedEvent<K extends AnyKind, N extends string> = {
  [E in EventName<K, N>]: { n: E; d: NamedEvent<K, N, E>["d"] };
}[EventName<K, N>];

/** Data that may be left out where an empty object is valid. */
export type DataArgs<D> = Record<never, never> extends D ? [d?: D] : [d: D];

export type { Json, NumberedEvent, Predict, Schema };
