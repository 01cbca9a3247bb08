import type { BoardRules } from "../store/board-registry";
import { periodKey } from "../store/periods";
import { BoardCache, type CacheParts } from "./board-cache";
import { seasonsKind, standingKind, topKey, topKind } from "./cache-kinds";
import { CircuitBreaker } from "./circuit-breaker";
import { Invalidations } from "./invalidations";
import { PlatformCache } from "./platform-cache";

/** Absent without a Cache API. Opened on first use, because the runtime allows it only within a request. */
const platformCache = new PlatformCache(() => (typeof caches === "undefined" ? undefined : caches.default));
const parts: CacheParts = {
  invalidations: new Invalidations(),
  breaker: new CircuitBreaker(),
  platformCache,
};

/**
 * The caches of this process. A page of a hundred entries is about 9,000 characters, a standing with fifty neighbours 3,500. All
 * of it takes at most about thirty of the 128 megabytes of a process.
 */
export const boardCaches = {
  top: new BoardCache(topKind, { entries: 1_000, chars: 4_000_000 }, parts),
  standing: new BoardCache(standingKind, { entries: 5_000, chars: 4_000_000 }, parts),
  seasons: new BoardCache(seasonsKind, { entries: 1, chars: 1_000_000 }, parts),
  platformCache,

  /**
   * Marks everything cached of a board as stale, so that the next request waits for a fresh read. The platform's cache can only
   * delete known keys, so its first pages are deleted, and this process ignores its other entries.
   */
  invalidate(board: string, pageKeys: readonly string[], now: number): Promise<unknown> {
    parts.invalidations.invalidate(board, now);
    return Promise.all(pageKeys.map((key) => platformCache.remove(key)));
  },
} as const;

/** The keys of the first pages of a board's current periods, which the platform's cache can delete. */
export function firstPageKeys({ periods, timeZone }: BoardRules, board: string, now: number): string[] {
  return periods
    .filter((periodKind) => periodKind !== "season")
    .map((periodKind) => topKey(board, periodKey(periodKind, now, timeZone)));
}
