/** Why a room closed a socket. Each is told in a `bye` before the close itself. */
export const closeCodes = {
  draining: 1012,
  badAddress: 4400,
  badToken: 4401,
  notAllowed: 4403,
  notFound: 4404,
  silent: 4408,
  replaced: 4409,
  roomClosed: 4410,
  tooLarge: 4413,
  tooMuch: 4429,
  full: 4503,
} as const;

export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes];

const final: ReadonlySet<number> = new Set<CloseCode>([4400, 4401, 4403, 4404, 4409, 4410, 4413]);

/** A final code is not to be retried as it is; every other `bye` carries `retryAfterMs`. */
export function isFinal(code: number): boolean {
  return final.has(code);
}

export const errorCodes = [
  "bad_message",
  "bad_action",
  "bad_data",
  "not_allowed",
  "muted",
  "rate_limited",
  "too_large",
  "full",
  "draining",
  "unknown_user",
  "not_found",
  "duplicate",
  "conflict",
  "unavailable",
  "internal",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export const roles = ["player", "host", "admin"] as const;
export type Role = (typeof roles)[number];
