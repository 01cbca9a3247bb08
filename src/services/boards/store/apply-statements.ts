import { byteLength } from "../../../protocol/codec";
import { MAX_POINTS } from "../../../protocol/limits";
import { bannedSql } from "../../bans/contract";
import { CHANGES, erasedSql, inSeasonSql, targetCte } from "./change-sql";
import type { EntryRow, RankingTarget, RejectedEntry } from "./plan-batch";
import { indexedTuple, keyColumns, keyColumnsDescending, ORDER } from "./rank-order";

/** What one batch writes, apart from its receipt. */
export interface BoardWrite {
  room: string;
  rows: readonly EntryRow[];
  targets: readonly RankingTarget[];
  now: number;
}

/** A span with more players is split (the schema's partial index has the same number), because a rank counts within a span … */
const MAX_SPAN = 1500;
/** … into spans of about this many. */
const SPLIT_LENGTH = 750;
/** A span with fewer players (the other partial index) is merged with the one before it, if both have no more than … */
const MIN_SPAN = 200;
/** … this many, so that the result is not split again at once. */
const MAX_MERGED_SPAN = 1000;

/** D1 refuses a parameter of 2 MB. */
const MAX_DEAD_LETTERS_BYTES = 1_000_000;
/** Enough of an invalid entry to see whose it was. Even escaped several times it fits a parameter. */
const MAX_DEAD_LETTER_CHARS = 40_000;
const MAX_REASON_CHARS = 500;

/** Excludes the two spans that bound a ranking. */
export const INNER_SPANS = `score between ${-MAX_POINTS} and ${MAX_POINTS}`;
/** Names the index, because SQLite would use the key and read every span of a ranking, a thousand at a million players. */
const TOO_FULL = `spans indexed by spans_too_full where players > ${MAX_SPAN}`;
const TOO_EMPTY = `spans indexed by spans_too_empty where players < ${MIN_SPAN}`;
const inTargetRankings = (targets: string) =>
  `ranking in (with ${targetCte(targets)} select ranking from place)`;

/**
 * The same number of statements for any number of players, because D1 charges by call and row, and a transaction blocks other
 * writers. Each statement takes its rows from one JSON parameter.
 */
export function writeStatements(
  db: D1Database,
  { room, rows, targets, now }: BoardWrite,
  correction?: { log: D1PreparedStatement[] },
): D1PreparedStatement[] {
  const rowsJson = JSON.stringify(rows);
  const targetsJson = JSON.stringify(targets);
  return [
    db.prepare(NAME_RANKINGS).bind(targetsJson, now),
    db.prepare(BOUND_RANKINGS).bind(targetsJson),
    db.prepare(NAME_PLAYERS).bind(rowsJson, now, room),
    // Logs the scores before they change.
    ...(correction?.log ?? []),
    db.prepare(COUNT_SPANS).bind(rowsJson, targetsJson, now, room),
    db.prepare(WRITE_SCORES).bind(rowsJson, targetsJson, now, room),
    // Only corrections remove a player from a ranking, so batches do not pay for this statement.
    ...(correction ? [db.prepare(REMOVE_SCORES).bind(rowsJson, targetsJson, now, room)] : []),
    db.prepare(SPLIT).bind(targetsJson),
    db.prepare(SHRINK).bind(targetsJson),
    db.prepare(MERGE).bind(targetsJson),
    db.prepare(DELETE_EMPTY).bind(targetsJson),
    db.prepare(RAISE_VERSION).bind(targetsJson, now),
  ];
}

/** Moves the receipt from n−1 to n, or fails the transaction by a null `n`. Returns the rejected users. */
export function receiptStatement(
  db: D1Database,
  { room, rows, now }: BoardWrite,
  { epoch, n, closing, entries }: { epoch: string; n: number; closing?: true; entries: readonly unknown[] },
): D1PreparedStatement {
  // The receipt of a batch with points is kept, because its retry may come at any time.
  const isOver = closing && entries.length === 0;
  return db.prepare(RECEIPT).bind(JSON.stringify(rows), epoch, now, room, n, isOver ? now : null);
}

