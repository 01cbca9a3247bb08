import { MAX_OFFENCES, OFFENCE_MS } from "../protocol/limits";
import { connectionRates, guestsOf, togetherOf } from "../protocol/rates";
import type { Connection } from "./connection";
import { addressKey } from "./offences";
import { type Refused, rateLimited } from "./refusals";
import type { Rate } from "./settings";
import { SlidingWindow } from "./sliding-window";

/** No feature's rule: those have a dot in their names. */
export const TRAFFIC = "connection";
const UPKEEP = "upkeep";
const VERIFY = "verify";
const REFUSED = "refused";
const REFUSALS: Rate = { count: MAX_OFFENCES, perMs: OFFENCE_MS };

/** How much sockets say, whatever it is. These windows end with the process: what they guard is its time. */
export class Traffic {
  readonly #windows = new SlidingWindow();
  readonly #rates: ReadonlyMap<string, Rate>;

  /** `null`: messages are not counted. */
  constructor(actionRate: Rate | null) {
    const { upkeep, verify } = connectionRates;
    const others: [string, Rate][] = [
      [UPKEEP, upkeep],
      [VERIFY, verify],
    ];
    this.#rates = new Map(actionRate ? [[TRAFFIC, actionRate], ...others] : others);
  }

  /** All messages of a connection but what `limitUpkeep` counts. */
  limit(connection: Connection, now: number): Refused | undefined {
    return this.#limit(TRAFFIC, connection, now);
  }

  /** What tells that somebody is there and reads: it is work all the same. */
  limitUpkeep(connection: Connection, now: number): Refused | undefined {
    return this.#limit(UPKEEP, connection, now);
  }

  /** Sums of a large state cost milliseconds. */
  limitVerify(connection: Connection, now: number): Refused | undefined {
    return this.#limit(VERIFY, connection, now);
  }

  /**
   * Counts a refusal, whichever socket of theirs it came through: a new one is no new start, and a new guest of the same address
   * is none either. Answers whether it was one too many.
   */
  offends({ member: { user }, from }: Connection, now: number): boolean {
    const windows: [whose: string, rate: Rate][] = [[user, REFUSALS]];
    if (from !== undefined) windows.push([addressKey(from), guestsOf(REFUSALS)]);
    const isTooMuch = windows.some(([whose, rate]) => this.#windows.wait(REFUSED, whose, rate, now) > 0);
    for (const [whose] of windows) this.#windows.stamp(REFUSED, whose, now);
    return isTooMuch;
  }

  forget(connection: string): void {
    for (const rule of this.#rates.keys()) this.#windows.forget(rule, connection);
  }

  /** Old windows go, so that memory follows those who were here lately. */
  sweep(now: number): void {
    const all = [...this.#rates].flatMap(([rule, rate]): [string, Rate][] => [
      [rule, rate],
      [togetherName(rule), togetherOf(rate)],
    ]);
    this.#windows.sweep(new Map([...all, [REFUSED, REFUSALS]]), now);
  }

  /** Of the connection, of all that its user has, and of all guests of its address. */
  #limit(rule: string, { id, member, from }: Connection, now: number): Refused | undefined {
    const rate = this.#rates.get(rule);
    if (!rate) return undefined;
    const together = { name: togetherName(rule), whose: member.user, rate: togetherOf(rate) };
    const all = [{ name: rule, whose: id, rate }, together];
    if (from !== undefined) {
      all.push({ ...together, whose: addressKey(from), rate: guestsOf(together.rate) });
    }
    for (const { name, whose, rate } of all) {
      const wait = this.#windows.wait(name, whose, rate, now);
      if (wait > 0) return rateLimited(rule, rate, wait);
    }
    for (const { name, whose } of all) this.#windows.stamp(name, whose, now);
    return undefined;
  }
}

/** Apart from the connections' own: a user may be called like one. */
function togetherName(rule: string): string {
  return `${rule}/together`;
}
