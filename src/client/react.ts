"use client";

import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useRef,
  useState,
} from "react";
import type { ActionError } from "./action-error";
import type { DoOptions, JoinOptions } from "./join-options";
import { useOwnRoom } from "./react/own-room";
import { identity, readPending, readStatus, useRoomValue } from "./react/room-value";
import type { RoomClient } from "./room-client";
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
 * The kind of room that hooks are typed for by default: `main`, or the kind that a program registers:
 *
 *     declare module "tallyroom/react" { interface Register { kind: typeof quizshow } }
 */
// biome-ignore lint/suspicious/noEmptyInterface: programs add to it by declaration merging
export interface Register {}
export type RegisteredKind = Register extends { kind: infer K extends AnyKind } ? K : BuiltInKinds["main"];

const ReactRoomContext = createContext<RoomClient<AnyKind> | undefined>(undefined);

export type RoomProviderProps<K extends AnyKind> = { children?: ReactNode } & (
  | { client: RoomClient<K> }
  | (JoinOptions<K> & { client?: undefined })
);

/**
 * Gives the components below it a room. With `client` it is a room that was joined elsewhere; otherwise the provider joins
 * one when it is mounted and leaves it when it is unmounted. Another name, kind, host or user is another visit. Nothing is
 * joined during rendering or on a server.
 */
export function RoomProvider<K extends AnyKind = RegisteredKind>(props: RoomProviderProps<K>): ReactNode {
  const { children, ...options } = props;
  const ownRoom = useOwnRoom(options.client ? undefined : (options as JoinOptions<K>));
  const client = options.client ?? ownRoom;
  return createElement(
    ReactRoomContext.Provider,
    { value: client as RoomClient<AnyKind> | undefined },
    children,
  );
}

/** The room itself, for what the other hooks do not cover. It is the same object for the whole visit. */
export function useRoom<K extends AnyKind = RegisteredKind>(): RoomClient<K> {
  const room = useContext(ReactRoomContext);
  if (!room) throw new Error("There is no <RoomProvider> above this component.");
  return room as unknown as RoomClient<K>;
}

/**
 * A feature's state, or what `select` returns for it. The component renders again only when that value changes. Values are
 * compared with `Object.is`; pass `equal` when `select` makes a new object at each call.
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

/** The members who are here: the first 200 by id, and the total count. */
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

/** The status of the connection. */
export function useStatus(): Status {
  return useRoomValue(useRoom<AnyKind>(), readStatus, identity, Object.is);
}

/** This user's actions that the room has not answered yet. */
export function usePending(): readonly PendingAction[] {
  return useRoomValue(useRoom<AnyKind>(), readPending, identity, Object.is);
}

/** `room.do` for one action. It is the same function at each rendering. */
export type DoAction<K extends AnyKind, N extends FeatureName<K>, A extends ActionName<K, N>> = (
  ...given: [...DataArgs<ActionData<K, N, A>>, options?: DoOptions]
) => Promise<ActionResult<K, N>>;

/** A function that does the action, whether one is in flight, and the error of the last one if it failed. */
export function useDo<N extends FeatureName<RegisteredKind>, A extends ActionName<RegisteredKind, N>>(
  feature: N,
  action: A,
): { do: DoAction<RegisteredKind, N, A>; pending: boolean; error: ActionError | undefined };
export function useDo(feature: string, action: string): unknown {
  const room: UntypedRoom = useRoom<AnyKind>();
  const [count, setCount] = useState(0);
  const [error, setError] = useState<ActionError | undefined>(undefined);
  const callCount = useRef(0);
  const act = useCallback(
    (data: unknown, options?: DoOptions) => {
      const call = ++callCount.current;
      const done = room.do(feature, action, data, options);
      setCount((before) => before + 1);
      setError(undefined);
      done.then(
        () => setCount((before) => before - 1),
        (failure: ActionError) => {
          setCount((before) => before - 1);
          // The error of an earlier call must not show beside the result of a later one.
          if (call === callCount.current) setError(failure);
        },
      );
      return done;
    },
    [room, feature, action],
  );
  return { do: act, pending: count > 0, error };
}

/** A room whose kind is not known to the compiler here. */
interface UntypedRoom {
  do(feature: string, action: string, data: unknown, options?: DoOptions): Promise<unknown>;
}

/** The same hooks, typed for a kind of your own: `const { useFeature, useDo } = hooksOf<typeof quizshow>()`. */
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
