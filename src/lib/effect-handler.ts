import type { Json } from "../protocol/messages";
import type { RoomRef } from "./room-ref";

/**
 * Does one kind of work outside a room. It rejects if the work could not be done, and the room then tries again. The work may
 * also have been done and its answer lost, so a handler must be safe to call twice. `signal` aborts at the deadline.
 */
export type EffectHandler = (room: RoomRef, request: Json, signal: AbortSignal) => Promise<Json>;
/** By `feature/effect`. */
export type EffectHandlers = Readonly<Record<string, EffectHandler>>;
