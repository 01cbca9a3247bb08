import type { SlidingWindow } from "../../lib/sliding-window";
import { PENALTY_MS } from "../../protocol/rates";

/** No feature's rule: those have a dot in their names. One stamp each time somebody had to be closed for too much. */
export const PENALTY = "offence";
const { first, most, rememberedMs } = PENALTY_MS;

/** How long old ones are kept; how many there may be is bounded by the pauses themselves. */
export const PENALTY_RATE = { count: 1, perMs: rememberedMs };

/** How long these have to stay away yet, each doubled with every offence within the hour; 0 is not at all. */
export function penaltyMs(windows: SlidingWindow, offenders: readonly string[], now: number): number {
  return Math.max(
    0,
    ...offenders.map((offender) => {
      const stamps = windows.since(PENALTY, offender, now - rememberedMs);
      const newest = stamps.at(-1);
      if (newest === undefined) return 0;
      return newest + Math.min(most, first * 2 ** (stamps.length - 1)) - now;
    }),
  );
}

/** Whose windows a user's deeds count against: a guest's address too, so that a new guest is no new window. */
export function windowKeys(user: string, from: string | undefined): string[] {
  return from === undefined ? [user] : [user, addressKey(from)];
}

/** No user's id holds U+0000: nobody is called like an address. */
export function addressKey(from: string): string {
  return `\0${from}`;
}
