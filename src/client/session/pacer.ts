import type { RateTold } from "../../protocol/messages";

/** Of what a rule allows, so much is used: messages bunch up on their way, and a refused one would have to be sent again. */
const USED = 0.8;
/** Signals leave some of that to actions, which wait their turn behind nothing that is only true now. */
const USED_BY_SIGNALS = 0.6;

/** Keeps what is sent within a rate that the room told: a sliding window on our side of the wire. */
export class Pacer {
  #sent: number[] = [];
  #rate: RateTold | undefined;

  /** A rule that the room does not tell is off. */
  follow(rate: RateTold | undefined): void {
    this.#rate = rate;
  }

  /** How long until one more may go; 0 is now. */
  wait(now: number, isSignal = false): number {
    const rate = this.#rate;
    if (!rate) return 0;
    this.#sent = this.#sent.filter((at) => at > now - rate.perMs);
    const most = Math.max(1, Math.floor(rate.count * (isSignal ? USED_BY_SIGNALS : USED)));
    const oldest = this.#sent.at(-most);
    return oldest === undefined ? 0 : oldest + rate.perMs - now;
  }

  sent(now: number): void {
    if (this.#rate) this.#sent.push(now);
  }
}
