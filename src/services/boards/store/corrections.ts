import { and, desc, eq, gt, lt, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { writeStatements } from "./apply-statements";
import type { BoardRules } from "./board-registry";
import { CHANGES } from "./change-sql";
import { describeContentProblem } from "./database-errors";
import type { EntryRow, RankingTarget } from "./plan-batch";
import { sortSign } from "./rank-order";
import type { ResolvedBoard } from "./resolve";
import { correctionRequests, corrections } from "./schema";

/** A row of the log of corrections. */
export type Correction = typeof corrections.$inferSelect;

/** The change of a player's points. `add` keeps awards that come meanwhile. */
export type CorrectionMove =
  | { what: "set"; points: number; tie?: number }
  | { what: "add"; points: number }
  | { what: "remove" };

export interface CorrectionRequest {
  resolved: ResolvedBoard;
  /** Stored period keys. Absent: all periods in which the player has a score, for `remove` only. */
  periods?: readonly string[];
  user: string;
  move: CorrectionMove;
  by: string;
  reason: string;
  key?: CorrectionKey;
}

/** The caller's idempotency key, and a fingerprint of the request it was used for. */
export interface CorrectionKey {
  id: string;
  print: string;
}

export type CorrectionResult =
  | { ok: true; corrections: Correction[] }
  | { ok: false; why: "unknown" | "refused" | "duplicate"; message: string };

/**
 * Changes points with the statements that write batches, and logs the change of each ranking in the same transaction, so that
 * spans, versions and order stay correct and the log is exact. Bans and daily caps do not apply. A score that is set counts as
 * reached now.
 */
export async function applyCorrection(
  db: D1Database,
  request: CorrectionRequest,
  now: number,
): Promise<CorrectionResult> {
  const { resolved, user, move, by, reason, key } = request;
  const periods = request.periods ?? (await listRankedPeriods(db, resolved.board, user));
  const name = await findName(db, user);
  if (name === undefined && move.what !== "remove") {
    return reject("unknown", "No player with that id has scored on any board.");
  }
  const { rules } = resolved;
  const sign = sortSign(rules.order);
  const targets = periods.map((period) => toTarget(resolved, period, move.what));
  const row: EntryRow = [0, user, name ?? "", ...moveColumns(move, rules), now, now, 0, 1];
  const params = [JSON.stringify([row]), JSON.stringify(targets), now, resolved.room ?? ""];
  const log = db.prepare(LOG_CORRECTION).bind(...params, by, reason, sign);
  try {
    const results = await db.batch<Correction>([
      ...(key ? [db.prepare(BEGIN).bind(by, key.id, key.print, now)] : []),
      ...writeStatements(db, { room: resolved.room ?? "", rows: [row], targets, now }, { log: [log] }),
      ...(key ? [db.prepare(END).bind(by, key.id)] : []),
    ]);
    return { ok: true, corrections: results.flatMap((result) => result.results) };
  } catch (error) {
    // The same request came twice at the same time, and the other one was first.
    const made = key && /UNIQUE constraint failed: correction_requests/.test(String(error));
    const before = made ? await findMade(db, by, key) : undefined;
    if (before) return before;
    const problem = describeContentProblem(error);
    if (problem === undefined) throw error;
    return reject("refused", problem);
  }
}

/** The result of an earlier request with this key, if any. */
export async function findMade(
  db: D1Database,
  by: string,
  { id, print }: CorrectionKey,
): Promise<CorrectionResult | undefined> {
  const made = await drizzle(db)
    .select()
    .from(correctionRequests)
    .where(and(eq(correctionRequests.by, by), eq(correctionRequests.id, id)))
    .get();
  if (!made) return undefined;
  if (made.print !== print) {
    return reject(
      "duplicate",
      "This id was used for another correction. Give each correction an id of its own.",
    );
  }
  const lines = await drizzle(db)
    .select()
    .from(corrections)
    .where(and(gt(corrections.id, made.after), lte(corrections.id, made.upTo)))
    .orderBy(corrections.id);
  return { ok: true, corrections: lines };
}

/** Newest first, before one id. */
export function listCorrections(
  db: D1Database,
  { user, board, before, limit }: { user?: string; board?: string; before?: number; limit: number },
): Promise<Correction[]> {
  return drizzle(db)
    .select()
    .from(corrections)
    .where(
      and(
        user === undefined ? undefined : eq(corrections.user, user),
        board === undefined ? undefined : eq(corrections.board, board),
        before === undefined ? undefined : lt(corrections.id, before),
      ),
    )
    .orderBy(desc(corrections.id))
    .limit(limit);
}

/** The target of a correction: this ranking only, without the daily cap. */
export function toTarget(
  { board, rules }: ResolvedBoard,
  period: string,
  what: CorrectionMove["what"],
): RankingTarget {
  const combine = ({ set: "last", add: "sum", remove: "remove" } as const)[what];
  const tieSign = rules.tie === undefined ? 0 : sortSign(rules.tie);
  return [0, board, period, combine, sortSign(rules.order), tieSign, null, rules.name, 0];
}

/** Without a tie the stored one stays. */
function moveColumns(move: CorrectionMove, { tie }: BoardRules): [points: number, tie: number | null] {
  switch (move.what) {
    case "set":
      return [move.points, tie === undefined ? 0 : (move.tie ?? null)];
    case "add":
      return [move.points, 0];
    case "remove":
      return [0, 0];
  }
}

async function listRankedPeriods(db: D1Database, board: string, user: string): Promise<string[]> {
  const { results } = await db
    .prepare(
      `select r.period from rankings r cross join scores s on s.ranking = r.id and s.user = ?2 where r.board = ?1`,
    )
    .bind(board, user)
    .all<{ period: string }>();
  return results.map(({ period }) => period);
}

/** `undefined` for a player who was erased or has never scored. */
async function findName(db: D1Database, user: string): Promise<string | undefined> {
  const name = await db.prepare("select name from players where user = ?1").bind(user).first<string>("name");
  return name || undefined;
}

function reject(why: "unknown" | "refused" | "duplicate", message: string): CorrectionResult {
  return { ok: false, why, message };
}

/** Fails the transaction if the request was carried out before. */
const BEGIN = `
insert into correction_requests (by, id, print, at, after, up_to)
select ?1, ?2, ?3, ?4, newest, newest from (select coalesce(max(id), 0) as newest from corrections)`;

const END = `
update correction_requests set up_to = (select coalesce(max(id), 0) from corrections) where by = ?1 and id = ?2`;

/** ?7 is the sign that turns stored scores into points. */
const LOG_CORRECTION = `
insert into corrections (at, by, board, period, user, before, after, reason)
with ${CHANGES}
select ?3, ?5, r.board, r.period, change.user, case when not is_new then ?7 * old_score end,
  case when not is_gone then ?7 * score end, ?6
from change join rankings r on r.id = change.ranking
where true
returning *`;
