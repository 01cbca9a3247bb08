import { base64url, decodeProtectedHeader, type ProtectedHeaderParameters } from "jose";
import { MAX_ADDRESS_CHARS } from "../protocol/limits";
import { KeyRing } from "./key-ring";
import { FOREIGN_TOKEN, verifyToken, verifyWithKey } from "./token";
import { TokenCache } from "./token-cache";
import { type IdentityResult, invalidToken } from "./user-identity";

/** Whose tokens this server trusts. */
export interface TrustedKeys {
  secret?: string;
  jwks?: { url: string; issuer: string; audience: string };
}

export interface VerifierState {
  tokens: { hits: number; misses: number; held: number };
  keys?: KeyRing["state"];
}

/** Verifies tokens with the shared secret or with a key of the issuer, whichever the token's header names. */
export class Verifier {
  readonly #cache = new TokenCache();
  readonly #ring: KeyRing | undefined;

  constructor(
    private readonly trusted: TrustedKeys,
    clock?: () => number,
  ) {
    this.#ring = trusted.jwks && new KeyRing(trusted.jwks.url, () => this.#cache.clear(), clock);
  }

  async verify(token: string, now: number): Promise<IdentityResult> {
    if (token === "") return invalidToken("The token is empty.");
    if (token.length > MAX_ADDRESS_CHARS) return invalidToken(FOREIGN_TOKEN);
    const digest = await digestToken(token);
    const cached = this.#cache.find(digest, now);
    if (cached) return { ok: true, who: cached };
    const read = await this.#verifyUncached(token, now);
    if (read.ok) this.#cache.set(digest, read.who, now);
    return read;
  }

  /** Whether this very token was verified recently, so that its bearer is not guessing. Counts as neither hit nor miss. */
  async hasVerified(token: string, now: number): Promise<boolean> {
    return this.#cache.has(await digestToken(token), now);
  }

  /** Forgets this user's verified tokens, so that the next one is checked again. */
  drop(user: string): void {
    this.#cache.drop(user);
  }

  get state(): VerifierState {
    const { hits, misses, size } = this.#cache;
    return {
      tokens: { hits, misses, held: size },
      ...(this.#ring ? { keys: this.#ring.state } : {}),
    };
  }

  async #verifyUncached(token: string, now: number): Promise<IdentityResult> {
    const header = decodeHeader(token);
    if (!header) return invalidToken(FOREIGN_TOKEN);
    const { alg, kid } = header;
    const { secret, jwks } = this.trusted;
    if (alg === "HS256")
      return secret === undefined ? invalidToken(FOREIGN_TOKEN) : verifyToken(token, secret, now);
    if (!jwks || !this.#ring) return invalidToken(FOREIGN_TOKEN);
    const found = await this.#ring.find(kid, alg);
    if (!found.ok) {
      if (found.unknown) return invalidToken(FOREIGN_TOKEN);
      return { ok: false, cause: "unavailable", reason: KEYS_UNAVAILABLE, retryAfterMs: found.retryAfterMs };
    }
    const { key } = found;
    const { issuer, audience } = jwks;
    const read = await verifyWithKey(token, key.key, { algorithms: [key.alg], issuer, audience }, now);
    // Only this server makes guests, even if another issuer is trusted.
    return read.ok && read.who.guest ? invalidToken(FOREIGN_TOKEN) : read;
  }
}

/** All 256 bits: with fewer, an attacker could search for a forged token with the digest of a valid one. */
async function digestToken(token: string): Promise<string> {
  return base64url.encode(
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))),
  );
}

const KEYS_UNAVAILABLE = "The keys to check this token with are not available right now.";

function decodeHeader(token: string): ProtectedHeaderParameters | undefined {
  try {
    const header = decodeProtectedHeader(token);
    return header.kid === undefined || typeof header.kid === "string" ? header : undefined;
  } catch {
    return undefined;
  }
}
