import type { Batch, BatchAnswer } from "../../../protocol/batch";
import {
  type BoardWrite,
  deadLetterStatements,
  failStatement,
  receiptStatement,
  sweepStatement,
  writeStatements,
} from "./apply-statements";
import { bisect } from "./bisect";
import type { BoardRegistry } from "./board-registry";
import { describeContentProblem, isOutOfStep } from "./database-errors";
import { type PlannedEntry, planBatch, type RejectedEntry } from "./plan-batch";

/** How long the receipt of a closed epoch is kept, so that batches in flight are recognised as duplicates. */
const CLOSED_RECEIPT_MS = 86_400_000;

/** A batch whose envelope was validated. Its entries are validated one by one. */
export type ReceivedBatch = Omit<Batch, "entries"> & { entries: readonly unknown[] };

/**
 * Writes a batch once, in one transaction: receipt, scores and dead letters. Rejects only if D1 failed (a time-out, overload, a
 * missing table). Then nothing was written, and the same batch may come again.
 */
export async function applyBatch(
  db: D1Database,
  registry: BoardRegistry,
  batch: ReceivedBatch,
  now: number,
): Promise<BatchAnswer> {
  const { entries, targets, rejected } = planBatch(batch, registry);
  const writing = (some: readonly PlannedEntry[]): BoardWrite => ({
    room: batch.room,
    rows: some.map(({ row }) => row),
    targets,
    now,
  });
  const first = await tryBatch(db, batch, writing(entries), rejected);
  if (first.answer) return first.answer;

  // D1 will never accept the batch as it is. Other writes may change meanwhile which entries fail, so this may take several rounds.
  const deadLetters = [...rejected];
  let remaining = entries;
  let { problem } = first;
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const { good, bad } = await bisect(remaining, problem, (some) => tryEntries(db, writing(some)));
    remaining = good;
    deadLetters.push(...bad.map(({ item, reason }) => ({ entry: item.entry, reason })));
    const again = await tryBatch(db, batch, writing(remaining), deadLetters);
    if (again.answer) return again.answer;
    problem = again.problem;
  }
  throw new Error(`Could not isolate the failing entries of batch ${batch.n} of ${batch.room}: ${problem}`);
}

const MAX_ROUNDS = 3;

/** The answer, or D1's error about the content. */
async function tryBatch(
  db: D1Database,
  batch: ReceivedBatch,
  writing: BoardWrite,
  rejected: readonly RejectedEntry[],
): Promise<{ answer: BatchAnswer } | { answer?: undefined; problem: string }> {
  try {
    const [receipt] = await db.batch<{ refused: string }>([
      receiptStatement(db, writing, batch),
      ...writeStatements(db, writing),
      ...deadLetterStatements(db, batch, rejected, writing.now),
      sweepStatement(db, writing.now - CLOSED_RECEIPT_MS),
    ]);
    return { answer: { applied: true, refused: parseRejectedUsers(receipt?.results[0]?.refused) } };
  } catch (error) {
    if (isOutOfStep(error)) return { answer: await answerFromReceipt(db, batch) };
    const problem = describeContentProblem(error);
    if (problem === undefined) throw error;
    return { problem };
  }
}

async function answerFromReceipt(db: D1Database, { room, epoch, n }: ReceivedBatch): Promise<BatchAnswer> {
  const receipt = await db
    .prepare("select n, refused from receipts where room = ?1 and epoch = ?2")
    .bind(room, epoch)
    .first<{ n: number; refused: string }>();
  if (receipt?.n === n)
    return { applied: false, reason: "duplicate", refused: parseRejectedUsers(receipt.refused) };
  return { applied: false, reason: "gap", expected: (receipt?.n ?? 0) + 1 };
}

/** D1's error about these entries, if any. Nothing is written either way. */
async function tryEntries(db: D1Database, writing: BoardWrite): Promise<string | undefined> {
  try {
    await db.batch([...writeStatements(db, writing), failStatement(db)]);
  } catch (error) {
    if (isOutOfStep(error)) return undefined;
    const problem = describeContentProblem(error);
    if (problem === undefined) throw error;
    return problem;
  }
  throw new Error("A trial was committed, because its last statement did not fail.");
}

function parseRejectedUsers(json: string | undefined): string[] {
  const users: unknown = JSON.parse(json ?? "[]");
  return Array.isArray(users) ? users.map(String) : [];
}
