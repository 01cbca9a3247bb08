import { withDeadline } from "../../lib/deadline";
import { keyedId } from "../../lib/ids";
import { type IpHash, joinHashes, networkHash } from "../../lib/ip-hash";
import { KeyedCircuitBreaker } from "../../lib/keyed-circuit-breaker";
import { LruMap } from "../../lib/lru";
import { closeCodes } from "../../protocol/codes";
import type { Rate } from "../../protocol/rates";
import { type AddressRuleName, addressRates } from "../../protocol/rates";
import type { EdgeRejection } from "../edge-rejection";
import { objectName, UNKNOWN_IP } from "./ip-hash";
import {
  type AddressWindow,
  type IpLimitRequest,
  type IpLimitResult,
  type IpLimitRule,
  IpWindows,
} from "./ip-windows";
import { networkOf } from "./normalize-ip";

export type IpLimits = Readonly<Record<AddressRuleName, Rate | null>>;

/** Calls the object with the windows of an address. Rejects if it cannot be reached. */
export type IpLimitsCall = (ipHash: IpHash, request: IpLimitRequest) => Promise<IpLimitResult>;

/** The longest that a request waits for that object. */
const DEADLINE_MS = 1_000;
/** After a failure the object is not called for this long, so that each process waits once and not each socket. */
const REST_MS = 2_000;
/** This many failing objects are an outage, and then no object is called. */
const OUTAGE_AT = 4;
/** Rejections that this process remembers, a hundred bytes each. The oldest is dropped first. */
const MAX_REJECTIONS = 10_000;
/** Addresses and networks that this process keeps windows for, a few KiB each. */
const MAX_LOCAL_WINDOWS = 1_000;

export interface IpLimiterState {
  asked: number;
  refused: number;
  /** Decided by this process alone, because the object did not answer in time or is full. */
  unanswered: number;
}

/**
 * Applies the limits per client address. If an object does not answer, the windows of this process decide, so that an outage keeps
 * no one out (docs/decisions/0012-ip-limits.md). A rejection is remembered until its wait is over: a flood is rejected
 * from memory, and wakes no object.
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

  /** `undefined` without a secret: an unkeyed hash could be reversed by trying all addresses. */
  async hashIp(ip: string | undefined): Promise<IpHash | undefined> {
    if (ip === undefined || this.secret === undefined) return undefined;
    const own = await keyedId(`address:${ip}`, this.secret);
    const network = networkOf(ip);
    return network === undefined ? own : joinHashes(await keyedId(`network:${network}`, this.secret), own);
  }

  /** Counts one use against all of these rules, or returns the rejection. `peek`: rules that are checked and not counted. */
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
    const isCounted = shared !== undefined && !(shared.ok && shared.isFull);
    if (!isCounted) this.state.unanswered++;
    // Counted here as well, for the time when the object does not answer.
    const counted: IpLimitRequest =
      shared && !shared.ok ? { consume: request.consume.filter(({ always }) => always), peek: [] } : request;
    const local = this.#localWindows.check(counted, this.clock()).answer;
    const answer = isCounted ? shared : local;
    if (!answer.ok)
      this.#rejections.set(refusalKey(answer.of, answer.rule), this.clock() + answer.retryAfterMs);
    return this.#judge(name, all, answer);
  }

  /** Counts in this process alone. For requests that cost less than a call of the object. */
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
      // Only the object knows whether this use was counted before, and so is allowed.
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
      const work = () => callObject(name, request);
      const answer = await withDeadline(work, DEADLINE_MS, "The object of an address did not answer");
      this.#rest.recordSuccess(object);
      return answer;
    } catch (error) {
      this.#rest.recordFailure(object, this.clock());
      console.error("The object of an address could not be reached:", error);
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
