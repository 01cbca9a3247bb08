import { and, asc, eq, gt, isNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { writeStatements } from "./apply-statements";
import type { BoardRegistry } from "./board-registry";
import { describeContentProblem } from "./database-errors";
import { planBatch } from "./plan-batch";
import { deadLetters } from "./schema";

/** An entry that waits to be corrected and applied, or was applied. */
export type DeadLetter = typeof deadLetters.$inferSelect;

/** Whether any of these users is banned from a room (`kind/id`) or everywhere. */
export type AreBanned = (users: readonly string[], room: string, now: number) => Promise<boolean>;

export type DeadLetterResult =
  | { ok: true; entry: DeadLetter }
  | { ok: false; why: "unknown" | "applied" | "refused"; message: string };

export function listDeadLetters(
  db: D1Database,
  after: number,
  limit: number,
  withApplied: boolean,
): Promise<DeadLetter[]> {
  return drizzle(db)
    .select()
    .from(deadLetters)
    .where(and(gt(deadLetters.id, after), withApplied ? undefined : isNull(deadLetters.appliedAt)))
    .orderBy(asc(deadLetters.id))
    .limit(limit);
}

export async function findDeadLetter(db: D1Database, id: number): Promise<DeadLetter | undefined> {
  return drizzle(db).select().from(deadLetters).where(eq(deadLetters.id, id)).get();
}

/**
 * Writes one entry, as it is stored or as it was corrected, and marks it as applied, in one transaction. It counts once,
 * however many requests apply it at the same time. An entry that is rejected again is not changed.
 */
export async function applyDeadLetter(
  db: D1Database,
  registry: BoardRegistry,
  id: number,
  corrected: unknown,
  now: number,
  areBanned: AreBanned,
): Promise<DeadLetterResult> {
  const letter = await findDeadLetter(db, id);
  if (!letter) return reject("unknown", `Nothing was set aside under the number ${id}.`);
  if (letter.appliedAt !== null) return alreadyApplied(id);
  const entry: unknown = corrected === undefined ? JSON.parse(letter.entry) : corrected;
  const { entries, targets, rejected } = planBatch(
    { room: letter.room, entries: [entry], ...(letter.ownOnly ? { ownOnly: true as const } : {}) },
    registry,
  );
  const [bad] = rejected;
  if (bad) return reject("refused", bad.reason);
  const rows = entries.map(({ row }) => row);
  const users = rows.map(([, user]) => user);
  if (await areBanned(users, letter.room, now)) {
    return reject("refused", "That player is banned: nothing would be written.");
  }
  try {
    await db.batch([
      // Null if another request was first, which fails the transaction.
      db
        .prepare(
          "update set_aside set at = case when applied_at is null then at end, applied_at = ?2, entry = ?3 where id = ?1",
        )
        .bind(id, now, JSON.stringify(entry)),
      ...writeStatements(db, { room: letter.room, rows, targets, now }),
    ]);
  } catch (error) {
    if (/NOT NULL constraint failed: set_aside\.at\b/.test(String(error))) return alreadyApplied(id);
    const problem = describeContentProblem(error);
    if (problem === undefined) throw error;
    return reject("refused", problem);
  }
  return { ok: true, entry: { ...letter, entry: JSON.stringify(entry), appliedAt: now } };
}

function alreadyApplied(id: number): DeadLetterResult {
  return reject("applied", `Number ${id} was applied already.`);
}

function reject(why: "unknown" | "applied" | "refused", message: string): DeadLetterResult {
  return { ok: false, why, message };
}
