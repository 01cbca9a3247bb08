import type { CloseCode, ErrorCode, Role } from "../../protocol/codes";
import type { Json, NumberedEvent } from "../../protocol/messages";
import type { Rate } from "../../protocol/rates";
import type { JoinTicket } from "../inbound/join-ticket";
import type { Member } from "../state/members";
import type { Boards } from "./board";

/** What the kernel needs of a schema; zod's satisfy it. */
export interface Schema<T> {
  safeParse(value: unknown):
    | { success: true; data: T }
    | {
        success: false;
        error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] };
      };
}
export type Schemas = Readonly<Record<string, Schema<unknown>>>;
export type DataOf<S> = S extends Schema<infer T> ? T : never;

/** `{ n, d }` of any event that a set of schemas names. */
export type Emit<E extends Schemas> = { [K in keyof E & string]: { n: K; d: DataOf<E[K]> } }[keyof E &
  string];
/** The same as a reducer is given it. */
export type EventOf<E extends Schemas> = {
  [K in keyof E & string]: Omit<NumberedEvent, "n" | "d"> & { n: K; d: DataOf<E[K]> };
}[keyof E & string];

export interface PrivateEvent<N extends string = string, D = unknown> {
  n: N;
  d: D;
  by?: string;
  at: number;
}
export type PrivateEventOf<X extends Schemas> = {
  [K in keyof X & string]: PrivateEvent<K, DataOf<X[K]>>;
}[keyof X & string];

/** Who acts. `isOverHttp`: asked over HTTP, so that its events carry no `by`. */
export interface Actor {
  user: string;
  name: string;
  role: Role;
  isOverHttp: boolean;
  /** Their token is for every room, and not for some only. */
  allRooms?: true;
}

/** What a decision may look at. Time, chance and fresh ids come from here and from nowhere else. */
export interface FeatureContext<S, P> {
  at: number;
  /** The machine's time, which `at` may be ahead of: for what is compared with the world outside the room. It may go back. */
  wallAt: number;
  room: { kind: string; id: string };
  state: S;
  private: P;
  members: ReadonlyMap<string, Member>;
  /** When a named timer of this feature is due, if it is set. */
  timer(name: string): number | undefined;
  /** The number of the newest event. */
  seq: number;
  /** This life of the room. */
  epoch: string;
  /** A guest opened it. */
  openedByGuest: boolean;
  /** The kind's. */
  boards: Boards;
  /** How long what is owed to the boards may gather. */
  flushMs: number;
  /** Uniform in [0, 1). */
  random(): number;
  freshId(): string;
  /** What somebody wrote, as this kind of room lets others read it; undefined where it does not at all. */
  filterText(text: string): string | undefined;
}
export interface ActionContext<S, P> extends FeatureContext<S, P> {
  by: Actor;
}

