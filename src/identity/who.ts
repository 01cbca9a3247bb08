import type { Role } from "../protocol/codes";

/** Who is speaking, as a verified token or the guests' door says. */
export interface Who {
  user: string;
  name: string;
  role: Role;
  guest: boolean;
  expiresAt: number;
  /** `kind/id` patterns that the token is good for; absent: every room. */
  rooms?: readonly string[];
}

/** Of whoever is not let in: a sentence for the person at the other end. */
export type WhoResult = { ok: true; who: Who } | { ok: false; reason: string };
