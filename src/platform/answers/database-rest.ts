import { TooLate } from "../within";

/** After a failure the same question is not asked for so long: what there is is given at once. */
const REST_MS = 1_000;
const MAX_KEYS = 5_000;

/** While the database fails it is asked little. Where it gives no answer at all, every question would wait as long. */
export class DatabaseRest {
  readonly #failedAt = new Map<string, number>();
  #allUntil = Number.NEGATIVE_INFINITY;

  /** `now`: when that was asked. */
  failed(key: string, error: unknown, now: number, tookMs: number): void {
    if (this.#failedAt.size >= MAX_KEYS) this.#failedAt.clear();
    this.#failedAt.set(key, now);
    if (error instanceof TooLate) this.#allUntil = now + tookMs + REST_MS;
  }

  answered(key: string): void {
    this.#failedAt.delete(key);
    this.#allUntil = Number.NEGATIVE_INFINITY;
  }

  isOn(key: string, now: number): boolean {
    const failedAt = this.#failedAt.get(key);
    return now < this.#allUntil || (failedAt !== undefined && now - failedAt < REST_MS);
  }
}
