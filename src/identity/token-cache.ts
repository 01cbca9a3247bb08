import { LruMap } from "../lib/lru";
import type { UserIdentity } from "./user-identity";

/** How long a verified token is trusted without another check; never past its own expiry. */
const CACHE_MS = 300_000;
/** A few hundred bytes each: half a megabyte. The least recently used token is evicted first. */
const MAX_TOKENS = 1_000;

interface CachedToken {
  who: UserIdentity;
  until: number;
}

/**
 * Recently verified tokens, by digest; no token itself is stored. `drop` evicts the tokens of a user who must not be let
 * in any more.
 */
export class TokenCache {
  readonly #tokens = new LruMap<string, CachedToken>(MAX_TOKENS, (digest, { who }) =>
    this.#forget(digest, who.user),
  );
  readonly #byUser = new Map<string, Set<string>>();
  hits = 0;
  misses = 0;

  find(digest: string, now: number): UserIdentity | undefined {
    const cached = this.#tokens.get(digest);
    if (cached && cached.until > now) {
      this.hits++;
      return cached.who;
    }
    this.misses++;
    if (cached) this.#remove(digest, cached);
    return undefined;
  }

  has(digest: string, now: number): boolean {
    return (this.#tokens.peek(digest)?.until ?? now) > now;
  }

  set(digest: string, who: UserIdentity, now: number): void {
    const before = this.#tokens.peek(digest);
    if (before) this.#remove(digest, before);
    this.#tokens.set(digest, { who, until: Math.min(now + CACHE_MS, who.expiresAt) });
    const digests = this.#byUser.get(who.user);
    if (digests) digests.add(digest);
    else this.#byUser.set(who.user, new Set([digest]));
  }

  /** Evicts every token of a user. */
  drop(user: string): void {
    for (const digest of this.#byUser.get(user) ?? []) this.#tokens.delete(digest);
    this.#byUser.delete(user);
  }

  clear(): void {
    this.#tokens.clear();
    this.#byUser.clear();
  }

  get size(): number {
    return this.#tokens.size;
  }

  #remove(digest: string, { who }: CachedToken): void {
    this.#tokens.delete(digest);
    this.#forget(digest, who.user);
  }

  #forget(digest: string, user: string): void {
    const digests = this.#byUser.get(user);
    digests?.delete(digest);
    if (digests?.size === 0) this.#byUser.delete(user);
  }
}
