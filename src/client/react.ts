"use client";

import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { ActionError } from "./action-error";
import type { DoOptions, JoinOptions } from "./join-options";
import { RoomClient } from "./room-client";
import type { PendingAction } from "./session/pending";
import type { Status } from "./session/session";
import type {
  ActionData,
  ActionName,
  ActionResult,
  AnyKind,
  BuiltInKinds,
  DataArgs,
  FeatureName,
  FeatureNamed,
  StateOf,
  StatesOf,
} from "./typed-kind";

/**
 * The kind that hooks speak of when they are not told: `main`, or whatever a program registers:
 *
 *     declare module "tallyroom/react" { interface Register { kind: typeof quizshow } }
 */
// biome-ignore lint/suspicious/noEmptyInterface: there to be filled by whoever uses it
export interface Register {}
export type RegisteredKind = Register extends { kind: infer K extends AnyKind } ? K : BuiltInKinds["main"];

/** StrictMode takes back every effect and does it again, in one step: who is on the page at its end never left the room. */
const mountedRooms = new WeakSet<object>();
const ReactRoomContext = createContext<RoomClient<AnyKind> | undefined>(undefined);

export type RoomProviderProps<K extends AnyKind> = { children?: ReactNode } & (
  | { client: RoomClient<K> }
  | (JoinOptions<K> & { client?: undefined })
);

/**
 * Gives everything below it a room: one that was joined elsewhere (`client`), or one that is joined while this is on the page.
 * A room of another name, kind, host or person is another visit; nothing is joined while rendering, nor on a server.
 */
