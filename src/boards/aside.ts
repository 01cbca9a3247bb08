import { and, asc, eq, gt, isNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { writeStatements } from "./apply-statements";
import { bansOf, EVERYWHERE } from "./bans";
import type { BoardBook } from "./board-book";
import { problemWithContent } from "./database-errors";
import { deal } from "./deal";
import { setAside } from "./schema";

/** An entry that waits to be mended and applied, or was. */
export type AsideEntry = typeof setAside.$inferSelect;

export type AsideResult =
  | { ok: true; entry: AsideEntry }
  | { ok: false; why: "unknown" | "applied" | "refused"; message: string };

export function listAside(
  db: D1Database,
  after: number,
  limit: number,
  withApplied: boolean,
): Promise<AsideEntry[]> {
  return drizzle(db)
    .select()
    .from(setAside)
    .where(and(gt(setAside.id, after), withApplied ? undefined : isNull(setAside.appliedAt)))
    .orderBy(asc(setAside.id))
    .limit(limit);
}

export async function findAside(db: D1Database, id: number): Promise<AsideEntry | undefined> {
  return drizzle(db).select().from(setAside).where(eq(setAside.id, id)).get();
}

/**
 * Writes one entry, as it is kept or as it was mended, and marks it, as one transaction: however often this is asked, and
 * by however many at once, it counts once. An entry that is refused again stays as it was.
 */
export async function applyAside(
  db: D1Database,
  book: BoardBook,
  id: number,
  mended: unknown,
  now: number,
): Promise<AsideResult> {
  const kept = await findAside(db, id);
  if (!kept) return refuse("unknown", `Nothing was set aside under the number ${id}.`);
  if (kept.appliedAt !== null) return alreadyApplied(id);
  const entry: unknown = mended === undefined ? JSON.parse(kept.entry) : mended;
  const { entries, places, rejected } = deal(
    { room: kept.room, entries: [entry], ...(kept.ownOnly ? { ownOnly: true as const } : {}) },
    book,
  );
  const [bad] = rejected;
  if (bad) return refuse("refused", bad.reason);
  const rows = entries.map(({ row }) => row);
  const users = rows.map(([, user]) => user);
  if ((await bansOf(db, users, [EVERYWHERE, kept.room], now)).length > 0) {
    return refuse("refused", "That player is banned: nothing would be written.");
  }
  try {
    await db.batch([
      // Left null where somebody else was first, which fails the transaction.
      db
        .prepare(
          "update set_aside set at = case when applied_at is null then at end, applied_at = ?2, entry = ?3 where id = ?1",
        )
        .bind(id, now, JSON.stringify(entry)),
      ...writeStatements(db, { room: kept.room, rows, places, now }),
    ]);
  } catch (error) {
    if (/NOT NULL constraint failed: set_aside\.at\b/.test(String(error))) return alreadyApplied(id);
    const problem = problemWithContent(error);
    if (problem === undefined) throw error;
    return refuse("refused", problem);
  }
  return { ok: true, entry: { ...kept, entry: JSON.stringify(entry), appliedAt: now } };
}

function alreadyApplied(id: number): AsideResult {
  return refuse("applied", `Number ${id} was applied already.`);
}

function refuse(why: "unknown" | "applied" | "refused", message: string): AsideResult {
  return { ok: false, why, message };
}