/** One statement, or several if one parameter is too small: a release that drops a board rejects all its entries at once. */
export function deadLetterStatements(
  db: D1Database,
  batch: { room: string; epoch: string; n: number; ownOnly?: true },
  rejected: readonly RejectedEntry[],
  now: number,
): D1PreparedStatement[] {
  const all: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const one of rejected) {
    const row = deadLetterRow(one);
    bytes += byteLength(row) + 1;
    if (bytes > MAX_DEAD_LETTERS_BYTES) {
      all.push([]);
      bytes = byteLength(row);
    }
    all.at(-1)?.push(row);
  }
  const { room, epoch, n, ownOnly } = batch;
  return (all.length > 0 ? all : [[]]).map((rows) =>
    db.prepare(INSERT_DEAD_LETTERS).bind(`[${rows.join(",")}]`, room, epoch, n, ownOnly ? 1 : 0, now),
  );
}

/** JSON escapes what a database would not store unchanged: a lone surrogate, U+0000. */
function deadLetterRow({ entry, reason }: RejectedEntry): string {
  const text = JSON.stringify(entry) ?? "null";
  const whose = ownerOf(entry);
  if (text.length <= MAX_DEAD_LETTER_CHARS && !isDeep(text)) {
    return JSON.stringify([text, reason.slice(0, MAX_REASON_CHARS), ...whose]);
  }
  const beginning = JSON.stringify(text.slice(0, MAX_DEAD_LETTER_CHARS));
  return JSON.stringify([
    beginning,
    `Too large to be kept whole. ${reason}`.slice(0, MAX_REASON_CHARS),
    ...whose,
  ]);
}

/** The user of an entry and its first time, if it has them. */
function ownerOf(entry: unknown): [user: string | null, firstAt: number | null] {
  const { user, firstAt } = (entry ?? {}) as { user?: unknown; firstAt?: unknown };
  return [typeof user === "string" ? user : null, typeof firstAt === "number" ? firstAt : null];
}

/** SQLite parses JSON up to a depth of 1,000, and dead letters are queried by their fields. */
const MAX_DEAD_LETTER_DEPTH = 500;

function isDeep(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    if (depth > MAX_DEAD_LETTER_DEPTH) return true;
  }
  return false;
}

/** Deletes the receipts of epochs that closed before this time. */
export function sweepStatement(db: D1Database, before: number): D1PreparedStatement {
  return db.prepare("delete from receipts where closed_at is not null and closed_at < ?1").bind(before);
}

/** Fails its transaction, so that a write can be tried without being committed. */
export function failStatement(db: D1Database): D1PreparedStatement {
  return db.prepare("insert into receipts (room, epoch, n, refused, at) values ('', '', null, '[]', 0)");
}

const RECEIPT = `
insert into receipts (room, epoch, n, refused, at, closed_at)
select ?4, ?2,
  case when coalesce((select n from receipts where room = ?4 and epoch = ?2), 0) = ?5 - 1 then ?5 end,
  (select json_group_array(user) from (
    select distinct value ->> 1 as user from json_each(?1) where ${bannedSql("value ->> 1", "?4", "?3")}
  )),
  ?3, ?6
where true
on conflict (room, epoch) do update
  set n = excluded.n, refused = excluded.refused, at = excluded.at, closed_at = excluded.closed_at
returning refused`;

const NAME_RANKINGS = `
insert into rankings (board, period, updated_at)
select value ->> 1, value ->> 2, ?2 from json_each(?1) where value ->> 2 <> 'season'
union
select p.value ->> 1, 'season:' || s.season, ?2
from json_each(?1) p join seasons s on p.value ->> 2 = 'season' and ${inSeasonSql("p.value")}
where true
on conflict (board, period) do nothing`;

const BOUND_RANKINGS = `
insert into spans (ranking, ${keyColumns()}, players)
with ${targetCte("?1")}
select distinct ranking, ends.value, 0, 0, 0, '', 0
from place join json_each('[${-MAX_POINTS - 1},${MAX_POINTS + 1}]') as ends
where not exists (select 1 from spans where spans.ranking = place.ranking)`;

const NAME_PLAYERS = `
insert into players (user, name, at)
select value ->> 1, value ->> 2, value ->> 6 from json_each(?1)
where value ->> 8 is null and not (${bannedSql("value ->> 1", "?3", "?2")} or ${erasedSql()})
on conflict (user) do update set name = excluded.name, at = excluded.at
where excluded.name <> players.name and excluded.at >= players.at
  and excluded.at > coalesce(players.erased_at, -1)`;

