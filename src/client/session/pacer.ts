import type { RateInfo } from "../../protocol/messages";

/** The share of the allowed rate that is used. Messages bunch up on the way, and a rejected one has to be sent again. */
const RATE_SHARE = 0.8;
/** Signals use less of it, so that actions never wait behind them. */
const SIGNAL_RATE_SHARE = 0.6;

/** Keeps what is sent within the room's rate: a sliding window on the client's side. */
export class Pacer {
  #sentAt: number[] = [];
  #rate: RateInfo | undefined;

  /** Without a rate, nothing is limited. */
  setRate(rate: RateInfo | undefined): void {
    this.#rate = rate;
  }

  /** Milliseconds until one more message may be sent. */
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
