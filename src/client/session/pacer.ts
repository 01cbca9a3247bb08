import type { RateInfo } from "../../protocol/messages";

/** Of what a rule allows, so much is used: messages bunch up on their way, and a refused one would have to be sent again. */
const RATE_SHARE = 0.8;
/** Signals leave some of that to actions, which wait their turn behind nothing that is only true now. */
const SIGNAL_RATE_SHARE = 0.6;

/** Keeps what is sent within a rate that the room told: a sliding window on our side of the wire. */
export class Pacer {
  #sentAt: number[] = [];
  #rate: RateInfo | undefined;

  /** A rule that the room does not tell is off. */
  setRate(rate: RateInfo | undefined): void {
    this.#rate = rate;
  }

  /** How long until one more may go; 0 is now. */
  waitMs(now: number, isSignal = false): number {
    const rate = this.#rate;
    if (!rate) return 0;
    this.#sentAt = this.#sentAt.filter((at) => at > now - rate.perMs);
    const limit = Math.max(1, Math.floor(rate.count * (isSignal ? SIGNAL_RATE_SHARE : RATE_SHARE)));
    const oldest = this.#sentAt.at(-limit);
    return oldest === undefined ? 0 : oldest + rate.perMs - now;
  }

  countSent(now: number): void {
    if (this.#rate) this.#sentAt.push(now);
  }
}
