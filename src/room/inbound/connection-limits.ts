import { SlidingWindow } from "../../lib/sliding-window";
import { MAX_REJECTIONS, REJECTIONS_MS } from "../../protocol/limits";
import type { Rate } from "../../protocol/rates";
import { connectionRates, guestsOf, perUserRate } from "../../protocol/rates";
import type { Connection } from "../delivery/connection";
import { addressKey } from "./penalties";
import { type Rejection, rateLimited } from "./rejections";

/** No feature's rule: those have a dot in their names. */
export const CONNECTION_RULE = "connection";
const UPKEEP_RULE = "upkeep";
const VERIFY_RULE = "verify";
const REJECTIONS_RULE = "refused";
const REJECTIONS_RATE: Rate = { count: MAX_REJECTIONS, perMs: REJECTIONS_MS };

/** How much sockets say, whatever it is. These windows end with the process: what they guard is its time. */
export class ConnectionLimits {
  readonly #windows = new SlidingWindow();
  readonly #rates: ReadonlyMap<string, Rate>;

  /** `null`: messages are not counted. */
  constructor(actionRate: Rate | null) {
    const { upkeep, verify } = connectionRates;
    const others: [string, Rate][] = [
      [UPKEEP_RULE, upkeep],
      [VERIFY_RULE, verify],
    ];
    this.#rates = new Map(actionRate ? [[CONNECTION_RULE, actionRate], ...others] : others);
  }

  /** All messages of a connection but what `limitUpkeep` counts. */
  limit(connection: Connection, now: number): Rejection | undefined {
    return this.#limit(CONNECTION_RULE, connection, now);
  }

  /** What tells that somebody is there and reads: it is work all the same. */
  limitUpkeep(connection: Connection, now: number): Rejection | undefined {
    return this.#limit(UPKEEP_RULE, connection, now);
  }

  /** Sums of a large state cost milliseconds. */
  limitVerify(connection: Connection, now: number): Rejection | undefined {
    return this.#limit(VERIFY_RULE, connection, now);
  }

  /**
   * Counts a refusal, whichever socket of theirs it came through: a new one is no new start, and a new guest of the same address
   * is none either. Answers whether it was one too many.
   */
  countRejection({ member: { user }, from }: Connection, now: number): boolean {
    const windows: [whose: string, rate: Rate][] = [[user, REJECTIONS_RATE]];
    if (from !== undefined) windows.push([addressKey(from), guestsOf(REJECTIONS_RATE)]);
    const isTooMuch = windows.some(
      ([whose, rate]) => this.#windows.wait(REJECTIONS_RULE, whose, rate, now) > 0,
    );
    for (const [whose] of windows) this.#windows.stamp(REJECTIONS_RULE, whose, now);
    return isTooMuch;
  }

  forget(connection: string): void {
    for (const rule of this.#rates.keys()) this.#windows.forget(rule, connection);
  }

  /** Old windows go, so that memory follows those who were here lately. */
  sweep(now: number): void {
    const all = [...this.#rates].flatMap(([rule, rate]): [string, Rate][] => [
      [rule, rate],
      [perUserRule(rule), perUserRate(rate)],
    ]);
    this.#windows.sweep(new Map([...all, [REJECTIONS_RULE, REJECTIONS_RATE]]), now);
  }

  /** Of the connection, of all that its user has, and of all guests of its address. */
  #limit(rule: string, { id, member, from }: Connection, now: number): Rejection | undefined {
    const rate = this.#rates.get(rule);
    if (!rate) return undefined;
    const perUser = { name: perUserRule(rule), whose: member.user, rate: perUserRate(rate) };
    const all = [{ name: rule, whose: id, rate }, perUser];
    if (from !== undefined) {
      all.push({ ...perUser, whose: addressKey(from), rate: guestsOf(perUser.rate) });
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
function perUserRule(rule: string): string {
  return `${rule}/together`;
}
