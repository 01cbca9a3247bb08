import { COUNT_BANS_OF_USER, ERASE_FROM_BANS } from "../../bans/contract";
import { INNER_SPANS, writeStatements } from "./apply-statements";
import type { EntryRow, RankingTarget } from "./plan-batch";
import { indexedTuple, keyColumns } from "./rank-order";

/** Rankings that one transaction takes a person off. */
const RANKINGS_PER_TRANSACTION = 500;
/** A batch that has been under way for longer than this comes no more. */
export const ERASED_MS = 90 * 86_400_000;

export interface ErasureResult {
  /** Rankings that they are no longer on. */
  rankings: number;
  /** Boards that have changed, as they are stored. */
  boards: string[];
  /** Entries that were set aside, and are no longer kept. */
  aside: number;
  /** Bans that hold on. */
  bans: number;
}

/**
 * Takes a person out of everything that rests here. First it is noted that and when, so that no batch still on its way
 * brings them back; done again it goes on where it ended. What stays: that note, bans (without the reason), the log of corrections
 * without whom they were about.
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
    // Of rankings that are being cleared away: they are counted no more.
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

/** There is no index by user, which each new score would pay for: one look a ranking. */
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

/** By the statements that batches are written with, so that counts and versions stay right. */
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

/** A span may begin with somebody who has left it: then it begins with whoever is first in it, which is as many players. */
const MOVE_SPAN_STARTS = `
update spans set (${keyColumns()}) = (
  select ${keyColumns("s")} from scores s where s.ranking = spans.ranking and (${keyColumns("s")}) >= (${indexedTuple("spans")})
  order by ${keyColumns("s")} limit 1
)
where user = ?1 and players > 0 and ${INNER_SPANS}`;