export function RoomProvider<K extends AnyKind = RegisteredKind>(props: RoomProviderProps<K>): ReactNode {
  const { children, ...options } = props;
  const givenRoom = options.client;
  const key = givenRoom ? "" : toVisitKey(options as JoinOptions<K>);
  // What is handed in anew at every rendering, as functions are, is not another visit.
  const latestOptions = useRef(options as JoinOptions<K>);
  useEffect(() => {
    latestOptions.current = options as JoinOptions<K>;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for all of the options that make a visit
  const ownRoom = useMemo(
    () =>
      givenRoom ? undefined : new RoomClient<K>(withLatestGetToken(options as JoinOptions<K>, latestOptions)),
    [givenRoom, key],
  );
  const client = givenRoom ?? ownRoom;
  useEffect(() => {
    if (!ownRoom) return;
    mountedRooms.add(ownRoom);
    ownRoom.join();
    return () => {
      mountedRooms.delete(ownRoom);
      queueMicrotask(() => {
        if (!mountedRooms.has(ownRoom)) ownRoom.leave();
      });
    };
  }, [ownRoom]);
  return createElement(
    ReactRoomContext.Provider,
    { value: client as RoomClient<AnyKind> | undefined },
    children,
  );
}

/** The room itself, for whatever hooks do not do. It is the same object as long as the visit lasts. */
export function useRoom<K extends AnyKind = RegisteredKind>(): RoomClient<K> {
  const room = useContext(ReactRoomContext);
  if (!room) throw new Error("There is no <RoomProvider> above this component.");
  return room as unknown as RoomClient<K>;
}

/**
 * A feature's state, or what `select` takes of it. The component is rendered again only when that is another: by `Object.is`, or
 * by `equal` where it is made anew each time.
 */
export function useFeature<N extends FeatureName<RegisteredKind>>(
  feature: N,
): StateOf<FeatureNamed<RegisteredKind, N>>;
export function useFeature<N extends FeatureName<RegisteredKind>, T>(
  feature: N,
  select: (state: StateOf<FeatureNamed<RegisteredKind, N>>) => T,
  equal?: (one: T, other: T) => boolean,
): T;
export function useFeature(
  feature: string,
  select: (state: never) => unknown = identity,
  equal: (one: never, other: never) => boolean = Object.is,
): unknown {
  const room = useRoom<AnyKind>();
  return useRoomValue(
    room,
    useCallback((from) => (from.state as Record<string, unknown>)[feature], [feature]),
    select as (state: unknown) => unknown,
    equal as (one: unknown, other: unknown) => boolean,
  );
}

/** Who is here: the first 200 by their ids, and how many there are. */
export function useMembers(): StatesOf<BuiltInKinds["main"]>["presence"];
export function useMembers<T>(
  select: (state: StatesOf<BuiltInKinds["main"]>["presence"]) => T,
  equal?: (one: T, other: T) => boolean,
): T;
export function useMembers(
  select?: (state: StatesOf<BuiltInKinds["main"]>["presence"]) => unknown,
  equal?: (one: unknown, other: unknown) => boolean,
): unknown {
  return (useFeature as (feature: string, ...rest: unknown[]) => unknown)("presence", select, equal);
}

/** How the connection stands. */
export function useStatus(): Status {
  return useRoomValue(useRoom<AnyKind>(), readStatus, identity, Object.is);
}

/** One's own actions that the room has not answered yet. */
export function usePending(): readonly PendingAction[] {
  return useRoomValue(useRoom<AnyKind>(), readPending, identity, Object.is);
}

/** Settles as `room.do` does. It is the same function at every rendering. */
export type DoAction<K extends AnyKind, N extends FeatureName<K>, A extends ActionName<K, N>> = (
  ...given: [...DataArgs<ActionData<K, N, A>>, options?: DoOptions]
) => Promise<ActionResult<K, N>>;

/** An action to call, whether one is under way, and why the last one was not done. */
export function useDo<N extends FeatureName<RegisteredKind>, A extends ActionName<RegisteredKind, N>>(
  feature: N,
  action: A,
): { do: DoAction<RegisteredKind, N, A>; pending: boolean; error: ActionError | undefined };
export function useDo(feature: string, action: string): unknown {
  const room: UntypedRoom = useRoom<AnyKind>();
  const [count, setCount] = useState(0);
  const [error, setError] = useState<ActionError | undefined>(undefined);
  const newest = useRef(0);
  const act = useCallback(
    (data: unknown, options?: DoOptions) => {
      const mine = ++newest.current;
      const done = room.do(feature, action, data, options);
      setCount((before) => before + 1);
      setError(undefined);
      done.then(
        () => setCount((before) => before - 1),
        (refused: ActionError) => {
          setCount((before) => before - 1);
          // An answer to what was asked before says nothing about what was asked since.
          if (mine === newest.current) setError(refused);
        },
      );
      return done;
    },
    [room, feature, action],
  );
  return { do: act, pending: count > 0, error };
}

/** A room whose kind is not known here. */
interface UntypedRoom {
  do(feature: string, action: string, data: unknown, options?: DoOptions): Promise<unknown>;
}

/** The same hooks, typed for a kind of one's own: `const { useFeature, useDo } = hooksOf<typeof quizshow>()`. */
export function hooksOf<K extends AnyKind>(): Hooks<K> {
  return {
    RoomProvider,
    useRoom,
    useFeature,
    useMembers,
    useDo,
    useStatus,
    usePending,
  } as unknown as Hooks<K>;
}

export interface Hooks<K extends AnyKind> {
  RoomProvider(props: RoomProviderProps<K>): ReactNode;
  useRoom(): RoomClient<K>;
  useFeature<N extends FeatureName<K>>(feature: N): StateOf<FeatureNamed<K, N>>;
  useFeature<N extends FeatureName<K>, T>(
    feature: N,
    select: (state: StateOf<FeatureNamed<K, N>>) => T,
    equal?: (one: T, other: T) => boolean,
  ): T;
  useMembers: typeof useMembers;
  useDo<N extends FeatureName<K>, A extends ActionName<K, N>>(
    feature: N,
    action: A,
  ): { do: DoAction<K, N, A>; pending: boolean; error: ActionError | undefined };
  useStatus(): Status;
  usePending(): readonly PendingAction[];
}

/** What hooks look at: a room, or one of which nothing is known yet. */
type RoomView = Pick<RoomClient<AnyKind>, "state" | "status" | "pending">;
const IDLE: Status = { is: "idle", outdated: false };
const NO_PENDING: readonly PendingAction[] = [];

/** A value of the room's that React may look at as often as it likes: the same one until it really is another. */
function useRoomValue<V, T>(
  room: RoomClient<AnyKind>,
  read: (seen: RoomView) => V,
  select: (value: V) => T,
  equal: (one: T, other: T) => boolean,
): T {
  // What was on the screen last, so that an equal selection keeps its identity over renderings too.
  const lastShown = useRef<{ value: T } | undefined>(undefined);
  const [getSnapshot, getServerSnapshot] = useMemo(() => {
    const looking = (seen: RoomView) => {
      let last: { from: V; value: T } | undefined;
      return () => {
        const from = read(seen);
        if (last && last.from === from) return last.value;
        const selected = select(from);
        const before = last ?? lastShown.current;
        const value = before && equal(before.value, selected) ? before.value : selected;
        last = { from, value };
        return value;
      };
    };
    // While a page takes over what a server has rendered, the room may be live already: what stands there is what counts.
    const initialView: RoomView = { state: room.initial, status: IDLE, pending: NO_PENDING };
    return [looking(room), typeof document === "undefined" ? looking(room) : looking(initialView)];
  }, [room, read, select, equal]);
  const subscribe = useCallback((changed: () => void) => room.subscribe(changed), [room]);
  const value = useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);
  useEffect(() => {
    lastShown.current = { value };
  }, [value]);
  return value;
}

function identity<T>(value: T): T {
  return value;
}

function readStatus({ status }: RoomView): Status {
  return status;
}

function readPending({ pending }: RoomView): readonly PendingAction[] {
  return pending;
}

/** Options that make a visit what it is. */
function toVisitKey<K extends AnyKind>({ host, kind, room, name, token, tab }: JoinOptions<K>): string {
  return JSON.stringify([host, kind, room, name, token, tab]);
}

/** `getToken` is asked for hours after it was handed in: the one of the newest rendering is meant. */
function withLatestGetToken<K extends AnyKind>(
  options: JoinOptions<K>,
  latest: { current: JoinOptions<K> },
): JoinOptions<K> {
  if (options.getToken === undefined) return options;
  return { ...options, getToken: () => latest.current.getToken?.() ?? "" };
}