/** Runs before the scores are written: a player who moves leaves one span and enters another. */
const COUNT_SPANS = `
insert into spans (ranking, ${keyColumns()}, players)
with ${CHANGES},
move as (
  select ranking, old_score as score, old_tie as tie, old_at as reached_at, old_seq as reached_seq, user, -1 as players
  from change where is_moved and not is_new
  union all
  select ranking, score, tie, reached_at, reached_seq, user, 1 from change where is_moved and not is_gone
)
select span.ranking, ${keyColumns("span")}, span.players + sum(move.players)
from move join spans as span on span.ranking = move.ranking and (${keyColumns("span")}) = (
  select ${keyColumns("s")} from spans as s
  where s.ranking = move.ranking and (${keyColumns("s")}) <= (${indexedTuple("move")})
  order by ${keyColumnsDescending("s")} limit 1
)
group by span.ranking, ${keyColumns("span")}
having sum(move.players) <> 0
on conflict do update set players = excluded.players`;

const WRITE_SCORES = `
insert into scores (ranking, user, name, score, tie, reached_at, reached_seq, last_at)
with ${CHANGES}
select ranking, user, name, score, tie, reached_at, reached_seq, last_at from change where not is_gone
on conflict (ranking, user) do update set name = excluded.name, score = excluded.score, tie = excluded.tie,
  reached_at = excluded.reached_at, reached_seq = excluded.reached_seq, last_at = excluded.last_at`;

const REMOVE_SCORES = `
delete from scores where (ranking, user) in (with ${CHANGES} select ranking, user from change where is_gone)`;

/** The length of the parts that a full span is split into. */
const LENGTH = `(players + players / ${SPLIT_LENGTH} - 1) / (players / ${SPLIT_LENGTH})`;

const SPLIT = `
insert into spans (ranking, ${keyColumns()}, players)
select ranking, ${keyColumns()}, min(length, players - nth) from (
  select s.ranking, ${keyColumns("s")}, f.players, f.length,
    row_number() over (partition by f.ranking, ${keyColumns("f")} order by ${keyColumns("s")}) - 1 as nth
  from (select *, ${LENGTH} as length from ${TOO_FULL} and ${inTargetRankings("?1")}) as f
  join scores as s on s.ranking = f.ranking and (${keyColumns("s")}) >= (${indexedTuple("f")}) and (${keyColumns("s")}) < (
    select ${keyColumns("after")} from spans as after
    where after.ranking = f.ranking and (${keyColumns("after")}) > (${indexedTuple("f")})
    order by ${keyColumns("after")} limit 1
  )
) where nth > 0 and nth % length = 0`;

const SHRINK = `
update spans indexed by spans_too_full set players = ${LENGTH} where players > ${MAX_SPAN} and ${inTargetRankings("?1")}`;

/** Merges every other candidate, so that none is merged into a span that is itself merged away. */
const MERGE = `
insert into spans (ranking, ${keyColumns()}, players)
with small as materialized (
  select * from ${TOO_EMPTY} and players > 0 and ${INNER_SPANS} and ${inTargetRankings("?1")}
),
pair as (
  select small.*, ${ORDER.map((column) => `before.${column} as to_${column}`).join(", ")}, before.players as to_players
  from small join spans as before on before.ranking = small.ranking and (${keyColumns("before")}) = (
    select ${keyColumns("b")} from spans as b
    where b.ranking = small.ranking and (${keyColumns("b")}) < (${indexedTuple("small")})
    order by ${keyColumnsDescending("b")} limit 1
  )
  where small.players + before.players <= ${MAX_MERGED_SPAN}
),
chosen as materialized (
  select * from (
    select *, row_number() over (partition by ranking order by ${keyColumns()}) % 2 as is_odd from pair
  ) where is_odd
)
select ranking, ${ORDER.map((column) => `to_${column}`).join(", ")}, to_players + players from chosen
union all
select ranking, ${keyColumns()}, 0 from chosen
where true
on conflict do update set players = excluded.players`;

const DELETE_EMPTY = `
delete from ${TOO_EMPTY} and players = 0 and ${INNER_SPANS} and ${inTargetRankings("?1")}`;

const RAISE_VERSION = `
update rankings set version = version + 1, updated_at = ?2
where id in (with ${targetCte("?1")} select ranking from place)`;

/** Skips entries of erased users, whose names would come back with them. */
const INSERT_DEAD_LETTERS = `
insert into set_aside (room, epoch, n, own_only, entry, reason, at)
select ?2, ?3, ?4, ?5, value ->> 0, value ->> 1, ?6 from json_each(?1)
where not exists (select 1 from players where user = value ->> 2 and erased_at >= coalesce(value ->> 3, 0))`;
