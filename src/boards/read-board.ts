import { bannedSql } from "./change-sql";
import { key, keyBackwards, type Place, sought } from "./rank-order";

/** One ranking as it is asked for, with how its numbers are to be turned back. */
export interface Ranking {
  board: string;
  period: string;
  /** Whose bans hide players here besides those everywhere: the room whose own board it is. */
  room?: string;
  turn: 1 | -1;
}

export interface Ranked {
  rank: number;
  user: string;
  name: string;
  points: number;
}
export interface Page {
  version: number;
  updatedAt: number | null;
  /** Each with its place, behind which a next page may begin. */
  entries: (Ranked & { place: Place })[];
  hasMore: boolean;
}
export interface Standing {
  rank: number;
  of: number;
  points: number;
  name: string;
  around: Ranked[];
}

interface Row {
  user: string;
  name: string;
  score: number;
  tie: number;
  reached_at: number;
  reached_seq: number;
}
interface Count {
  total: number | null;
  before: number | null;
  hidden: number;
  hidden_before: number;
}

/** One call, so that what it tells is of one moment. With `after` the ranks before are counted, else they are none. */
export async function readPage(
  db: D1Database,
  ranking: Ranking,
  { limit, after }: { limit: number; after?: Place },
  now: number,
): Promise<Page> {
  const asked = [ranking.board, ranking.period, ranking.room ?? "everywhere", now];
  const [head, rows, count] = await db.batch([
    db.prepare(HEAD).bind(ranking.board, ranking.period),
    after
      ? db.prepare(pageSql(`and (${key("s")}) > (?6, ?7, ?8, ?9, ?10)`)).bind(...asked, limit + 1, ...after)
      : db.prepare(pageSql("")).bind(...asked, limit + 1),
    ...(after ? [db.prepare(countSql(`select ?5, ?6, ?7, ?8, ?9`)).bind(...asked, ...after)] : []),
  ]);
  const first = one<{ version: number; updated_at: number }>(head);
  const found = many<Row>(rows);
  const shown = found.slice(0, limit);
  // A cursor names the last that was shown: who stands before the next one is those before it, and it.
  const before = after ? shownBefore(one<Count>(count)) : 0;
  return {
    version: first?.version ?? 0,
    updatedAt: first?.updated_at ?? null,
    entries: shown.map((row, at) => ({ ...told(row, before + at + 1, ranking.turn), place: placeOf(row) })),
    hasMore: found.length > limit,
  };
}

/** A player's rank, how many there are, and who stands around; nothing for whoever is not ranked, or hidden. */
export async function readStanding(
  db: D1Database,
  ranking: Ranking,
  user: string,
  around: number,
  now: number,
): Promise<Standing | undefined> {
  const asked = [ranking.board, ranking.period, ranking.room ?? "everywhere", now];
  const mine = `select ${key("s")} from scores s where s.ranking = (${RANKING}) and s.user = ?5`;
  const [own, count, above, below] = await db.batch([
    db
      .prepare(
        `select s.* from scores s where s.ranking = (${RANKING}) and s.user = ?5 and not ${bannedSql("s.user", "?3", "?4")}`,
      )
      .bind(...asked, user),
    db.prepare(countSql(mine)).bind(...asked, user),
    db.prepare(neighboursSql(mine, "<", keyBackwards("s"))).bind(...asked, user, around),
    db.prepare(neighboursSql(mine, ">", key("s"))).bind(...asked, user, around),
  ]);
  const me = one<Row>(own);
  const counted = one<Count>(count);
  if (!me || !counted) return undefined;
  const rank = shownBefore(counted);
  const rows = [...many<Row>(above).reverse(), me, ...many<Row>(below)];
  const first = rank - many(above).length;
  return {
    rank,
    of: (counted.total ?? 0) - counted.hidden,
    points: pointsOf(me, ranking.turn),
    name: me.name,
    around: rows.map((row, at) => told(row, first + at, ranking.turn)),
  };
}

const RANKING = "select id from rankings where board = ?1 and period = ?2";
const HEAD = "select version, updated_at from rankings where board = ?1 and period = ?2";

function pageSql(behind: string): string {
  return `select s.* from scores s
    where s.ranking = (${RANKING}) ${behind} and not ${bannedSql("s.user", "?3", "?4")}
    order by ${key("s")} limit ?5`;
}

/** Compared with columns, not with a sub-select: only so does SQLite seek in the index instead of reading the ranking. */
function neighboursSql(place: string, side: "<" | ">", order: string): string {
  return `select s.* from (${place}) as at cross join scores s
    where s.ranking = (${RANKING}) and (${key("s")}) ${side} (${sought("at")})
      and not ${bannedSql("s.user", "?3", "?4")}
    order by ${order} limit ?6`;
}

/**
 * How many stand at or before a place, and in all: the spans before its own, and a count within that one. The banned among
 * them are counted by themselves, through the bans in force.
 */
function countSql(place: string): string {
  return `
with at (${key()}) as (${place}),
home as (
  select ${key("x")} from spans x, at
  where x.ranking = (${RANKING}) and (${key("x")}) <= (${sought("at")})
  order by ${keyBackwards("x")} limit 1
),
summed as (
  select sum(players) as total, sum(players) filter (where (${key("spans")}) < (select ${key()} from home)) as before
  from spans where ranking = (${RANKING})
),
hidden as (
  select count(*) as total, count(*) filter (where (${key("s")}) <= (select ${key()} from at)) as before
  from (
    select user from bans where scope = 'everywhere' and (until_ms is null or until_ms > ?4)
    union
    select user from bans where scope = ?3 and (until_ms is null or until_ms > ?4)
  ) as b cross join scores s on s.ranking = (${RANKING}) and s.user = b.user
)
select summed.total, hidden.total as hidden, hidden.before as hidden_before,
  coalesce(summed.before, 0) + (
    select count(*) from home cross join at cross join scores s where s.ranking = (${RANKING})
      and (${key("s")}) >= (${sought("home")}) and (${key("s")}) <= (${sought("at")})
  ) as before
from summed, hidden`;
}

function shownBefore(count: Count | undefined): number {
  return (count?.before ?? 0) - (count?.hidden_before ?? 0);
}

function told(row: Row, rank: number, turn: 1 | -1): Ranked {
  return { rank, user: row.user, name: row.name, points: pointsOf(row, turn) };
}

/** Without the −0 that turning a 0 makes. */
function pointsOf({ score }: Row, turn: 1 | -1): number {
  return score === 0 ? 0 : turn * score;
}

function placeOf(row: Row): Place {
  return [row.score, row.tie, row.reached_at, row.reached_seq, row.user];
}

function one<T>(result: D1Result | undefined): T | undefined {
  return many<T>(result)[0];
}

function many<T>(result: D1Result | undefined): T[] {
  return (result?.results ?? []) as T[];
}
