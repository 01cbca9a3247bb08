import { NEVER } from "../session/time";
import type { CloseInfo } from "../session/transport";
import { getGuestToken, TokenError } from "./guest-token";
import type { TokenStore } from "./token-store";

/** Who joins: a guest with a name, or the user of a token. */
export type Credentials =
  | { name?: string; token?: undefined; getToken?: undefined }
  | { token: string; name?: undefined; getToken?: undefined }
  /** Called when a newer token is needed. */
  | { getToken: () => string | Promise<string>; name?: undefined; token?: undefined };

export interface AccessToken {
  token: string;
  /** By the clock of the signer; undefined if it cannot be read. */
  endsAt?: number;
}

/** A token with less time left is not worth opening a socket with. */
const MIN_REMAINING_MS = 5_000;

/** Provides the token for the next socket: the current one while it is valid, otherwise a new one. */
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

/** Turns a failed request for a token into the close that a socket would have had. */
export function errorToCloseInfo(error: unknown): CloseInfo {
  if (error instanceof TokenError) return error.close;
  return { code: 1006, reason: error instanceof Error ? error.message : "There is no token." };
}

/** Reads when a JWT ends, without verifying it: the room does that. */
function parseToken(token: string): AccessToken {
  try {
    const [, claims = ""] = token.split(".");
    const { exp } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    return typeof exp === "number" ? { token, endsAt: exp * 1000 } : { token };
  } catch {
    // Not a JWT. The room will reject it if it is not valid.
    return { token };
  }
}
