import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { RoomClient } from "../room-client";
import type { PendingAction } from "../session/pending";
import type { Status } from "../session/session";
import type { AnyKind } from "../typed-kind";

/** What the hooks read of a room. */
export type RoomView = Pick<RoomClient<AnyKind>, "state" | "status" | "pending">;

const IDLE: Status = { is: "idle", outdated: false };
const NO_PENDING: readonly PendingAction[] = [];

/** A selected value of the room. It stays the same object until the selection changes, as `useSyncExternalStore` requires. */
export function useRoomValue<V, T>(
  room: RoomClient<AnyKind>,
  read: (view: RoomView) => V,
  select: (value: V) => T,
  isEqual: (one: T, other: T) => boolean,
): T {
  // The value of the last commit. An equal selection keeps this object, even when `select` is a new function.
  const lastShown = useRef<{ value: T } | undefined>(undefined);
  const [getSnapshot, getServerSnapshot] = useMemo(() => {
    const snapshotOf = (view: RoomView) => {
      let last: { from: V; value: T } | undefined;
      return () => {
        const from = read(view);
        if (last && last.from === from) return last.value;
        const selected = select(from);
        const before = last ?? lastShown.current;
        const value = before && isEqual(before.value, selected) ? before.value : selected;
        last = { from, value };
        return value;
      };
    };
    // The room may be live before hydration ends. React must then see what the server rendered: the initial state.
    const initialView: RoomView = { state: room.initial, status: IDLE, pending: NO_PENDING };
    return [snapshotOf(room), typeof document === "undefined" ? snapshotOf(room) : snapshotOf(initialView)];
  }, [room, read, select, isEqual]);
  const subscribe = useCallback((onChange: () => void) => room.subscribe(onChange), [room]);
  const value = useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);
  useEffect(() => {
    lastShown.current = { value };
  }, [value]);
  return value;
}

export function identity<T>(value: T): T {
  return value;
}

export function readStatus({ status }: RoomView): Status {
  return status;
}

export function readPending({ pending }: RoomView): readonly PendingAction[] {
  return pending;
}
