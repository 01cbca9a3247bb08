/** What is to happen on a simulated clock, earliest first; what is due at one time happens in the order it was put down. */
export class Agenda {
  readonly #steps: { at: number; n: number; step: () => void }[] = [];
  #n = 0;

  /** A time that is past is as good as now. */
  add(at: number, step: () => void): void {
    const entry = { at, n: this.#n++, step };
    let low = 0;
    let high = this.#steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#steps[middle] as typeof entry;
      // Latest first, so that taking the earliest moves nothing.
      if (other.at > at || (other.at === at && other.n > entry.n)) low = middle + 1;
      else high = middle;
    }
    this.#steps.splice(low, 0, entry);
  }

  get nextAt(): number {
    return this.#steps.at(-1)?.at ?? Number.POSITIVE_INFINITY;
  }

  take(): (() => void) | undefined {
    return this.#steps.pop()?.step;
  }
}
