/**
 * Leaves alone for a while what has just failed, by key: one slow object is nobody else's outage. Where several fail at
 * once all of them rest, so that an outage does not cost a wait for each.
 */
export class KeyedCircuitBreaker {
  readonly #until = new Map<string, number>();

  constructor(
    private readonly openMs: number,
    /** So many resting at once are an outage. */
    private readonly outageAt: number,
  ) {}

  isOpen(key: string, now: number): boolean {
    for (const [other, until] of this.#until) if (until <= now) this.#until.delete(other);
    return this.#until.has(key) || this.#until.size >= this.outageAt;
  }

  recordFailure(key: string, now: number): void {
    this.#until.set(key, now + this.openMs);
  }

  recordSuccess(key: string): void {
    this.#until.delete(key);
  }
}
