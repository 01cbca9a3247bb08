import type { Who } from "./who";

/** How long a verified token is trusted without another check; never past its own expiry. */
const KEEP_MS = 300_000;
/** A few hundred bytes each: half a megabyte. The least recently used token is evicted first. */
const MAX_TOKENS = 1_000;

interface Held {
  who: Who;
  until: number;
}

/**
 * Recently verified tokens, by digest; no token itself is stored. `drop` evicts the tokens of a user who must not be let
 * in any more.
 */
export class TokenCache {
  /** In the order of last use. */
  readonly #held = new Map<string, Held>();
  readonly #byUser = new Map<string, Set<string>>();
  hits = 0;
  misses = 0;

  find(digest: string, now: number): Who | undefined {
    const held = this.#held.get(digest);
    if (held && held.until > now) {
      this.hits++;
      this.#held.delete(digest);
      this.#held.set(digest, held);
      return held.who;
    }
    this.misses++;
    if (held) this.#remove(digest, held);
    return undefined;
  }

  has(digest: string, now: number): boolean {
    return (this.#held.get(digest)?.until ?? now) > now;
  }

  keep(digest: string, who: Who, now: number): void {
    const before = this.#held.get(digest);
    if (before) this.#remove(digest, before);
    this.#held.set(digest, { who, until: Math.min(now + KEEP_MS, who.expiresAt) });
    const theirs = this.#byUser.get(who.user);
    if (theirs) theirs.add(digest);
    else this.#byUser.set(who.user, new Set([digest]));
    for (const [oldest, held] of this.#held) {
      if (this.#held.size <= MAX_TOKENS) return;
      this.#remove(oldest, held);
    }
  }

  /** Evicts every token of a user. */
  drop(user: string): void {
    for (const digest of this.#byUser.get(user) ?? []) this.#held.delete(digest);
    this.#byUser.delete(user);
  }

  clear(): void {
    this.#held.clear();
    this.#byUser.clear();
  }

  get size(): number {
    return this.#held.size;
  }

  #remove(digest: string, { who }: Held): void {
    this.#held.delete(digest);
    const theirs = this.#byUser.get(who.user);
    theirs?.delete(digest);
    if (theirs?.size === 0) this.#byUser.delete(who.user);
  }
}
