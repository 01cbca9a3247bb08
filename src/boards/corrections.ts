import { and, desc, eq, gt, lt, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { writeStatements } from "./apply-statements";
import type { BoardAddress } from "./board-address";
import type { BoardRules } from "./board-book";
import { CHANGES } from "./change-sql";
import { problemWithContent } from "./database-errors";
import type { DealtRow, Place } from "./deal";
import { correctionRequests, corrections } from "./schema";

/** A line of the log: who changed whose points on which ranking, from what to what, and why. */
export type Correction = typeof corrections.$inferSelect;

/** What is to become of a player's points. `add`: whatever awards come meanwhile count as well. */
export type HandMove =
  | { what: "set"; points: number; tie?: number }
  | { what: "add"; points: number }
  | { what: "remove" };

export interface Wanted {
  address: BoardAddress;
  /** Stored keys; absent: every one in which the player stands, which only `remove` may ask. */
  periods?: readonly string[];
  user: string;
  move: HandMove;
  by: string;
  reason: string;
  request?: CorrectionRequest;
}

/** An id of the caller's, under which a correction is made once, and a print of all that it asks. */
export interface CorrectionRequest {
  id: string;
  print: string;
}

export type CorrectionResult =
  | { ok: true; corrections: Correction[] }
  | { ok: false; why: "unknown" | "refused" | "duplicate"; message: string };

/**
 * Changes points by the statements that batches are written with, and logs each ranking's change in the same transaction:
 * spans, versions and the order stay right, and what the log says is what was changed. Neither a ban nor the most a day
 * stands in its way. Whoever is set to a score reached it now.
 */
export async function correct(db: D1Database, wanted: Wanted, now: number): Promise<CorrectionResult> {
  const { address, user, move, by, reason, request } = wanted;
  const periods = wanted.periods ?? (await periodsOf(db, address.board, user));
  const name = await nameOf(db, user);
  if (name === undefined && move.what !== "remove") {
    return refuse("unknown", "Nobody of that id has scored on any board.");
  }
  const { rules } = address;
  const turn = turnOf(rules.order);
  const places = periods.map((period) => placeOf(address, period, move.what));
  const row: DealtRow = [0, user, name ?? "", ...columns(move, rules), now, now, 0, 1];
  const what = [JSON.stringify([row]), JSON.stringify(places), now, address.room ?? ""];
  const log = db.prepare(LOG).bind(...what, by, reason, turn);
  try {
    const results = await db.batch<Correction>([
      ...(request ? [db.prepare(BEGIN).bind(by, request.id, request.print, now)] : []),
      ...writeStatements(db, { room: address.room ?? "", rows: [row], places, now }, { log: [log] }),
      ...(request ? [db.prepare(END).bind(by, request.id)] : []),
    ]);
    return { ok: true, corrections: results.flatMap((result) => result.results) };
  } catch (error) {
    // The same request came twice at once, and the other one was first.
    const made = request && /UNIQUE constraint failed: correction_requests/.test(String(error));
    const before = made ? await findMade(db, by, request) : undefined;
    if (before) return before;
    const problem = problemWithContent(error);
    if (problem === undefined) throw error;
    return refuse("refused", problem);
  }
}

/** What a request with an id has already changed; nothing where none of that id was carried out. */
export async function findMade(
  db: D1Database,
  by: string,
  { id, print }: CorrectionRequest,
): Promise<CorrectionResult | undefined> {
  const made = await drizzle(db)
    .select()
    .from(correctionRequests)
    .where(and(eq(correctionRequests.by, by), eq(correctionRequests.id, id)))
    .get();
  if (!made) return undefined;
  if (made.print !== print) {
    return refuse(
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

/** The newest first, from before one on. */
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

/** Where a change by hand goes: to this ranking and no other, past the most a day. */
export function placeOf({ board, rules }: BoardAddress, period: string, what: HandMove["what"]): Place {
  const combine = ({ set: "last", add: "sum", remove: "remove" } as const)[what];
  const tieTurn = rules.tie === undefined ? 0 : turnOf(rules.tie);
  return [0, board, period, combine, turnOf(rules.order), tieTurn, null, rules.name, 0];
}

export function turnOf(order: "highest" | "lowest"): 1 | -1 {
  return order === "highest" ? -1 : 1;
}

/** Without a tie the one that stands is left as it is. */
function columns(move: HandMove, { tie }: BoardRules): [points: number, tie: number | null] {
  switch (move.what) {
    case "set":
      return [move.points, tie === undefined ? 0 : (move.tie ?? null)];
    case "add":
      return [move.points, 0];
    case "remove":
      return [0, 0];
  }
}

async function periodsOf(db: D1Database, board: string, user: string): Promise<string[]> {
  const { results } = await db
    .prepare(
      `select r.period from rankings r cross join scores s on s.ranking = r.id and s.user = ?2 where r.board = ?1`,
    )
    .bind(board, user)
    .all<{ period: string }>();
  return results.map(({ period }) => period);
}

/** An erased player has none. */
async function nameOf(db: D1Database, user: string): Promise<string | undefined> {
  const name = await db.prepare("select name from players where user = ?1").bind(user).first<string>("name");
  return name || undefined;
}

function refuse(why: "unknown" | "refused" | "duplicate", message: string): CorrectionResult {
  return { ok: false, why, message };
}

/** Fails the transaction where the request was carried out before. */
const BEGIN = `
insert into correction_requests (by, id, print, at, after, up_to)
select ?1, ?2, ?3, ?4, newest, newest from (select coalesce(max(id), 0) as newest from corrections)`;

const END = `
update correction_requests set up_to = (select coalesce(max(id), 0) from corrections) where by = ?1 and id = ?2`;

/** ?7 turns points back to how they are told; the sum keeps −0 out. */
const LOG = `
insert into corrections (at, by, board, period, user, before, after, reason)
with ${CHANGES}
select ?3, ?5, r.board, r.period, change.user, case when not is_new then ?7 * old_score end,
  case when not is_gone then ?7 * score end, ?6
from change join rankings r on r.id = change.ranking
where true
returning *`;
