import type { BoardRules } from "../store/board-registry";
import { periodKey } from "../store/periods";
import { BoardCache, type CacheParts } from "./board-cache";
import { seasonsKind, standingKind, topKey, topKind } from "./cache-kinds";
import { CircuitBreaker } from "./circuit-breaker";
import { Invalidations } from "./invalidations";
import { PlatformCache } from "./platform-cache";

/** Absent where there is no Cache API, and reached for when first needed: not before there is a request. */
const platformCache = new PlatformCache(() => (typeof caches === "undefined" ? undefined : caches.default));
const parts: CacheParts = {
  invalidations: new Invalidations(),
  breaker: new CircuitBreaker(),
  platformCache,
};

/**
 * What this process knows of boards. A page of a hundred is some 9,000 characters, a player's place with fifty around 3,500: at the
 * most all of it comes to some thirty megabytes of the 128 that a process has.
 */
export const boardCaches = {
  top: new BoardCache(topKind, { entries: 1_000, chars: 4_000_000 }, parts),
  standing: new BoardCache(standingKind, { entries: 5_000, chars: 4_000_000 }, parts),
  seasons: new BoardCache(seasonsKind, { entries: 1, chars: 1_000_000 }, parts),
  platformCache,

  /**
   * What is held of a board is no longer the newest: whoever asks here from now on waits for what is. The platform's cache can
   * delete what has a known key and no more, so the first pages go, and everything else there is known to be old here.
   */
  invalidate(board: string, pageKeys: readonly string[], now: number): Promise<unknown> {
    parts.invalidations.invalidate(board, now);
    return Promise.all(pageKeys.map((key) => platformCache.remove(key)));
  },
} as const;

/** Of a board's present periods: what the platform's cache can be told to forget. */
export function firstPageKeys({ periods, timeZone }: BoardRules, board: string, now: number): string[] {
  return periods
    .filter((periodKind) => periodKind !== "season")
    .map((periodKind) => topKey(board, periodKey(periodKind, now, timeZone)));
}