export interface Refusal {
  refused: ErrorCode;
  message: string;
  retryAfterMs?: number;
}
export function refuse(code: ErrorCode, message: string, retryAfterMs?: number): Refusal {
  return { refused: code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** Why a socket is closed, or not let in. Only codes that are not final carry a time to come back. */
export interface Close {
  closeCode: CloseCode;
  reason: string;
  retryAfterMs?: number;
}
export interface Disconnect extends Close {
  user: string;
}

/** What somebody is about to do: asked of every feature that `permits`, before it is limited or decided. */
export interface ActionRequest {
  /** As in `welcome.limits.rules`: `chat.say`. */
  rule: string;
  isSpeech: boolean;
  by: Actor;
}

/** A socket at the door, as the edge knows it. */
export type JoinRequest = Pick<
  JoinTicket,
  "user" | "name" | "role" | "guest" | "bansCheckedAt" | "from" | "allRooms"
>;

/** Points that follow from a decision. */
export interface Award {
  user: string;
  points: number;
  /** The second column, where the board has one. */
  tie?: number;
  /** The kind's first if absent. */
  board?: string;
}

export interface Outcome<E extends Schemas, X extends Schemas> {
  events?: readonly Emit<E>[];
  /** Journalled and folded into private state, never sent. */
  private?: readonly Emit<X>[];
  /** Told to the one who asked, in the ack or the HTTP answer. */
  answer?: Json;
  /** Named timers to set (ms since the epoch) or to clear. */
  timers?: Readonly<Record<string, number | null>>;
  /** Closes the frame at once, for what must not wait (a timeline). */
  urgent?: boolean;
  /** Points, for the feature of this kind that takes them. */
  awards?: readonly Award[];
  /** Ends every connection of these users once this is durable: they have left, without a grace. */
  disconnect?: readonly Disconnect[];
  /**
   * Errands to begin once this is durable. One of a name is under way at a time; one that is wanted while it is under way
   * is begun once more after its answer.
   */
  effects?: readonly string[];
}

/**
 * Something that only the outside world can do for the room. It is made durable with the frame that wants it, repeated
 * with growing pauses until it is answered, and awaited by nobody; a room with one outstanding is never cleaned up. The
 * outside may have done it and the answer be lost: what is asked has to bear being asked twice.
 */
export interface Effect<S, P, E extends Schemas = Schemas, X extends Schemas = Schemas> {
  /** What is asked, from the state as it is when it is begun; `undefined`: there is nothing left to ask, it is over. */
  request(context: FeatureContext<S, P>): Json | undefined;
  /** The answer. What follows from it is committed in the same frame as the errand's end. */
  onAnswer(context: FeatureContext<S, P>, answer: Json): Outcome<E, X>;
  /** Were its answer lost with the process, it may wait until the room is next awake: no alarm of its own watches over it. */
  noAlarm?: true;
}

/** Everything that may be asked has a size and a rate: leaving one out does not compile. */
export interface Bounds {
  /** Of the data, as JSON in UTF-8. */
  maxBytes: number;
  rate: Rate;
  /** The least role that may ask; `player` if absent. Finer rules belong to `decide`. */
  who?: Role;
  /** Others read it as somebody's own words: whoever is muted may not. */
  isSpeech?: true;
}
export interface ActionRule<S, P, E extends Schemas, X extends Schemas, D> extends Bounds {
  decide(context: ActionContext<S, P>, data: D): Outcome<E, X> | Refusal;
  /** Where that depends on what is asked. */
  speaks?(data: D): boolean;
}

/**
 * How a slice that grows large is stored: in parts, of which a snapshot writes those that changed since the one before. A
 * part that did not change is the same object as before, and no part is `undefined`.
 */
export interface SliceParts<S> {
  /** The slice without its parts: small, and stored with every snapshot. */
  rest(state: S): unknown;
  /**
   * The parts in which two states differ, by name (no spaces or line breaks), `undefined` for one that was removed; without
   * `before`, all parts.
   */
  changes(before: S | undefined, now: S): Iterable<readonly [name: string, part: object | undefined]>;
  /** The slice again, from JSON. It throws where parts are missing, so that no room opens on half a slice. */
  join(rest: unknown, parts: ReadonlyMap<string, unknown>): S;
}

export interface Feature<
  N extends string = string,
  S = unknown,
  P = unknown,
  A extends Schemas = Schemas,
  E extends Schemas = Schemas,
  X extends Schemas = Schemas,
  G extends Schemas = Schemas,
> {
  readonly name: N;
  /** Changes with its schemas and its reducer; a test holds the built-in features to that. */
  readonly version: string;
  readonly schema: {
    readonly actions: A;
    readonly events: E;
    readonly privateEvents?: X;
    readonly signals?: G;
  };
  /** Runs in the room and in the browser. */
  readonly shared: {
    initial(): S;
    reduce(state: S, event: EventOf<E>): S;
    /** Called when a room restores what another version stored. */
    migrate?(old: unknown, from: string): S;
    parts?: SliceParts<S>;
  };
  /** Runs in the room alone. */
  readonly private?: {
    initial(): P;
    reduce(state: P, event: PrivateEventOf<X>): P;
    migrate?(old: unknown, from: string): P;
    parts?: SliceParts<P>;
    /** What one user alone is sent, whole, after each frame that concerns that user. */
    viewFor?(state: S, hidden: P, user: string): Json;
    affects?(event: PrivateEventOf<X>): readonly string[];
  };
  readonly actions: { readonly [K in keyof A]: ActionRule<S, P, E, X, DataOf<A[K]>> };
  readonly signals?: { readonly [K in keyof G]: Bounds };
  /** A word in what others ask, of whatever feature; a refusal stands before limits and decisions. */
  authorize?(context: FeatureContext<S, P>, request: ActionRequest): Refusal | undefined;
  /** A word in who comes in; asked of every socket, also of a member's next one. */
  authorizeJoin?(context: FeatureContext<S, P>, request: JoinRequest): Close | undefined;
  /** A member came (not merely another of their tabs), or is gone for good. */
  joined?(context: FeatureContext<S, P>, member: Member): Outcome<E, X>;
  left?(context: FeatureContext<S, P>, member: Member): Outcome<E, X>;
  /** A guest came back from another address. */
  addressChanged?(context: FeatureContext<S, P>, member: Member): Outcome<E, X>;
  /**
   * Points that other features award; the first feature of a kind that takes them is handed them, in the frame that they
   * follow from. It refuses nothing: what it cannot count it leaves out.
   */
  onAwards?(context: FeatureContext<S, P>, awards: readonly Award[]): Outcome<E, X>;
  /** Points were counted: what this room feeds changes no more. */
  hasPoints?(situation: FeatureContext<S, P>): boolean;
  /** A named timer came due. It may come twice: what it decides must bear that. */
  onTimer?(context: FeatureContext<S, P>, timer: string): Outcome<E, X>;
  /** The platform tells something of the world outside, which nobody here asked for. No client can say it. */
  onServiceMessage?(context: FeatureContext<S, P>, message: Json): Outcome<E, X>;
  readonly effects?: Readonly<Record<string, Effect<S, P, E, X>>>;
  /**
   * What it still owes the outside it wants now, for the room is about to be closed or cleaned up (`isFinal`), or may be
   * gone for a while. It may be asked again.
   */
  beforeClose?(context: FeatureContext<S, P>, isFinal: boolean): Outcome<E, X>;
}

/** The types of state, events and decisions all follow from the schemas and `initial`. */
export function defineFeature<
  const N extends string,
  S,
  A extends Schemas,
  E extends Schemas,
  P = undefined,
  X extends Schemas = Record<never, never>,
  G extends Schemas = Record<never, never>,
>(feature: Feature<N, S, P, A, E, X, G>): Feature<N, S, P, A, E, X, G> {
  if (!/^[a-z][a-zA-Z0-9-]{0,31}$/.test(feature.name)) {
    throw new TypeError(`A feature's name is 1–32 letters, digits and dashes; "${feature.name}" is not.`);
  }
  // Its events say what happened to the room as such (`renewed`), and no feature folds them.
  if (feature.name === "room") throw new TypeError('No feature is called "room": that is the room itself.');
  return feature;
}

/** A feature of any types: method parameters are bivariant, so every feature is one of these. */
// biome-ignore lint/suspicious/noExplicitAny: the kernel handles features without knowing their types
export type AnyFeature = Feature<string, any, any, any, any, any, any>;
