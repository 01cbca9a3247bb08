import { applyBatch } from "../../boards/apply-batch";
import type { BoardBook } from "../../boards/board-book";
import type { BatchAnswer } from "../../protocol/batch";
import { boardsFed } from "../../protocol/board-names";
import { boardAnswers, firstPages } from "../answers/held-answers";
import type { ErrandHandler } from "../errands";
import { counts } from "../watch/counts";
import { type AskedBatch, batchOf } from "./batch-errand";

/** Where a room's batches go on Cloudflare: into D1, in process. */
export function databaseSink(db: D1Database, book: BoardBook): ErrandHandler {
  return async (_, ask) => writeBatch(db, book, batchOf(ask), Date.now());
}

/** Applies a batch here, counts what became of it, and lets nobody be told here what its boards were before. */
export async function writeBatch(
  db: D1Database,
  book: BoardBook,
  batch: AskedBatch,
  now: number,
): Promise<BatchAnswer> {
  try {
    const answer = await applyBatch(db, book, batch, now);
    counts.database.add({ for: "batch", outcome: "ok" });
    counts.batches.add({ outcome: answer.applied ? "applied" : answer.reason });
    if (answer.applied) counts.refusedPlayers.add({}, answer.refused.length);
    await outdateBoards(book, batch, now);
    return answer;
  } catch (error) {
    counts.database.add({ for: "batch", outcome: "failed" });
    counts.batches.add({ outcome: "failed" });
    throw error;
  }
}

/** Where a batch was applied, its boards are read anew at once; elsewhere when they have been held long enough. */
export async function outdateBoards(
  book: BoardBook,
  { room, ownOnly }: Pick<AskedBatch, "room" | "ownOnly">,
  now = Date.now(),
): Promise<void> {
  const kind = room.slice(0, room.indexOf("/"));
  const fed = book.all
    .filter((one) => one.kind === kind)
    .flatMap((rules) => boardsFed(rules, room, ownOnly === true).map((board) => ({ rules, board })));
  await Promise.all(
    fed.map(({ rules, board }) => boardAnswers.outdate(board, firstPages(rules, board, now), now)),
  );
}
