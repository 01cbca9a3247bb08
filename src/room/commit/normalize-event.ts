import type { Json, NumberedEvent } from "../../protocol/messages";

/** An event that was decided, as it is made into its text: what is undefined is left out of that. */
export interface DecidedEvent {
  f: string;
  n: string;
  d: unknown;
  by: string | undefined;
  op: string | undefined;
}

/**
 * What everybody parses from an event's text, before it has its number and time; it shares nothing with what a decision made.
 * Most events follow from an action and are flat: copying those takes a fraction of the time.
 */
export function normalizeEvent({ f, n, d, by, op }: DecidedEvent, text: string): NumberedEvent {
  if (by !== undefined && op !== undefined) {
    const copy = flatCopy(d);
    if (copy) return { f, n, d: copy, by, op, seq: 0, at: 0 };
  }
  return JSON.parse(text);
}

/** Of an object of texts, numbers, and yes or no, which are what they read as; nothing of any other. */
function flatCopy(data: unknown): { [key: string]: Json } | undefined {
  if (typeof data !== "object" || data === null || Object.getPrototypeOf(data) !== Object.prototype)
    return undefined;
  if ("toJSON" in data) return undefined;
  const copy: { [key: string]: Json } = {};
  for (const key of Object.keys(data)) {
    const value = (data as Record<string, unknown>)[key];
    if (value === undefined) continue;
    if (key === "__proto__" || !survivesJson(value)) return undefined;
    copy[key] = value;
  }
  return copy;
}

/** Of numbers JSON has none that are infinite, and one zero. */
function survivesJson(value: unknown): value is string | number | boolean | null {
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  return typeof value === "string" || typeof value === "boolean" || value === null;
}
