import { and, asc, eq, gt, isNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { EVERYWHERE, findBans } from "../../bans/store";
import { writeStatements } from "./apply-statements";
import type { BoardRegistry } from "./board-registry";
import { describeContentProblem } from "./database-errors";
import { planBatch } from "./plan-batch";
import { deadLetters } from "./schema";

/** An entry that waits to be mended and applied, or was. */
export type DeadLetter = typeof deadLetters.$inferSelect;

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
 * Writes one entry, as it is kept or as it was mended, and marks it, as one transaction: however often this is asked, and
 * by however many at once, it counts once. An entry that is refused again stays as it was.
 */
export async function applyDeadLetter(
  db: D1Database,
  registry: BoardRegistry,
  id: number,
  corrected: unknown,
  now: number,
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
  if ((await findBans(db, users, [EVERYWHERE, letter.room], now)).length > 0) {
    return reject("refused", "That player is banned: nothing would be written.");
  }
  try {
    await db.batch([
      // Left null where somebody else was first, which fails the transaction.
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
