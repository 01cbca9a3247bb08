import { NEVER } from "../session/time";
import type { CloseInfo } from "../session/transport";
import { getGuestToken, TokenError } from "./guest-token";
import type { TokenStore } from "./token-store";

/** Who joins: a guest by name, or whoever a token says. */
export type Credentials =
  | { name?: string; token?: undefined; getToken?: undefined }
  | { token: string; name?: undefined; getToken?: undefined }
  /** Asked whenever a token is needed that is newer than the last one. */
  | { getToken: () => string | Promise<string>; name?: undefined; token?: undefined };

export interface AccessToken {
  token: string;
  /** By the clock of whoever signed it; unknown where it cannot be read. */
  endsAt?: number;
}

/** A token with less time left is not worth opening a socket with. */
const MIN_REMAINING_MS = 5_000;

/** Has a token for the next socket: the same one as long as it is good, and another when it is not. */
export class TokenProvider {
  #current: AccessToken | undefined;
  readonly #credentials: Credentials;
  readonly #origin: string;
  readonly #store: TokenStore;

  constructor(credentials: Credentials, origin: string, store: TokenStore) {
    this.#credentials = credentials;
    this.#origin = origin;
    this.#store = store;
  }

  async get(needsNewToken: boolean): Promise<AccessToken> {
    const credentials = this.#credentials;
    if (credentials.token !== undefined) return parseToken(credentials.token);
    const current = this.#current;
    if (current && !needsNewToken && (current.endsAt ?? NEVER) - Date.now() > MIN_REMAINING_MS)
      return current;
    if (credentials.getToken !== undefined) {
      const token = await credentials.getToken();
      if (typeof token !== "string") throw new TypeError("getToken has to give a text.");
      this.#current = parseToken(token);
    } else {
      const { token, expiresAt } = await getGuestToken(
        this.#origin,
        credentials.name,
        needsNewToken,
        this.#store,
      );
      this.#current = { token, endsAt: expiresAt };
    }
    return this.#current;
  }
}

/** Why there was no token, as a socket would have told it. */
export function errorToCloseInfo(error: unknown): CloseInfo {
  if (error instanceof TokenError) return error.close;
  return { code: 1006, reason: error instanceof Error ? error.message : "There is no token." };
}

/** The end of a JWT's life, read and not judged: that is the room's to do. */
function parseToken(token: string): AccessToken {
  try {
    const [, claims = ""] = token.split(".");
    const { exp } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    return typeof exp === "number" ? { token, endsAt: exp * 1000 } : { token };
  } catch {
    // Not a JWT, or not one of ours: the room will say what it thinks of it.
    return { token };
  }
}
