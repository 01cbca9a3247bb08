import type { Json } from "../protocol/messages";
import type { ErrandResult } from "../room/errands";
import type { AskedErrand } from "../room/ports";

/** Long enough for a slow database, and short enough that a room soon asks again. */
const DEADLINE_MS = 10_000;

export interface RoomName {
  kind: string;
  id: string;
}
/**
 * Does what a room asks of the outside. It rejects where it could not, and the room asks again; it may also have done it and
 * not have known, so doing it twice has to be the same as doing it once. `signal` ends with the deadline.
 */
export type ErrandHandler = (room: RoomName, ask: Json, signal: AbortSignal) => Promise<Json>;
/** By `feature/errand`. */
export type ErrandHandlers = Readonly<Record<string, ErrandHandler>>;
/** Those of features that do not come with Tallyroom, made from the variables and bindings of the deployment. */
export type OwnErrands<Env> = (env: Env) => ErrandHandlers;

/** What is wrong with them stops no room: it is told, and what they should have done is asked for again and again. */
export function ownHandlers<Env>(own: OwnErrands<Env> | undefined, env: Env): ErrandHandlers {
  try {
    return own?.(env) ?? {};
  } catch (error) {
    console.error("This deployment's own errands could not be made, and nobody does them:", error);
    return {};
  }
}

/** Answers once, within the deadline, and never rejects. */
export async function carryOut(
  handlers: ErrandHandlers,
  room: RoomName,
  { name, ask }: AskedErrand,
  deadlineMs = DEADLINE_MS,
): Promise<ErrandResult> {
  const ending = new AbortController();
  let timer: ReturnType<typeof setTimeout> | null = null;
  try {
    const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
    if (!handler) throw new Error("nobody here does that");
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    });
    return { ok: true, answer: await Promise.race([handler(room, ask, ending.signal), tooLate]) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.warn(`${room.kind}/${room.id}: ${name} will be tried again: ${why}`);
    return { ok: false };
  } finally {
    clearTimeout(timer);
    ending.abort();
  }
}
