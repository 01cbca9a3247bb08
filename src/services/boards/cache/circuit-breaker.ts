import { TimeoutError } from "../../../lib/deadline";

/** After a failure the same key is not fetched for this long. What is cached is served at once. */
const OPEN_MS = 1_000;
const MAX_KEYS = 5_000;

/** Limits the calls to a failing database. After a timeout it opens for all keys, because every fetch would wait as long. */
export class CircuitBreaker {
  readonly #failedAt = new Map<string, number>();
  #openUntil = Number.NEGATIVE_INFINITY;

  /** `now`: when the fetch started. */
  recordFailure(key: string, error: unknown, now: number, tookMs: number): void {
    if (this.#failedAt.size >= MAX_KEYS) this.#failedAt.clear();
    this.#failedAt.set(key, now);
    if (error instanceof TimeoutError) this.#openUntil = now + tookMs + OPEN_MS;
  }

  recordSuccess(key: string): void {
    this.#failedAt.delete(key);
    this.#openUntil = Number.NEGATIVE_INFINITY;
  }

  isOpen(key: string, now: number): boolean {
    const failedAt = this.#failedAt.get(key);
    return now < this.#openUntil || (failedAt !== undefined && now - failedAt < OPEN_MS);
  }
}
