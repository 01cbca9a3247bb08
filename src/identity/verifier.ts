import { base64url, decodeProtectedHeader, type ProtectedHeaderParameters } from "jose";
import { MAX_ADDRESS_CHARS } from "../protocol/limits";
import { KeyRing } from "./key-ring";
import { NOT_OURS, verifyToken, verifyWith } from "./token";
import { TokenCache } from "./token-cache";
import { badToken, type WhoResult } from "./who";

/** Whose tokens this server trusts. */
export interface Trust {
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
    private readonly trust: Trust,
    clock?: () => number,
  ) {
    this.#ring = trust.jwks && new KeyRing(trust.jwks.url, () => this.#cache.clear(), clock);
  }

  async verify(token: string, now: number): Promise<WhoResult> {
    if (token === "") return badToken("The token is empty.");
    if (token.length > MAX_ADDRESS_CHARS) return badToken(NOT_OURS);
    const digest = await digestOf(token);
    const held = this.#cache.find(digest, now);
    if (held) return { ok: true, who: held };
    const read = await this.#judge(token, now);
    if (read.ok) this.#cache.keep(digest, read.who, now);
    return read;
  }

  /** Whether this very token was verified recently, so that its bearer is not guessing. Counts as neither hit nor miss. */
  async knows(token: string, now: number): Promise<boolean> {
    return this.#cache.has(await digestOf(token), now);
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

  async #judge(token: string, now: number): Promise<WhoResult> {
    const header = readHeader(token);
    if (!header) return badToken(NOT_OURS);
    const { alg, kid } = header;
    const { secret, jwks } = this.trust;
    if (alg === "HS256") return secret === undefined ? badToken(NOT_OURS) : verifyToken(token, secret, now);
    if (!jwks || !this.#ring) return badToken(NOT_OURS);
    const found = await this.#ring.find(kid, alg);
    if (!found.ok) {
      if (found.unknown) return badToken(NOT_OURS);
      return { ok: false, cause: "unavailable", reason: NO_KEYS, retryAfterMs: found.retryAfterMs };
    }
    const { key } = found;
    const { issuer, audience } = jwks;
    const read = await verifyWith(token, key.key, { algorithms: [key.alg], issuer, audience }, now);
    // Only this server makes guests, even if another issuer is trusted.
    return read.ok && read.who.guest ? badToken(NOT_OURS) : read;
  }
}

/** All 256 bits: with fewer, an attacker could search for a forged token with the digest of a valid one. */
async function digestOf(token: string): Promise<string> {
  return base64url.encode(
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))),
  );
}

const NO_KEYS = "The keys to check this token with are not available right now.";

function readHeader(token: string): ProtectedHeaderParameters | undefined {
  try {
    const header = decodeProtectedHeader(token);
    return header.kid === undefined || typeof header.kid === "string" ? header : undefined;
  } catch {
    return undefined;
  }
}
