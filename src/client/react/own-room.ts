import { useEffect, useMemo, useRef } from "react";
import type { JoinOptions } from "../join-options";
import { RoomClient } from "../room-client";
import type { AnyKind } from "../typed-kind";

/** Rooms whose provider is mounted. StrictMode unmounts and remounts in one step; a room that is in here again was not left. */
const mountedRooms = new WeakSet<object>();

/** A room that is joined while the component is mounted. Without options there is none. */
export function useOwnRoom<K extends AnyKind>(
  options: JoinOptions<K> | undefined,
): RoomClient<K> | undefined {
  const key = options && toVisitKey(options);
  // `getToken` is often a new function at each rendering. The room calls the newest one, and stays the same room.
  const latestOptions = useRef(options);
  useEffect(() => {
    latestOptions.current = options;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for all options that make a visit
  const room = useMemo(() => options && new RoomClient<K>(withLatestGetToken(options, latestOptions)), [key]);
  useEffect(() => {
    if (!room) return;
    mountedRooms.add(room);
    room.join();
    return () => {
      mountedRooms.delete(room);
      queueMicrotask(() => {
        if (!mountedRooms.has(room)) room.leave();
      });
    };
  }, [room]);
  return room;
}

/** The options that identify a visit: with another of these, the provider joins another room. */
function toVisitKey<K extends AnyKind>({ host, kind, room, name, token, tab }: JoinOptions<K>): string {
  return JSON.stringify([host, kind, room, name, token, tab]);
}

/** `getToken` is called hours after the first rendering, so the newest one has to be looked up. */
function withLatestGetToken<K extends AnyKind>(
  options: JoinOptions<K>,
  latest: { current: JoinOptions<K> | undefined },
): JoinOptions<K> {
  if (options.getToken === undefined) return options;
  return { ...options, getToken: () => latest.current?.getToken?.() ?? "" };
}
