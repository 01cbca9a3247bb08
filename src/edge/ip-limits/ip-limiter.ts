import { withDeadline } from "../../lib/deadline";
import { keyedId } from "../../lib/ids";
import { KeyedCircuitBreaker } from "../../lib/keyed-circuit-breaker";
import { LruMap } from "../../lib/lru";
import { closeCodes } from "../../protocol/codes";
import type { Rate } from "../../protocol/rates";
import { type AddressRuleName, addressRates } from "../../protocol/rates";
import type { EdgeRejection } from "../edge-rejection";
import { type IpHash, joinHashes, networkHash, objectName, UNKNOWN_IP } from "./ip-hash";
import {
  type AddressWindow,
  type IpLimitRequest,
  type IpLimitResult,
  type IpLimitRule,
  IpWindows,
} from "./ip-windows";
import { networkOf } from "./normalize-ip";

export type IpLimits = Readonly<Record<AddressRuleName, Rate | null>>;

/** Asks the object that keeps the windows of an address; rejects where it cannot be reached. */
export type IpLimitsCall = (ipHash: IpHash, request: IpLimitRequest) => Promise<IpLimitResult>;

/** The longest that anybody waits for the answer. */
const DEADLINE_MS = 1_000;
/** After a failure nobody asks that object for so long: it costs each process one wait, not each socket. */
const REST_MS = 2_000;
/** So many objects resting at once are an outage, and no object is asked. */
const OUTAGE_AT = 4;
/** Refusals remembered in this process, a hundred bytes each: the oldest goes first. */
const MAX_REJECTIONS = 10_000;
/** Addresses and networks of which this process keeps windows of its own, a few KiB each. */
const MAX_LOCAL_WINDOWS = 1_000;

export interface IpLimiterState {
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
export class IpLimiter {
  readonly #rejections = new LruMap<string, number>(MAX_REJECTIONS);
  readonly #localWindows = new IpWindows(0, MAX_LOCAL_WINDOWS);
  readonly #rest = new KeyedCircuitBreaker(REST_MS, OUTAGE_AT);
  readonly state: IpLimiterState = { asked: 0, refused: 0, unanswered: 0 };

  constructor(
    private readonly config: { limits: IpLimits; networkLimits: IpLimits },
    private readonly callObject: IpLimitsCall | undefined,
    private readonly secret: string | undefined,
    private readonly clock: () => number = Date.now,
  ) {}

  /** Without a secret there is no hash that nobody could undo, and so no address is kept. */
  async hashIp(ip: string | undefined): Promise<IpHash | undefined> {
    if (ip === undefined || this.secret === undefined) return undefined;
    const own = await keyedId(`address:${ip}`, this.secret);
    const network = networkOf(ip);
    return network === undefined ? own : joinHashes(await keyedId(`network:${network}`, this.secret), own);
  }

  /** Counts against all of these rules, or denies. `look`: only whether they would. */
  async consume(
    ipHash: IpHash | undefined,
    rules: readonly { rule: AddressRuleName; once?: string; always?: true }[],
    peek: readonly AddressRuleName[] = [],
  ): Promise<EdgeRejection | undefined> {
    const name = ipHash ?? UNKNOWN_IP;
    const request: IpLimitRequest = {
      consume: rules.flatMap(({ rule, ...how }) => this.#activeRules(name, rule, how)),
      peek: peek.flatMap((rule) => this.#activeRules(name, rule)),
    };
    const all = [...request.consume, ...request.peek];
    if (!this.callObject || all.length === 0) return undefined;
    const now = this.clock();
    const remembered = this.#recallRejection(name, all, now);
    if (remembered) return remembered;
    const shared = this.#rest.isOpen(objectName(name), now)
      ? undefined
      : await this.#callObject(this.callObject, name, request);
    if (!shared) this.state.unanswered++;
    // What the object has counted is counted here too, for the time when it cannot be asked.
    const counted: IpLimitRequest =
      shared && !shared.ok ? { consume: request.consume.filter(({ always }) => always), peek: [] } : request;
    const local = this.#localWindows.check(counted, this.clock()).answer;
    const answer = shared ?? local;
    if (!answer.ok)
      this.#rejections.set(refusalKey(answer.of, answer.rule), this.clock() + answer.retryAfterMs);
    return this.#judge(name, all, answer);
  }

  /** Counts by what this process alone sees of the address, and asks nobody: for what costs less than asking. */
  consumeLocally(ipHash: IpHash | undefined, rule: AddressRuleName): EdgeRejection | undefined {
    const name = ipHash ?? UNKNOWN_IP;
    const consume = this.callObject ? this.#activeRules(name, rule) : [];
    return this.#judge(name, consume, this.#localWindows.check({ consume, peek: [] }, this.clock()).answer);
  }

  #activeRules(
    address: IpHash,
    rule: AddressRuleName,
    how: { once?: string; always?: true } = {},
  ): IpLimitRule[] {
    const { limits, networkLimits } = this.config;
    const network = networkHash(address);
    const own = limits[rule];
    const wide = network === undefined ? null : networkLimits[rule];
    const windows: AddressWindow[] = [];
    if (own) windows.push({ of: address, ...own });
    if (wide && network !== undefined) windows.push({ of: network, ...wide });
    return windows.length === 0 ? [] : [{ rule, windows, ...how }];
  }

  #recallRejection(name: IpHash, rules: readonly IpLimitRule[], now: number): EdgeRejection | undefined {
    for (const { rule, windows, once } of rules) {
      // Whom a rule has counted already it does not count again: only the object knows.
      if (once !== undefined) continue;
      for (const window of windows) {
        const waitMs = (this.#rejections.peek(refusalKey(window.of, rule)) ?? 0) - now;
        if (waitMs > 0) return this.#reject(name, rule, window, waitMs);
      }
    }
    return undefined;
  }

  #judge(name: IpHash, rules: readonly IpLimitRule[], answer: IpLimitResult): EdgeRejection | undefined {
    if (answer.ok) return undefined;
    const { rule, of, retryAfterMs } = answer;
    const asked = rules.flatMap((one) => (one.rule === rule ? one.windows : []));
    const window = asked.find((one) => one.of === of);
    return window && this.#reject(name, rule, window, retryAfterMs);
  }

  async #callObject(
    callObject: IpLimitsCall,
    name: string,
    request: IpLimitRequest,
  ): Promise<IpLimitResult | undefined> {
    this.state.asked++;
    const object = objectName(name);
    try {
      const work = callObject(name, request);
      const answer = await withDeadline(work, DEADLINE_MS, "The object of an address did not answer");
      this.#rest.recordSuccess(object);
      return answer;
    } catch (error) {
      this.#rest.recordFailure(object, this.clock());
      console.error("An address could not be asked about:", error);
      return undefined;
    }
  }

  #reject(
    name: IpHash,
    rule: string,
    { of, count, perMs }: AddressWindow,
    retryAfterMs: number,
  ): EdgeRejection {
    this.state.refused++;
    const { what } = addressRates[rule as AddressRuleName];
    const where = of === name ? "address" : "network";
    const message = `Too many ${what} from this ${where} (${rule}: ${count} in ${perMs / 1000} s); come back in ${(retryAfterMs / 1000).toFixed(1)} s.`;
    return {
      closeCode: closeCodes.tooMuch,
      status: 429,
      code: "rate_limited",
      message,
      retryAfterMs,
      info: { rule, limit: { count, perMs } },
    };
  }
}

function refusalKey(of: string, rule: string): string {
  return `${of}/${rule}`;
}
