import { keyedId } from "../../identity/short-id";
import { closeCodes } from "../../protocol/codes";
import { type AddressRuleName, addressRates } from "../../protocol/rates";
import type { Rate } from "../../room/settings";
import type { Denial } from "../edge/denial";
import { type AddressAnswer, type AddressAsk, type AddressRule, AddressWindows } from "./address-windows";

export type AddressLimits = Readonly<Record<AddressRuleName, Rate | null>>;

/** Asks the object of an address; rejects where it cannot be reached. */
export type AskAddress = (address: string, ask: AddressAsk) => Promise<AddressAnswer>;

/** An address as we know it: a keyed hash, which names its object and tells nobody where that is. */
export type AddressHash = string;
/** Whoever comes from an address that the platform does not tell: all of them are one. */
export const NOWHERE: AddressHash = "nowhere";

/** The longest that anybody waits for the answer. */
const DEADLINE_MS = 1_000;
/** After a failure nobody asks for so long: an outage costs each process one wait, not each socket. */
const COOL_DOWN_MS = 2_000;
/** Refusals remembered in this process, a hundred bytes each: the oldest goes first. */
const MAX_REFUSALS = 10_000;
/** Addresses of which this process keeps windows of its own, a few KiB each. */
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
  readonly #own = new Map<string, AddressWindows>();
  #restUntil = 0;
  readonly state: DeskState = { asked: 0, refused: 0, unanswered: 0 };

  constructor(
    private readonly limits: AddressLimits,
    private readonly ask: AskAddress | undefined,
    private readonly secret: string | undefined,
    private readonly clock: () => number = Date.now,
  ) {}

  /** Without a secret there is no hash that nobody could undo, and so no address is kept. */
  async hash(address: string | undefined): Promise<AddressHash | undefined> {
    if (address === undefined || this.secret === undefined) return undefined;
    return keyedId(`address:${address}`, this.secret);
  }

  /** Counts against all of these rules, or denies. `look`: only whether they would. */
  async take(
    address: AddressHash | undefined,
    rules: readonly { rule: AddressRuleName; once?: string; always?: true }[],
    look: readonly AddressRuleName[] = [],
  ): Promise<Denial | undefined> {
    const name = address ?? NOWHERE;
    const ask = {
      take: rules.flatMap(({ rule, ...how }) => this.#inForce(rule, how)),
      look: look.flatMap((rule) => this.#inForce(rule)),
    };
    const all = [...ask.take, ...ask.look];
    if (!this.ask || all.length === 0) return undefined;
    const now = this.clock();
    const known = this.#known(name, all, now);
    if (known) return known;
    const told = this.#restUntil > now ? undefined : await this.#answer(this.ask, name, ask);
    if (!told) this.state.unanswered++;
    // What the object has counted is counted here too, for the time when it cannot be asked.
    const counted = told && !told.ok ? { take: ask.take.filter(({ always }) => always), look: [] } : ask;
    const own = this.#windowsOf(name).ask(counted, this.clock()).answer;
    const answer = told ?? own;
    if (answer.ok) return undefined;
    const { rule, retryAfterMs } = answer;
    const limit = all.find((one) => one.rule === rule);
    if (!limit) return undefined;
    this.#remember(`${name}/${rule}`, this.clock() + retryAfterMs);
    return this.#deny(limit, retryAfterMs);
  }

  /** Counts by what this process alone sees of the address, and asks nobody: for what costs less than asking. */
  takeHere(address: AddressHash | undefined, rule: AddressRuleName): Denial | undefined {
    const name = address ?? NOWHERE;
    const take = this.ask ? this.#inForce(rule) : [];
    const [limit] = take;
    if (!limit) return undefined;
    const { answer } = this.#windowsOf(name).ask({ take, look: [] }, this.clock());
    return answer.ok ? undefined : this.#deny(limit, answer.retryAfterMs);
  }

  #inForce(rule: AddressRuleName, how: { once?: string; always?: true } = {}): AddressRule[] {
    const rate = this.limits[rule];
    return rate ? [{ rule, ...rate, ...how }] : [];
  }

  #known(name: string, rules: readonly AddressRule[], now: number): Denial | undefined {
    for (const limit of rules) {
      const waitMs = (this.#refusals.get(`${name}/${limit.rule}`) ?? 0) - now;
      // Whom a rule has counted already it does not count again: only the object knows.
      if (waitMs > 0 && limit.once === undefined) return this.#deny(limit, waitMs);
    }
    return undefined;
  }

  async #answer(ask: AskAddress, name: string, what: AddressAsk): Promise<AddressAnswer | undefined> {
    this.state.asked++;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS);
    });
    try {
      return await Promise.race([ask(name, what), late]);
    } catch (error) {
      this.#restUntil = this.clock() + COOL_DOWN_MS;
      console.error("An address could not be asked about:", error);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  #windowsOf(name: string): AddressWindows {
    const windows = this.#own.get(name) ?? new AddressWindows();
    this.#own.delete(name);
    this.#own.set(name, windows);
    for (const oldest of this.#own.keys()) {
      if (this.#own.size <= MAX_OWN) break;
      this.#own.delete(oldest);
    }
    return windows;
  }

  #remember(key: string, until: number): void {
    this.#refusals.delete(key);
    this.#refusals.set(key, until);
    for (const oldest of this.#refusals.keys()) {
      if (this.#refusals.size <= MAX_REFUSALS) return;
      this.#refusals.delete(oldest);
    }
  }

  #deny({ rule, count, perMs }: AddressRule, retryAfterMs: number): Denial {
    this.state.refused++;
    const { what } = addressRates[rule as AddressRuleName];
    const reason = `Too many ${what} from this address (${rule}: ${count} in ${perMs / 1000} s); come back in ${(retryAfterMs / 1000).toFixed(1)} s.`;
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
