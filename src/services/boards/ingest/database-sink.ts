import type { EffectHandler } from "../../../lib/effect-handler";
import type { BatchAnswer } from "../../../protocol/batch";
import { boardsFed } from "../../../protocol/board-names";
import { boardCaches, firstPageKeys } from "../cache/caches";
import { boardCounters } from "../counters";
import { applyBatch, type ReceivedBatch } from "../store/apply-batch";
import type { BoardRegistry } from "../store/board-registry";
import { parseBatch } from "./batch-effect";

/** Writes the batches of rooms on Cloudflare to D1, in process. */
export function createDatabaseSink(db: D1Database, registry: BoardRegistry): EffectHandler {
  return async (_, request) => writeBatch(db, registry, parseBatch(request), Date.now());
}

/** Applies a batch, counts the outcome, and invalidates what this process has cached of its boards. */
export async function writeBatch(
  db: D1Database,
  registry: BoardRegistry,
  batch: ReceivedBatch,
  now: number,
): Promise<BatchAnswer> {
  try {
    const answer = await applyBatch(db, registry, batch, now);
    boardCounters.database.add({ for: "batch", outcome: "ok" });
    boardCounters.batches.add({ outcome: answer.applied ? "applied" : answer.reason });
    if (answer.applied) boardCounters.rejectedPlayers.add({}, answer.refused.length);
    await invalidateFedBoards(registry, batch, now);
    return answer;
  } catch (error) {
    boardCounters.database.add({ for: "batch", outcome: "failed" });
    boardCounters.batches.add({ outcome: "failed" });
    throw error;
  }
}

/** The process that applied a batch reads its boards again at once. Other processes do so when their copy expires. */
export async function invalidateFedBoards(
  registry: BoardRegistry,
  { room, ownOnly }: Pick<ReceivedBatch, "room" | "ownOnly">,
  now = Date.now(),
): Promise<void> {
  const kind = room.slice(0, room.indexOf("/"));
  const fed = registry.all
    .filter((one) => one.kind === kind)
    .flatMap((rules) => boardsFed(rules, room, ownOnly === true).map((board) => ({ rules, board })));
  await Promise.all(
    fed.map(({ rules, board }) => boardCaches.invalidate(board, firstPageKeys(rules, board, now), now)),
  );
}
