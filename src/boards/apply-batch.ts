import type { Batch, BatchAnswer } from "../protocol/batch";
import {
  failStatement,
  receiptStatement,
  setAsideStatements,
  sweepStatement,
  type Writing,
  writeStatements,
} from "./apply-statements";
import type { BoardBook } from "./board-book";
import { isOutOfStep, problemWithContent } from "./database-errors";
import { type Dealt, deal, type Rejected } from "./deal";
import { sift } from "./sift";

/** How long the receipt of an epoch that was closed stays: whatever of it is still under way comes to nothing. */
const CLOSED_RECEIPT_MS = 86_400_000;

/** The envelope as it was judged; its entries are judged one by one. */
export type ReceivedBatch = Omit<Batch, "entries"> & { entries: readonly unknown[] };

/**
 * Writes a batch once, as one transaction: receipt, scores, and what had to be set aside. Rejects only when D1 failed
 * (a time-out, overload, a missing table): then nothing was written, and the same batch may come again.
 */
export async function applyBatch(
  db: D1Database,
  book: BoardBook,
  batch: ReceivedBatch,
  now: number,
): Promise<BatchAnswer> {
  const { entries, places, rejected } = deal(batch, book);
  const writing = (some: readonly Dealt[]): Writing => ({
    room: batch.room,
    rows: some.map(({ row }) => row),
    places,
    now,
  });
  const first = await attempt(db, batch, writing(entries), rejected);
  if (first.answer) return first.answer;

  // D1 will never take it as it is. What others write meanwhile may change which entries are to blame: then once more.
  const aside = [...rejected];
  let left = entries;
  let { problem } = first;
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const { good, bad } = await sift(left, problem, (some) => trial(db, writing(some)));
    left = good;
    aside.push(...bad.map(({ item, reason }) => ({ entry: item.entry, reason })));
    const again = await attempt(db, batch, writing(left), aside);
    if (again.answer) return again.answer;
    problem = again.problem;
  }
  throw new Error(`Batch ${batch.n} of ${batch.room} could not be sifted: ${problem}`);
}

const MAX_ROUNDS = 3;

/** An answer, or what D1 says of the content. */
async function attempt(
  db: D1Database,
  batch: ReceivedBatch,
  writing: Writing,
  rejected: readonly Rejected[],
): Promise<{ answer: BatchAnswer } | { answer?: undefined; problem: string }> {
  try {
    const [receipt] = await db.batch<{ refused: string }>([
      receiptStatement(db, writing, batch),
      ...writeStatements(db, writing),
      ...setAsideStatements(db, batch, rejected, writing.now),
      sweepStatement(db, writing.now - CLOSED_RECEIPT_MS),
    ]);
    return { answer: { applied: true, refused: refusedIn(receipt?.results[0]?.refused) } };
  } catch (error) {
    if (isOutOfStep(error)) return { answer: await answerFromReceipt(db, batch) };
    const problem = problemWithContent(error);
    if (problem === undefined) throw error;
    return { problem };
  }
}

async function answerFromReceipt(db: D1Database, { room, epoch, n }: ReceivedBatch): Promise<BatchAnswer> {
  const receipt = await db
    .prepare("select n, refused from receipts where room = ?1 and epoch = ?2")
    .bind(room, epoch)
    .first<{ n: number; refused: string }>();
  if (receipt?.n === n) return { applied: false, reason: "duplicate", refused: refusedIn(receipt.refused) };
  return { applied: false, reason: "gap", expected: (receipt?.n ?? 0) + 1 };
}

/** What D1 says of these entries; nothing is written either way. */
async function trial(db: D1Database, writing: Writing): Promise<string | undefined> {
  try {
    await db.batch([...writeStatements(db, writing), failStatement(db)]);
  } catch (error) {
    if (isOutOfStep(error)) return undefined;
    const problem = problemWithContent(error);
    if (problem === undefined) throw error;
    return problem;
  }
  throw new Error("A trial was written: its last statement did not fail.");
}

function refusedIn(json: string | undefined): string[] {
  const users: unknown = JSON.parse(json ?? "[]");
  return Array.isArray(users) ? users.map(String) : [];
}
