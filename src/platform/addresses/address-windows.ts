import { RoomClock } from "../../room/clock";
import type { Rate } from "../../room/settings";
import { SlidingWindow } from "../../room/sliding-window";

/** What is asked of an address before somebody from there is let on. */
export interface AddressAsk {
  /** Counted if all rules allow it. */
  take: readonly AddressRule[];
  /** Only looked at. */
  look: readonly AddressRule[];
}

export interface AddressRule extends Rate {
  rule: string;
  /** Counts once for as long as the window is wide: the same guest who comes back is no other guest. */
  once?: string;
  /** Counts although another rule refuses: who was refused entry has knocked all the same. */
  always?: true;
}

export type AddressAnswer = { ok: true } | { ok: false; rule: string; retryAfterMs: number };

/** What has to be stored of one ask: a stamp a rule. */
export type Stamp = [rule: string, at: number, perMs: number, once?: string];

/**
 * Leaves no room in a window for as long as it is wide. Twice the count is allowed for that once: a window that was full already,
 * and whose oldest are about to age, would refuse it all and soon be open.
 */
export function filling(rule: AddressRule): AddressAsk {
  return { take: Array.from({ length: rule.count }, () => ({ ...rule, count: rule.count * 2 })), look: [] };
}

/** The windows of one address: the same sliding window as a room's, for all that an address may do. */
export class AddressWindows {
  readonly #windows = new SlidingWindow();
  /** Whom a rule has counted, and until when that holds; one for each stamp in the window at most. */
  readonly #once = new Map<string, number>();
  readonly #clock: RoomClock;

  constructor(newestAt = 0) {
    this.#clock = new RoomClock(newestAt);
  }

  /** A rule does not count what it refuses: asking again does not lengthen its wait. */
  ask({ take, look }: AddressAsk, machineNow: number): { answer: AddressAnswer; stamps: Stamp[] } {
    this.#clock.read(machineNow);
    const { now } = this.#clock;
    const wanted = take.filter(({ rule, once }) => !this.#isCounted(rule, once, now));
    const waits = new Map<AddressRule, number>();
    for (const asked of [...wanted, ...look]) {
      const waitMs = Math.ceil(this.#windows.wait(asked.rule, "", asked, now));
      if (waitMs > 0) waits.set(asked, waitMs);
    }
    const stamps = wanted
      .filter((asked) => waits.size === 0 || (asked.always && !waits.has(asked)))
      .map(({ rule, perMs, once }): Stamp => (once ? [rule, now, perMs, once] : [rule, now, perMs]));
    for (const stamp of stamps) this.restore(stamp);
    // The longest of them, so that nobody is told to come back only to be refused by another rule.
    const [longest] = [...waits].sort(([, a], [, b]) => b - a);
    if (!longest) return { answer: { ok: true }, stamps };
    return {
      answer: {
        ok: false,
        rule: longest[0].rule,
        retryAfterMs: Math.ceil(this.#clock.machineMs(longest[1])),
      },
      stamps,
    };
  }

  /** Also what was stored: the same step brings a window to life and back to it. */
  restore([rule, at, perMs, once]: Stamp): void {
    this.#windows.stamp(rule, "", at);
    if (once === undefined) return;
    this.#once.delete(`${rule}\0${once}`);
    this.#once.set(`${rule}\0${once}`, at + perMs);
  }

  /** For tests: what it holds. */
  get size(): number {
    return this.#windows.stampCount + this.#once.size;
  }

  #isCounted(rule: string, once: string | undefined, now: number): boolean {
    for (const [key, until] of this.#once) {
      if (until > now) break;
      this.#once.delete(key);
    }
    return once !== undefined && (this.#once.get(`${rule}\0${once}`) ?? 0) > now;
  }
}
