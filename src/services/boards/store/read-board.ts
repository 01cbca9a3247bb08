import { bannedSql, bannedUsersSql } from "../../bans/contract";
import { indexedTuple, keyColumns, keyColumnsDescending, type RankKey } from "./rank-order";

/** The ranking to read, and the sign that turns stored scores into points. */
export interface Ranking {
  board: string;
  period: string;
  /** For a room's own board: the room, whose bans hide players in addition to bans everywhere. */
  room?: string;
  sign: 1 | -1;
}

export interface RankedPlayer {
  rank: number;
  user: string;
  name: string;
  points: number;
}
export interface BoardPage {
  version: number;
  updatedAt: number | null;
  /** Each with its position, after which the next page can start. */
  entries: (RankedPlayer & { place: RankKey })[];
  hasMore: boolean;
}
export interface PlayerStanding {
  rank: number;
  of: number;
  points: number;
  name: string;
  around: RankedPlayer[];
}

interface ScoreRow {
  user: string;
  name: string;
  score: number;
  tie: number;
  reached_at: number;
  reached_seq: number;
}
interface RankCount {
  total: number | null;
  before: number | null;
  hidden: number;
  hidden_before: number;
}

/** One call, so that the result is consistent. With `after`, the ranks before it are counted. */
export async function readPage(
  db: D1Database,
  ranking: Ranking,
  { limit, after }: { limit: number; after?: RankKey },
  now: number,
): Promise<BoardPage> {
  const params = [ranking.board, ranking.period, ranking.room ?? "everywhere", now];
  const [head, rows, count] = await db.batch([
    db.prepare(HEAD).bind(ranking.board, ranking.period),
    after
      ? db
          .prepare(pageSql(`and (${keyColumns("s")}) > (?6, ?7, ?8, ?9, ?10)`))
          .bind(...params, limit + 1, ...after)
      : db.prepare(pageSql("")).bind(...params, limit + 1),
    ...(after ? [db.prepare(countSql(`select ?5, ?6, ?7, ?8, ?9`)).bind(...params, ...after)] : []),
  ]);
  const first = firstRow<{ version: number; updated_at: number }>(head);
  const found = allRows<ScoreRow>(rows);
  const shown = found.slice(0, limit);
  // A cursor is the position of the last shown player, who is counted too.
  const before = after ? countShownBefore(firstRow<RankCount>(count)) : 0;
  return {
    version: first?.version ?? 0,
    updatedAt: first?.updated_at ?? null,
    entries: shown.map((row, at) => ({
      ...toRankedPlayer(row, before + at + 1, ranking.sign),
      place: toRankKey(row),
    })),
    hasMore: found.length > limit,
  };
}

/** A player's rank, the number of players, and the neighbours. `undefined` if the player is not ranked, or hidden by a ban. */
export async function readStanding(
  db: D1Database,
  ranking: Ranking,
  user: string,
  around: number,
  now: number,
): Promise<PlayerStanding | undefined> {
  const params = [ranking.board, ranking.period, ranking.room ?? "everywhere", now];
  const ownKeySql = `select ${keyColumns("s")} from scores s where s.ranking = (${RANKING}) and s.user = ?5`;
  const [own, count, above, below] = await db.batch([
    db
      .prepare(
        `select s.* from scores s where s.ranking = (${RANKING}) and s.user = ?5 and not ${bannedSql("s.user", "?3", "?4")}`,
      )
      .bind(...params, user),
    db.prepare(countSql(ownKeySql)).bind(...params, user),
    db.prepare(neighboursSql(ownKeySql, "<", keyColumnsDescending("s"))).bind(...params, user, around),
    db.prepare(neighboursSql(ownKeySql, ">", keyColumns("s"))).bind(...params, user, around),
  ]);
  const me = firstRow<ScoreRow>(own);
  const counted = firstRow<RankCount>(count);
  if (!me || !counted) return undefined;
  const rank = countShownBefore(counted);
  const rows = [...allRows<ScoreRow>(above).reverse(), me, ...allRows<ScoreRow>(below)];
  const first = rank - allRows(above).length;
  return {
    rank,
    of: (counted.total ?? 0) - counted.hidden,
    points: toPoints(me, ranking.sign),
    name: me.name,
    around: rows.map((row, at) => toRankedPlayer(row, first + at, ranking.sign)),
  };
}

const RANKING = "select id from rankings where board = ?1 and period = ?2";
const HEAD = "select version, updated_at from rankings where board = ?1 and period = ?2";

function pageSql(behind: string): string {
  return `select s.* from scores s
    where s.ranking = (${RANKING}) ${behind} and not ${bannedSql("s.user", "?3", "?4")}
    order by ${keyColumns("s")} limit ?5`;
}

/** Compares with columns and not with a sub-select, because only then does SQLite seek in the index. */
function neighboursSql(keySql: string, side: "<" | ">", order: string): string {
  return `select s.* from (${keySql}) as at cross join scores s
    where s.ranking = (${RANKING}) and (${keyColumns("s")}) ${side} (${indexedTuple("at")})
      and not ${bannedSql("s.user", "?3", "?4")}
    order by ${order} limit ?6`;
}

/**
 * Counts the players at or before a position, and all players: the spans before its own span, and a count within that one. The
 * banned players are counted separately, through the bans in force.
 */
function countSql(keySql: string): string {
  return `
with at (${keyColumns()}) as (${keySql}),
home as (
  select ${keyColumns("x")} from spans x, at
  where x.ranking = (${RANKING}) and (${keyColumns("x")}) <= (${indexedTuple("at")})
  order by ${keyColumnsDescending("x")} limit 1
),
summed as (
  select sum(players) as total, sum(players) filter (where (${keyColumns("spans")}) < (select ${keyColumns()} from home)) as before
  from spans where ranking = (${RANKING})
),
hidden as (
  select count(*) as total, count(*) filter (where (${keyColumns("s")}) <= (select ${keyColumns()} from at)) as before
  from (
    ${bannedUsersSql("?3", "?4")}
  ) as b cross join scores s on s.ranking = (${RANKING}) and s.user = b.user
)
select summed.total, hidden.total as hidden, hidden.before as hidden_before,
  coalesce(summed.before, 0) + (
    select count(*) from home cross join at cross join scores s where s.ranking = (${RANKING})
      and (${keyColumns("s")}) >= (${indexedTuple("home")}) and (${keyColumns("s")}) <= (${indexedTuple("at")})
  ) as before
from summed, hidden`;
}

function countShownBefore(count: RankCount | undefined): number {
  return (count?.before ?? 0) - (count?.hidden_before ?? 0);
}

function toRankedPlayer(row: ScoreRow, rank: number, sign: 1 | -1): RankedPlayer {
  return { rank, user: row.user, name: row.name, points: toPoints(row, sign) };
}

/** Avoids −0. */
function toPoints({ score }: ScoreRow, sign: 1 | -1): number {
  return score === 0 ? 0 : sign * score;
}

function toRankKey(row: ScoreRow): RankKey {
  return [row.score, row.tie, row.reached_at, row.reached_seq, row.user];
}

function firstRow<T>(result: D1Result | undefined): T | undefined {
  return allRows<T>(result)[0];
}

function allRows<T>(result: D1Result | undefined): T[] {
  return (result?.results ?? []) as T[];
}
