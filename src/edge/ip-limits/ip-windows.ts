import { MonotonicClock } from "../../lib/monotonic-clock";
import { SlidingWindow } from "../../lib/sliding-window";
import type { Rate } from "../../protocol/rates";

/** The rules that one request of an address is checked against. */
export interface IpLimitRequest {
  /** Counted if every rule allows it. */
  consume: readonly IpLimitRule[];
  /** Checked and not counted. */
  peek: readonly IpLimitRule[];
}

export interface IpLimitRule {
  rule: string;
  /** The windows of the address and of its network. A use counts in both or in neither. */
  windows: readonly AddressWindow[];
  /** Uses under the same key count once per width of the window: a guest who returns is not another guest. */
  once?: string;
  /** Counts even if another rule rejects: a rejected attempt to connect is still an attempt. */
  always?: true;
}

export interface AddressWindow extends Rate {
  /** The hash of an address or of a network. */
  of: string;
}

/** `isFull`: the object has no memory to count this use, so the caller decides by its own windows. */
export type IpLimitResult =
  | { ok: true; isFull?: true }
  | { ok: false; rule: string; of: string; retryAfterMs: number };

/** What is stored of one use: a stamp per window. */
export type Stamp = [of: string, rule: string, at: number, perMs: number, once?: string];

/**
 * Fills a window, so that it rejects for its whole width. It allows twice the count, because a window that is full of stamps about to
 * age would otherwise reject these uses and soon be open.
 */
export function exhaust(rule: string, { of, count, perMs }: AddressWindow): IpLimitRequest {
  const one: IpLimitRule = { rule, windows: [{ of, count: count * 2, perMs }] };
  return { consume: Array.from({ length: count }, () => one), peek: [] };
}

/** The recent uses of one address or network. */
interface Counted {
  windows: SlidingWindow;
  /** The keys (`once`) that a rule has counted, and until when. At most one for each stamp in the window. */
  once: Map<string, number>;
}

/** The sliding windows of many addresses. */
export class IpWindows {
  readonly #counted = new Map<string, Counted>();
  /** By rule: how long its stamps are kept. */
  readonly #rates = new Map<string, Rate>();
  readonly #clock: MonotonicClock;

  constructor(
    newestAt = 0,
    /** The most addresses and networks. Past it, the one unused for longest is dropped. */
    private readonly most = Number.POSITIVE_INFINITY,
  ) {
    this.#clock = new MonotonicClock(newestAt);
  }

  /** A rule does not count what it rejects, so trying again does not lengthen the wait. */
  check(
    { consume, peek }: IpLimitRequest,
    machineNow: number,
    /** Counts nothing. */
    isFull = false,
  ): { answer: IpLimitResult; stamps: Stamp[] } {
    this.#clock.read(machineNow);
    const { now } = this.#clock;
    const uncounted = consume.map((limit) => ({
      asked: limit,
      windows: limit.windows.filter(({ of }) => !this.#isCounted(of, limit, now)),
    }));
    const refusing = new Set<IpLimitRule>();
    // The longest wait, so that a client who waits is not then rejected by another rule.
    let longest: { rule: string; of: string; retryAfterMs: number } | undefined;
    for (const { asked: limit, windows } of [
      ...uncounted,
      ...peek.map((limit) => ({ asked: limit, windows: limit.windows })),
    ]) {
      for (const window of windows) {
        const waitMs = Math.ceil(this.#wait(window, limit.rule, now));
        if (waitMs <= 0) continue;
        refusing.add(limit);
        if (waitMs > (longest?.retryAfterMs ?? 0)) {
          longest = { rule: limit.rule, of: window.of, retryAfterMs: waitMs };
        }
      }
    }
    const stamps = (isFull ? [] : uncounted)
      .filter(({ asked: limit }) => refusing.size === 0 || (limit.always && !refusing.has(limit)))
      .flatMap(({ asked: { rule, once }, windows }) =>
        windows.map(({ of, perMs }): Stamp => (once ? [of, rule, now, perMs, once] : [of, rule, now, perMs])),
      );
    for (const stamp of stamps) this.restore(stamp);
    if (!longest) return { answer: { ok: true }, stamps };
    const retryAfterMs = Math.ceil(this.#clock.machineMs(longest.retryAfterMs));
    return { answer: { ok: false, ...longest, retryAfterMs }, stamps };
  }

  /** Adds a stamp: a new one, or one from storage. */
  restore([of, rule, at, perMs, once]: Stamp): void {
    const counted = this.#of(of);
    counted.windows.stamp(rule, "", at);
    this.#keep(rule, perMs);
    if (once === undefined) return;
    const key = `${rule}\0${once}`;
    counted.once.delete(key);
    counted.once.set(key, at + perMs);
  }

  /** Drops what has aged, so that memory follows recent use. */
  sweep(): void {
    const { now } = this.#clock;
    for (const [of, { windows, once }] of this.#counted) {
      windows.sweep(this.#rates, now);
      dropEnded(once, now);
      if (windows.size === 0 && once.size === 0) this.#counted.delete(of);
    }
  }

  /** For tests: the number of stamps and keys. */
  get size(): number {
    let size = 0;
    for (const { windows, once } of this.#counted.values()) size += windows.stampCount + once.size;
    return size;
  }

  #wait({ of, ...rate }: AddressWindow, rule: string, now: number): number {
    this.#keep(rule, rate.perMs);
    return this.#counted.get(of)?.windows.wait(rule, "", rate, now) ?? 0;
  }

  #of(of: string): Counted {
    const counted = this.#counted.get(of) ?? { windows: new SlidingWindow(), once: new Map() };
    this.#counted.delete(of);
    this.#counted.set(of, counted);
    const [oldest] = this.#counted.keys();
    if (oldest !== undefined && this.#counted.size > this.most) this.#counted.delete(oldest);
    return counted;
  }

  /** Keeps the widest window of a rule: an address's may be narrower than its network's. */
  #keep(rule: string, perMs: number): void {
    if (perMs > (this.#rates.get(rule)?.perMs ?? 0)) this.#rates.set(rule, { count: 0, perMs });
  }

  #isCounted(of: string, { rule, once }: IpLimitRule, now: number): boolean {
    const counted = this.#counted.get(of);
    if (!counted) return false;
    dropEnded(counted.once, now);
    return once !== undefined && (counted.once.get(`${rule}\0${once}`) ?? 0) > now;
  }
}

/** The entries are in the order in which they end. */
function dropEnded(once: Map<string, number>, now: number): void {
  for (const [key, until] of once) {
    if (until > now) return;
    once.delete(key);
  }
}
