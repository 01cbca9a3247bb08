import type { BoardRules } from "../../boards/board-book";
import { periodKey } from "../../boards/periods";
import { AnswerCache, type Common } from "./answer-cache";
import { seasonsAnswer, standingAnswer, topAnswer, topKey } from "./answer-kinds";
import { BoardNews } from "./board-news";
import { DatabaseRest } from "./database-rest";
import { PlatformCache } from "./platform-cache";

/** Absent where there is no Cache API, and reached for when first needed: not before there is a request. */
const shared = new PlatformCache(() => (typeof caches === "undefined" ? undefined : caches.default));
const common: Common = { news: new BoardNews(), rest: new DatabaseRest(), shared };

/**
 * What this process knows of boards. A page of a hundred is some 9,000 characters, a player's place with fifty around 3,500: at the
 * most all of it comes to some thirty megabytes of the 128 that a process has.
 */
export const boardAnswers = {
  top: new AnswerCache(topAnswer, { entries: 1_000, chars: 4_000_000 }, common),
  standing: new AnswerCache(standingAnswer, { entries: 5_000, chars: 4_000_000 }, common),
  seasons: new AnswerCache(seasonsAnswer, { entries: 1, chars: 1_000_000 }, common),
  shared,

  /**
   * What is held of a board is no longer the newest: whoever asks here from now on waits for what is. The platform's cache can
   * delete what has a known key and no more, so the first pages go, and everything else there is known to be old here.
   */
  outdate(board: string, firstPages: readonly string[], now: number): Promise<unknown> {
    common.news.tell(board, now);
    return Promise.all(firstPages.map((key) => shared.remove(key)));
  },
} as const;

/** Of a board's present periods: what the platform's cache can be told to forget. */
export function firstPages({ periods, timeZone }: BoardRules, board: string, now: number): string[] {
  return periods
    .filter((sort) => sort !== "season")
    .map((sort) => topKey(board, periodKey(sort, now, timeZone)));
}
