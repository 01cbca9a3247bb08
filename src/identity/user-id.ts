import { codePoints, hasControl } from "../protocol/codec";
import { MAX_USER_CHARS } from "../protocol/limits";

/** Only guests' ids begin so, and only this server makes those. */
export const GUEST_PREFIX = "guest-";

/** Any text will do (`__proto__` too: maps keyed by user have no prototype), as long as a database gives it back unaltered. */
export function isUserId(value: unknown): value is string {
  return (
    typeof value === "string" &&
    value.length > 0 &&
    codePoints(value) <= MAX_USER_CHARS &&
    value.isWellFormed() &&
    !hasControl(value)
  );
}
