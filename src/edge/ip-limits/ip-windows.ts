import { MonotonicClock } from "../../lib/monotonic-clock";
import { SlidingWindow } from "../../lib/sliding-window";
import type { Rate } from "../../protocol/rates";

/** What is asked of an address before somebody from there is let on. */
export interface IpLimitRequest {
  /** Counted if all rules allow it. */
  consume: readonly IpLimitRule[];
  /** Only looked at. */
  peek: readonly IpLimitRule[];
}

export interface IpLimitRule {
  rule: string;
  /** The address's own, and that of its network: it counts in each of them or in none. */
  windows: readonly AddressWindow[];
  /** Counts once for as long as the window is wide: the same guest who comes back is no other guest. */
  once?: string;
  /** Counts although another rule refuses: who was refused entry has knocked all the same. */
  always?: true;
}

export interface AddressWindow extends Rate {
  /** The hash of an address or of a network. */
  of: string;
}

export type IpLimitResult = { ok: true } | { ok: false; rule: string; of: string; retryAfterMs: number };

/** What has to be stored of one ask: a stamp a window. */
export type Stamp = [of: string, rule: string, at: number, perMs: number, once?: string];

/**
 * Leaves no room in a window for as long as it is wide. Twice the count is allowed for that once: a window that was full already,
 * and whose oldest are about to age, would refuse it all and soon be open.
 */
export function exhaust(rule: string, { of, count, perMs }: AddressWindow): IpLimitRequest {
  const one: IpLimitRule = { rule, windows: [{ of, count: count * 2, perMs }] };
  return { consume: Array.from({ length: count }, () => one), peek: [] };
}

/** What one address or network did lately. */
interface Counted {
  windows: SlidingWindow;
  /** Whom a rule has counted, and until when that holds; one for each stamp in the window at most. */
  once: Map<string, number>;
}

/** The windows of many addresses: the same sliding window as a room's, for all that an address may do. */
export class IpWindows {
  readonly #counted = new Map<string, Counted>();
  /** By rule, as last asked: how long a stamp of it is kept. */
  readonly #rates = new Map<string, Rate>();
  readonly #clock: MonotonicClock;

  constructor(
    newestAt = 0,
    /** Addresses and networks at most: past it, what was asked about longest ago is forgotten. */
    private readonly most = Number.POSITIVE_INFINITY,
  ) {
    this.#clock = new MonotonicClock(newestAt);
  }

  /** A rule does not count what it refuses: asking again does not lengthen its wait. */
  check({ consume, peek }: IpLimitRequest, machineNow: number): { answer: IpLimitResult; stamps: Stamp[] } {
    this.#clock.read(machineNow);
    const { now } = this.#clock;
    const uncounted = consume.map((limit) => ({
      asked: limit,
      windows: limit.windows.filter(({ of }) => !this.#isCounted(of, limit, now)),
    }));
    const refusing = new Set<IpLimitRule>();
    // The longest of them, so that nobody is told to come back only to be refused by another rule.
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
    const stamps = uncounted
      .filter(({ asked: limit }) => refusing.size === 0 || (limit.always && !refusing.has(limit)))
      .flatMap(({ asked: { rule, once }, windows }) =>
        windows.map(({ of, perMs }): Stamp => (once ? [of, rule, now, perMs, once] : [of, rule, now, perMs])),
      );
    for (const stamp of stamps) this.restore(stamp);
    if (!longest) return { answer: { ok: true }, stamps };
    const retryAfterMs = Math.ceil(this.#clock.machineMs(longest.retryAfterMs));
    return { answer: { ok: false, ...longest, retryAfterMs }, stamps };
  }

  /** Also what was stored: the same step brings a window to life and back to it. */
  restore([of, rule, at, perMs, once]: Stamp): void {
    const counted = this.#of(of);
    counted.windows.stamp(rule, "", at);
    this.#keep(rule, perMs);
    if (once === undefined) return;
    const key = `${rule}\0${once}`;
    counted.once.delete(key);
    counted.once.set(key, at + perMs);
  }

  /** Forgets what has aged: memory follows those who were here lately. */
  sweep(): void {
    const { now } = this.#clock;
    for (const [of, { windows, once }] of this.#counted) {
      windows.sweep(this.#rates, now);
      dropEnded(once, now);
      if (windows.size === 0 && once.size === 0) this.#counted.delete(of);
    }
  }

  /** For tests: what it holds. */
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

  /** The widest that was seen: an address's window may be narrower than its network's. */
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

/** In the order in which they end. */
function dropEnded(once: Map<string, number>, now: number): void {
  for (const [key, until] of once) {
    if (until > now) return;
    once.delete(key);
  }
}
