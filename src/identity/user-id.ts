import { codePoints, hasControl } from "../protocol/codec";
import { MAX_USER_CHARS } from "../protocol/limits";

/** The prefix of guests' ids, which only this server makes. */
export const GUEST_PREFIX = "guest-";

/** Any text that a database returns unaltered. `__proto__` is valid too: maps keyed by user have no prototype. */
export function isUserId(value: unknown): value is string {
  return (
    typeof value === "string" &&
    value.length > 0 &&
    codePoints(value) <= MAX_USER_CHARS &&
    value.isWellFormed() &&
    !hasControl(value)
  );
}
