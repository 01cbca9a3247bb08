import type { Role } from "../protocol/codes";

/** A user's identity, as established by a verified token or by the guest route. */
export interface UserIdentity {
  user: string;
  name: string;
  role: Role;
  guest: boolean;
  expiresAt: number;
  /** Since when a guest has been one, where the token says so: renewing it makes nobody new. */
  openedAt?: number;
  /** `kind/id` patterns that the token is valid for; absent: every room. */
  rooms?: readonly string[];
}

/**
 * Why a token was not accepted, with a sentence for its bearer.
 * - `bad`: not a valid token. The bearer may be guessing.
 * - `ended`: a valid token that has expired; nobody guesses those.
 * - `unavailable`: it could not be checked yet; trying again helps.
 */
export type IdentityRejection =
  | { ok: false; cause: "bad" | "ended"; reason: string }
  | { ok: false; cause: "unavailable"; reason: string; retryAfterMs: number };
export type IdentityResult = { ok: true; who: UserIdentity } | IdentityRejection;

export function invalidToken(reason: string): IdentityRejection {
  return { ok: false, cause: "bad", reason };
}
