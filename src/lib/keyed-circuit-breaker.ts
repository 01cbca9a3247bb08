/**
 * Stops calls to a target for a while after it has failed, by key: one slow object causes no outage of the others. If
 * several targets have failed at once it opens for all of them, so that an outage does not cost a wait for each target.
 */
export class KeyedCircuitBreaker {
  readonly #until = new Map<string, number>();

  constructor(
    private readonly openMs: number,
    /** This many open keys at once are an outage. */
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
