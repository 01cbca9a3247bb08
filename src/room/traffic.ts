import { MAX_OFFENCES, OFFENCE_MS } from "../protocol/limits";
import { connectionRates, togetherOf } from "../protocol/rates";
import type { Connection } from "./connection";
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

  /** Counts a refusal, whichever socket of theirs it came through: a new one is no new start. Answers whether it was one too many. */
  offends(user: string, now: number): boolean {
    const isTooMuch = this.#windows.wait(REFUSED, user, REFUSALS, now) > 0;
    this.#windows.stamp(REFUSED, user, now);
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

  /** Of the connection, and of all that its user has. */
  #limit(rule: string, { id, member }: Connection, now: number): Refused | undefined {
    const rate = this.#rates.get(rule);
    if (!rate) return undefined;
    const together = { name: togetherName(rule), whose: member.user, rate: togetherOf(rate) };
    const both = [{ name: rule, whose: id, rate }, together];
    for (const { name, whose, rate } of both) {
      const wait = this.#windows.wait(name, whose, rate, now);
      if (wait > 0) return rateLimited(rule, rate, wait);
    }
    for (const { name, whose } of both) this.#windows.stamp(name, whose, now);
    return undefined;
  }
}

/** Apart from the connections' own: a user may be called like one. */
function togetherName(rule: string): string {
  return `${rule}/together`;
}
