import { SlidingWindow } from "../../lib/sliding-window";
import { MAX_REJECTIONS, REJECTIONS_MS } from "../../protocol/limits";
import type { Rate } from "../../protocol/rates";
import { connectionRates, GUEST_SHARE, guestsOf, perUserRate } from "../../protocol/rates";
import type { Connection } from "../delivery/connection";
import { addressKey, windowKeys } from "./penalties";
import { type Rejection, rateLimited } from "./rejections";

/** No feature's rule: those have a dot in their names. */
export const CONNECTION_RULE = "connection";
const UPKEEP_RULE = "upkeep";
const VERIFY_RULE = "verify";
const REJECTIONS_RULE = "refused";
/** `verify` has no share: its messages are in that of `connection`, and a sum of a large state costs more than any other. */
const SHARED_RULES: readonly string[] = [CONNECTION_RULE, UPKEEP_RULE];
const REJECTIONS_RATE: Rate = { count: MAX_REJECTIONS, perMs: REJECTIONS_MS };
/** A guest with so many refusals is closed if the guests of the address have too many together. */
const OWN_REJECTIONS_RATE: Rate = { count: Math.ceil(MAX_REJECTIONS / 4), perMs: REJECTIONS_MS };

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
   * is none either. Answers whose windows are penalised if it was one too many. For the refusals of the whole address only a
   * guest with a good part of them is closed, and only that guest is penalised.
   */
  countRejection({ member: { user }, from }: Connection, now: number): readonly string[] | undefined {
    const isFull = (whose: string, rate: Rate) => this.#windows.wait(REJECTIONS_RULE, whose, rate, now) > 0;
    let penalised: readonly string[] | undefined;
    if (isFull(user, REJECTIONS_RATE)) penalised = windowKeys(user, from);
    if (from !== undefined) {
      const isAddressFull = isFull(addressKey(from), guestsOf(REJECTIONS_RATE));
      if (!penalised && isAddressFull && isFull(user, OWN_REJECTIONS_RATE)) penalised = [user];
      this.#windows.stamp(REJECTIONS_RULE, addressKey(from), now);
    }
    this.#windows.stamp(REJECTIONS_RULE, user, now);
    return penalised;
  }

  forget(connection: string): void {
    for (const rule of this.#rates.keys()) this.#windows.forget(rule, connection);
    for (const rule of SHARED_RULES) this.#windows.forget(shareRule(rule), connection);
  }

  /** Old windows go, so that memory follows those who were here lately. */
  sweep(now: number): void {
    const all = [...this.#rates].flatMap(([rule, rate]): [string, Rate][] => [
      [rule, rate],
      [perUserRule(rule), perUserRate(rate)],
    ]);
    const shares = SHARED_RULES.map((rule): [string, Rate] => [shareRule(rule), GUEST_SHARE]);
    this.#windows.sweep(new Map([...all, ...shares, [REJECTIONS_RULE, REJECTIONS_RATE]]), now);
  }

  /** Of the connection, of all that its user has, and, beyond a guest's share, of all guests of its address. */
  #limit(rule: string, { id, member, from }: Connection, now: number): Rejection | undefined {
    const rate = this.#rates.get(rule);
    if (!rate) return undefined;
    const perUser = { name: perUserRule(rule), whose: member.user, rate: perUserRate(rate) };
    const all = [{ name: rule, whose: id, rate }, perUser];
    if (from !== undefined) {
      const share = { name: shareRule(rule), whose: id, rate: GUEST_SHARE };
      const hasShare = SHARED_RULES.includes(rule);
      if (hasShare && this.#windows.wait(share.name, id, share.rate, now) === 0) all.push(share);
      else all.push({ ...perUser, whose: addressKey(from), rate: guestsOf(perUser.rate) });
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

function shareRule(rule: string): string {
  return `${rule}/share`;
}
