import { applyBatch } from "../boards/apply-batch";
import { type BoardBook, boardsFed } from "../boards/board-book";
import { boardAnswers } from "./answer-cache";
import { type AskedBatch, batchOf } from "./batch-errand";
import type { ErrandHandler } from "./errands";

/** Where a room's batches go on Cloudflare: into D1, in process. */
export function databaseSink(db: D1Database, book: BoardBook): ErrandHandler {
  return async (_, ask) => {
    const batch = batchOf(ask);
    const answer = await applyBatch(db, book, batch, Date.now());
    outdateBoards(book, batch);
    return answer;
  };
}

/** Where a batch was applied, its boards are read anew at once; elsewhere when they have been held long enough. */
export function outdateBoards(book: BoardBook, { room, ownOnly }: AskedBatch): void {
  const kind = room.slice(0, room.indexOf("/"));
  for (const rules of book.all.filter((one) => one.kind === kind)) {
    for (const board of boardsFed(rules, room, ownOnly === true)) boardAnswers.outdate(`${board}\n`);
  }
}
