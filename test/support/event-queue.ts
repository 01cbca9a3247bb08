/** Events on a simulated clock, earliest first; those of one time happen in the order they were added. */
export class EventQueue {
  readonly #events: { at: number; n: number; step: () => void }[] = [];
  #count = 0;

  /** A time in the past counts as now. */
  add(at: number, run: () => void): void {
    const entry = { at, n: this.#count++, step: run };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#events[middle] as typeof entry;
      // Latest first, so that taking the earliest moves nothing.
      if (other.at > at || (other.at === at && other.n > entry.n)) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, entry);
  }

  get nextAt(): number {
    return this.#events.at(-1)?.at ?? Number.POSITIVE_INFINITY;
  }

  take(): (() => void) | undefined {
    return this.#events.pop()?.step;
  }
}
