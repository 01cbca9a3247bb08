import { guestPass, PassRefused } from "./guest-pass";
import type { Parting } from "./session/lifeline";
import { NEVER } from "./session/never";
import type { TokenStore } from "./token-store";

/** Who joins: a guest by name, or whoever a token says. */
export type Who =
  | { name?: string; token?: undefined; getToken?: undefined }
  | { token: string; name?: undefined; getToken?: undefined }
  /** Asked whenever a token is needed that is newer than the last one. */
  | { getToken: () => string | Promise<string>; name?: undefined; token?: undefined };

export interface Pass {
  token: string;
  /** By the clock of whoever signed it; unknown where it cannot be read. */
  endsAt?: number;
}

/** A token with less time left is not worth opening a socket with. */
const SPARE_MS = 5_000;

/** Has a token for the next socket: the same one as long as it is good, and another when it is not. */
export class PassKeeper {
  #held: Pass | undefined;

  constructor(
    private readonly who: Who,
    private readonly origin: string,
    private readonly store: TokenStore,
  ) {}

  async have(anew: boolean): Promise<Pass> {
    const { who } = this;
    if (who.token !== undefined) return passOf(who.token);
    const held = this.#held;
    if (held && !anew && (held.endsAt ?? NEVER) - Date.now() > SPARE_MS) return held;
    if (who.getToken !== undefined) {
      const token = await who.getToken();
      if (typeof token !== "string") throw new TypeError("getToken has to give a text.");
      this.#held = passOf(token);
    } else {
      const { token, expiresAt } = await guestPass(this.origin, who.name, anew, this.store);
      this.#held = { token, endsAt: expiresAt };
    }
    return this.#held;
  }
}

/** Why there was no token, as a socket would have told it. */
export function partingOf(error: unknown): Parting {
  if (error instanceof PassRefused) return error.why;
  return { code: 1006, reason: error instanceof Error ? error.message : "There is no token." };
}

/** The end of a JWT's life, read and not judged: that is the room's to do. */
function passOf(token: string): Pass {
  try {
    const [, claims = ""] = token.split(".");
    const { exp } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    return typeof exp === "number" ? { token, endsAt: exp * 1000 } : { token };
  } catch {
    // Not a JWT, or not one of ours: the room will say what it thinks of it.
    return { token };
  }
}
