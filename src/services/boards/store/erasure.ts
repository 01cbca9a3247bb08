import { COUNT_BANS_OF_USER, ERASE_FROM_BANS } from "../../bans/contract";
import { INNER_SPANS, writeStatements } from "./apply-statements";
import type { EntryRow, RankingTarget } from "./plan-batch";
import { indexedTuple, keyColumns } from "./rank-order";

/** The most rankings that one transaction removes a user from. */
const RANKINGS_PER_TRANSACTION = 500;
/** No batch is in flight for longer than this. */
export const ERASED_MS = 90 * 86_400_000;

export interface ErasureResult {
  /** The number of rankings that the user was removed from. */
  rankings: number;
  /** The stored names of the boards that have changed. */
  boards: string[];
  /** The number of dead letters that were deleted. */
  aside: number;
  /** The number of bans that remain. */
  bans: number;
}

/**
 * Erases a user. The erasure and its time are stored first, so that no batch in flight brings the user back. Repeating it
 * continues where it stopped. What stays: that note, bans without their reason, and the log of corrections without the user.
 */
export async function eraseUser(db: D1Database, user: string, now: number): Promise<ErasureResult> {
  const [, aside] = await db.batch([
    db
      .prepare(
        `insert into players (user, name, at, erased_at) values (?1, '', ?2, ?2)
         on conflict (user) do update set name = '', at = ?2, erased_at = ?2`,
      )
      .bind(user, now),
    db.prepare("delete from set_aside where entry ->> '$.user' = ?1").bind(user),
    ...ERASE_FROM_BANS.map((sql) => db.prepare(sql).bind(user)),
    // No user id is empty.
    db.prepare("update corrections set user = '', reason = '' where user = ?1").bind(user),
    db.prepare("update corrections set by = '' where by = ?1").bind(user),
    db.prepare("delete from correction_requests where by = ?1").bind(user),
    // Rankings that are being deleted have no counts to maintain.
    db
      .prepare("delete from scores where user = ?1 and ranking in (select id from rankings where board = '')")
      .bind(user),
  ]);
  const boards = new Set<string>();
  let rankings = 0;
  let after = 0;
  for (;;) {
    const found = await listRankings(db, user, after);
    if (found.length === 0) break;
    await db.batch(removalStatements(db, user, found, now));
    for (const { board } of found) boards.add(board);
    rankings += found.length;
    after = found.at(-1)?.id ?? after;
  }
  const [, , bans] = await db.batch<{ n: number }>([
    db.prepare(`delete from spans where user = ?1 and players = 0 and ${INNER_SPANS}`).bind(user),
    db.prepare(MOVE_SPAN_STARTS).bind(user),
    db.prepare(COUNT_BANS_OF_USER).bind(user),
  ]);
  return { rankings, boards: [...boards], aside: aside?.meta.changes ?? 0, bans: bans?.results[0]?.n ?? 0 };
}

interface NamedRanking {
  id: number;
  board: string;
  period: string;
}

/** One look-up per ranking: an index by user would cost every new score. */
async function listRankings(db: D1Database, user: string, after: number): Promise<NamedRanking[]> {
  const { results } = await db
    .prepare(
      `select r.id, r.board, r.period from rankings r cross join scores s on s.ranking = r.id and s.user = ?1
       where r.id > ?2 and r.board <> '' order by r.id limit ${RANKINGS_PER_TRANSACTION}`,
    )
    .bind(user, after)
    .all<NamedRanking>();
  return results;
}

/** Uses the statements that write batches, so that counts and versions stay correct. */
function removalStatements(
  db: D1Database,
  user: string,
  rankings: readonly NamedRanking[],
  now: number,
): D1PreparedStatement[] {
  const row: EntryRow = [0, user, "", 0, 0, now, now, 0, 1];
  const targets = rankings.map(({ board, period }): RankingTarget => {
    return [0, board, period, "remove", -1, 0, null, board, 0];
  });
  return writeStatements(db, { room: "", rows: [row], targets, now }, { log: [] });
}

/** A span that starts at the erased user starts at its first remaining player instead. Its count does not change. */
const MOVE_SPAN_STARTS = `
update spans set (${keyColumns()}) = (
  select ${keyColumns("s")} from scores s where s.ranking = spans.ranking and (${keyColumns("s")}) >= (${indexedTuple("spans")})
  order by ${keyColumns("s")} limit 1
)
where user = ?1 and players > 0 and ${INNER_SPANS}`;
