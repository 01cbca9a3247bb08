import { withDeadline } from "../lib/deadline";
import type { EffectHandlers } from "../lib/effect-handler";
import { formatRoomRef, type RoomRef } from "../lib/room-ref";
import type { EffectResult } from "../room/commit/effects";
import type { EffectCall } from "../room/ports";

/** Long enough for a slow database, and short enough for the room to try again soon. */
const DEADLINE_MS = 10_000;

/** Runs one attempt at an effect. Resolves once, within the deadline, and never rejects. */
export async function runEffect(
  handlers: EffectHandlers,
  room: RoomRef,
  { name, request }: EffectCall,
  deadlineMs = DEADLINE_MS,
): Promise<EffectResult> {
  try {
    const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
    if (!handler) throw new Error(`no handler registered for effect ${name}`);
    const work = (signal: AbortSignal) => handler(room, request, signal);
    return { ok: true, answer: await withDeadline(work, deadlineMs, "no answer") };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    console.warn(`${formatRoomRef(room)}: ${name} will be tried again: ${problem}`);
    return { ok: false };
  }
}
