import { keyedId } from "../../identity/short-id";
import { closeCodes } from "../../protocol/codes";
import { type AddressRuleName, addressRates } from "../../protocol/rates";
import type { Rate } from "../../room/settings";
import type { Denial } from "../edge/denial";
import { RestByKey } from "../rest-by-key";
import { type AddressHash, joinHashes, NOWHERE, networkHash, objectName } from "./address-hash";
import {
  type AddressAnswer,
  type AddressAsk,
  type AddressRule,
  type AddressWindow,
  AddressWindows,
} from "./address-windows";
import { networkOf } from "./client-address";

export type AddressLimits = Readonly<Record<AddressRuleName, Rate | null>>;

/** Asks the object that keeps the windows of an address; rejects where it cannot be reached. */
export type AskAddress = (address: AddressHash, ask: AddressAsk) => Promise<AddressAnswer>;

/** The longest that anybody waits for the answer. */
const DEADLINE_MS = 1_000;
/** After a failure nobody asks that object for so long: it costs each process one wait, not each socket. */
const REST_MS = 2_000;
/** So many objects resting at once are an outage, and no object is asked. */
const OUTAGE_AT = 4;
/** Refusals remembered in this process, a hundred bytes each: the oldest goes first. */
const MAX_REFUSALS = 10_000;
/** Addresses and networks of which this process keeps windows of its own, a few KiB each. */
const MAX_OWN = 1_000;

export interface DeskState {
  asked: number;
  refused: number;
  /** Judged by what this process alone has seen, because no answer came in time. */
  unanswered: number;
}

/**
 * Where the edge asks whether an address may. An object that is away must not keep everybody out: then what this process has
 * seen of the address decides (docs/decisions/0012-limits-of-an-address.md). Who was refused is not asked about again before
 * the wait is over: a flood is refused from memory, and wakes no object.
 */
export class AddressDesk {
  readonly #refusals = new Map<string, number>();
  readonly #own = new AddressWindows(0, MAX_OWN);
  readonly #rest = new RestByKey(REST_MS, OUTAGE_AT);
  readonly state: DeskState = { asked: 0, refused: 0, unanswered: 0 };

  constructor(
    private readonly config: { limits: AddressLimits; networkLimits: AddressLimits },
    private readonly ask: AskAddress | undefined,
    private readonly secret: string | undefined,
    private readonly clock: () => number = Date.now,
  ) {}

  /** Without a secret there is no hash that nobody could undo, and so no address is kept. */
  async hash(address: string | undefined): Promise<AddressHash | undefined> {
    if (address === undefined || this.secret === undefined) return undefined;
    const own = await keyedId(`address:${address}`, this.secret);
    const network = networkOf(address);
    return network === undefined ? own : joinHashes(await keyedId(`network:${network}`, this.secret), own);
  }

  /** Counts against all of these rules, or denies. `look`: only whether they would. */
  async take(
    address: AddressHash | undefined,
    rules: readonly { rule: AddressRuleName; once?: string; always?: true }[],
    look: readonly AddressRuleName[] = [],
  ): Promise<Denial | undefined> {
    const name = address ?? NOWHERE;
    const ask = {
      take: rules.flatMap(({ rule, ...how }) => this.#inForce(name, rule, how)),
      look: look.flatMap((rule) => this.#inForce(name, rule)),
    };
    const all = [...ask.take, ...ask.look];
    if (!this.ask || all.length === 0) return undefined;
    const now = this.clock();
    const known = this.#known(name, all, now);
    if (known) return known;
    const told = this.#rest.isResting(objectName(name), now)
      ? undefined
      : await this.#answer(this.ask, name, ask);
    if (!told) this.state.unanswered++;
    // What the object has counted is counted here too, for the time when it cannot be asked.
    const counted = told && !told.ok ? { take: ask.take.filter(({ always }) => always), look: [] } : ask;
    const own = this.#own.ask(counted, this.clock()).answer;
    const answer = told ?? own;
    if (!answer.ok) this.#remember(refusalKey(answer.of, answer.rule), this.clock() + answer.retryAfterMs);
    return this.#judge(name, all, answer);
  }

  /** Counts by what this process alone sees of the address, and asks nobody: for what costs less than asking. */
  takeHere(address: AddressHash | undefined, rule: AddressRuleName): Denial | undefined {
    const name = address ?? NOWHERE;
    const take = this.ask ? this.#inForce(name, rule) : [];
    return this.#judge(name, take, this.#own.ask({ take, look: [] }, this.clock()).answer);
  }

  #inForce(
    address: AddressHash,
    rule: AddressRuleName,
    how: { once?: string; always?: true } = {},
  ): AddressRule[] {
    const { limits, networkLimits } = this.config;
    const network = networkHash(address);
    const own = limits[rule];
    const wide = network === undefined ? null : networkLimits[rule];
    const windows: AddressWindow[] = [];
    if (own) windows.push({ of: address, ...own });
    if (wide && network !== undefined) windows.push({ of: network, ...wide });
    return windows.length === 0 ? [] : [{ rule, windows, ...how }];
  }

  #known(name: AddressHash, rules: readonly AddressRule[], now: number): Denial | undefined {
    for (const { rule, windows, once } of rules) {
      // Whom a rule has counted already it does not count again: only the object knows.
      if (once !== undefined) continue;
      for (const window of windows) {
        const waitMs = (this.#refusals.get(refusalKey(window.of, rule)) ?? 0) - now;
        if (waitMs > 0) return this.#deny(name, rule, window, waitMs);
      }
    }
    return undefined;
  }

  #judge(name: AddressHash, rules: readonly AddressRule[], answer: AddressAnswer): Denial | undefined {
    if (answer.ok) return undefined;
    const { rule, of, retryAfterMs } = answer;
    const asked = rules.flatMap((one) => (one.rule === rule ? one.windows : []));
    const window = asked.find((one) => one.of === of);
    return window && this.#deny(name, rule, window, retryAfterMs);
  }

  async #answer(ask: AskAddress, name: string, what: AddressAsk): Promise<AddressAnswer | undefined> {
    this.state.asked++;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS);
    });
    const object = objectName(name);
    try {
      const answer = await Promise.race([ask(name, what), late]);
      this.#rest.answered(object);
      return answer;
    } catch (error) {
      this.#rest.failed(object, this.clock());
      console.error("An address could not be asked about:", error);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  #remember(key: string, until: number): void {
    this.#refusals.delete(key);
    this.#refusals.set(key, until);
    for (const oldest of this.#refusals.keys()) {
      if (this.#refusals.size <= MAX_REFUSALS) return;
      this.#refusals.delete(oldest);
    }
  }

  #deny(name: AddressHash, rule: string, { of, count, perMs }: AddressWindow, retryAfterMs: number): Denial {
    this.state.refused++;
    const { what } = addressRates[rule as AddressRuleName];
    const where = of === name ? "address" : "network";
    const reason = `Too many ${what} from this ${where} (${rule}: ${count} in ${perMs / 1000} s); come back in ${(retryAfterMs / 1000).toFixed(1)} s.`;
    return {
      close: closeCodes.tooMuch,
      status: 429,
      code: "rate_limited",
      reason,
      retryAfterMs,
      info: { rule, limit: { count, perMs } },
    };
  }
}

function refusalKey(of: string, rule: string): string {
  return `${of}/${rule}`;
}
