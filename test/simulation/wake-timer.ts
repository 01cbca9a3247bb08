import type { Deployment } from "./deployment";

/** A caller that asks again and again for the same moment would hang a page. */
const MAX_CALLS_AT_ONCE = 1_000;

/** One timer at a time: one that fires too early only checks again, which is cheaper than a new one each time. */
export class WakeTimer {
  #at = Number.POSITIVE_INFINITY;
  #calls = { at: 0, count: 0 };

  constructor(
    private readonly deployment: Deployment,
    /** When it has something to do. */
    private readonly nextAt: () => number,
    private readonly ring: () => void,
    private readonly label: string,
  ) {}

  set(): void {
    const { clock } = this.deployment;
    const at = Math.max(clock.now, this.nextAt());
    if (at >= this.#at) return;
    this.#at = at;
    clock.at(at, () => {
      if (this.#at !== at) return;
      this.#at = Number.POSITIVE_INFINITY;
      if (this.nextAt() > clock.now) return this.set();
      this.#calls = this.#calls.at === clock.now ? this.#calls : { at: clock.now, count: 0 };
      if (++this.#calls.count > MAX_CALLS_AT_ONCE)
        return this.deployment.reportBreach(14, `${this.label} wants to be called without end`);
      this.ring();
    });
  }
}
