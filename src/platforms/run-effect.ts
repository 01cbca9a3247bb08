import type { Json } from "../protocol/messages";
import type { EffectResult } from "../room/commit/effects";
import type { EffectCall } from "../room/ports";

/** Long enough for a slow database, and short enough that a room soon asks again. */
const DEADLINE_MS = 10_000;

export interface RoomRef {
  kind: string;
  id: string;
}
/**
 * Does what a room asks of the outside. It rejects where it could not, and the room asks again; it may also have done it and
 * not have known, so doing it twice has to be the same as doing it once. `signal` ends with the deadline.
 */
export type EffectHandler = (room: RoomRef, request: Json, signal: AbortSignal) => Promise<Json>;
/** By `feature/errand`. */
export type EffectHandlers = Readonly<Record<string, EffectHandler>>;
/** Those of features that do not come with Tallyroom, made from the variables and bindings of the deployment. */
export type CustomEffects<Env> = (env: Env) => EffectHandlers;

/** What is wrong with them stops no room: it is told, and what they should have done is asked for again and again. */
export function openCustomHandlers<Env>(custom: CustomEffects<Env> | undefined, env: Env): EffectHandlers {
  try {
    return custom?.(env) ?? {};
  } catch (error) {
    console.error("This deployment's own errands could not be made, and nobody does them:", error);
    return {};
  }
}

/** Answers once, within the deadline, and never rejects. */
export async function runEffect(
  handlers: EffectHandlers,
  room: RoomRef,
  { name, request }: EffectCall,
  deadlineMs = DEADLINE_MS,
): Promise<EffectResult> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | null = null;
  try {
    const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
    if (!handler) throw new Error("nobody here does that");
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    });
    return { ok: true, answer: await Promise.race([handler(room, request, controller.signal), timeout]) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    console.warn(`${room.kind}/${room.id}: ${name} will be tried again: ${problem}`);
    return { ok: false };
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}
