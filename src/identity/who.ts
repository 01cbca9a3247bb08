import type { Role } from "../protocol/codes";

/** Who is speaking, as a verified token or the guests' door says. */
export interface Who {
  user: string;
  name: string;
  role: Role;
  guest: boolean;
  expiresAt: number;
  /** Since when a guest has been one, where the token says so: renewing it makes nobody new. */
  openedAt?: number;
  /** `kind/id` patterns that the token is good for; absent: every room. */
  rooms?: readonly string[];
}

/**
 * Of whoever is not let in: a sentence for the person at the other end.
 * - `bad`: no token of ours. Somebody may be guessing.
 * - `ended`: was one; nobody guesses those.
 * - `unavailable`: nothing is known yet of whether it is one, and coming back helps.
 */
export type WhoRefused =
  | { ok: false; cause: "bad" | "ended"; reason: string }
  | { ok: false; cause: "unavailable"; reason: string; retryAfterMs: number };
export type WhoResult = { ok: true; who: Who } | WhoRefused;

export function badToken(reason: string): WhoRefused {
  return { ok: false, cause: "bad", reason };
}
