import { byteLength } from "../protocol/codec";
import { MAX_POINTS } from "../protocol/limits";
import { bannedSql, CHANGES, erasedSql, inSeasonSql, placeCte } from "./change-sql";
import type { DealtRow, Place, Rejected } from "./deal";
import { sought } from "./rank-order";

/** What one batch writes, apart from its receipt. */
export interface Writing {
  room: string;
  rows: readonly DealtRow[];
  places: readonly Place[];
  now: number;
}

/** A span is split past this, in the schema's partial index too: a rank counts within one … */
const FULL = 1500;
/** … into stretches of about this many. */
const SPLIT_TO = 750;
/** One with fewer (in the other partial index) joins the one before it, if both together come to no more than … */
const NEARLY_EMPTY = 200;
/** … so that it is not split again at once. */
const JOINED = 1000;

/** D1 refuses a parameter of 2 MB. */
const MAX_ASIDE_BYTES = 1_000_000;
/** Of an entry that is none, so much is enough to see whose it was; escaped over and over it stays within a parameter. */
const MAX_ASIDE_CHARS = 40_000;
const MAX_REASON_CHARS = 500;

const KEY = "score, tie, reached_at, reached_seq, user";
const key = (alias: string) => KEY.replace(/\w+/g, (column) => `${alias}.${column}`);
/** Not one of the two that bound a ranking. */
export const INNER = `score between ${-MAX_POINTS} and ${MAX_POINTS}`;
/** Named, for SQLite would rather go by the key and read every span of a ranking, a thousand at a million players. */
const TOO_FULL = `spans indexed by spans_too_full where players > ${FULL}`;
const TOO_EMPTY = `spans indexed by spans_too_empty where players < ${NEARLY_EMPTY}`;
const touched = (places: string) => `ranking in (with ${placeCte(places)} select ranking from place)`;

/**
 * The same statements, whatever the number of players: D1 charges calls and rows, and a transaction holds everybody up.
 * Each takes its rows from one JSON parameter.
 */
export function writeStatements(
  db: D1Database,
  { room, rows, places, now }: Writing,
  byHand?: { log: D1PreparedStatement[] },
): D1PreparedStatement[] {
  const what = JSON.stringify(rows);
  const where = JSON.stringify(places);
  return [
    db.prepare(NAME_RANKINGS).bind(where, now),
    db.prepare(BOUND_RANKINGS).bind(where),
    db.prepare(NAME_PLAYERS).bind(what, now, room),
    // Of what stands before it is changed.
    ...(byHand?.log ?? []),
    db.prepare(COUNT).bind(what, where, now, room),
    db.prepare(SCORE).bind(what, where, now, room),
    // Only by hand is anybody taken off a ranking: a batch does not pay for it.
    ...(byHand ? [db.prepare(REMOVE).bind(what, where, now, room)] : []),
    db.prepare(SPLIT).bind(where),
    db.prepare(CUT).bind(where),
    db.prepare(JOIN).bind(where),
    db.prepare(CLEAR).bind(where),
    db.prepare(RENEW).bind(where, now),
  ];
}

/** Moves the receipt from n−1 to n, or fails the transaction: `n` must not be null. Tells the refused. */
export function receiptStatement(
  db: D1Database,
  { room, rows, now }: Writing,
  { epoch, n, closing, entries }: { epoch: string; n: number; closing?: true; entries: readonly unknown[] },
): D1PreparedStatement {
  // With points in it, it has to be known for as long as it may be asked about: nobody can say how long that is.
  const isOver = closing && entries.length === 0;
  return db.prepare(RECEIPT).bind(JSON.stringify(rows), epoch, now, room, n, isOver ? now : null);
}

/** One, or where it is more than a parameter may hold as many as it takes: a board that a release dropped rejects all at once. */
export function setAsideStatements(
  db: D1Database,
  batch: { room: string; epoch: string; n: number; ownOnly?: true },
  rejected: readonly Rejected[],
  now: number,
): D1PreparedStatement[] {
  const all: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const one of rejected) {
    const row = asideRow(one);
    bytes += byteLength(row) + 1;
    if (bytes > MAX_ASIDE_BYTES) {
      all.push([]);
      bytes = byteLength(row);
    }
    all.at(-1)?.push(row);
  }
  const { room, epoch, n, ownOnly } = batch;
  return (all.length > 0 ? all : [[]]).map((rows) =>
    db.prepare(SET_ASIDE).bind(`[${rows.join(",")}]`, room, epoch, n, ownOnly ? 1 : 0, now),
  );
}

/** JSON escapes what a database would not keep as it is: a lone surrogate, U+0000. */
function asideRow({ entry, reason }: Rejected): string {
  const text = JSON.stringify(entry) ?? "null";
  const whose = ownerOf(entry);
  if (text.length <= MAX_ASIDE_CHARS && !isDeep(text)) {
    return JSON.stringify([text, reason.slice(0, MAX_REASON_CHARS), ...whose]);
  }
  const beginning = JSON.stringify(text.slice(0, MAX_ASIDE_CHARS));
  return JSON.stringify([
    beginning,
    `Too large to be kept whole. ${reason}`.slice(0, MAX_REASON_CHARS),
    ...whose,
  ]);
}

/** Whom it is about and since when, where that can be told. */
function ownerOf(entry: unknown): [user: string | null, firstAt: number | null] {
  const { user, firstAt } = (entry ?? {}) as { user?: unknown; firstAt?: unknown };
  return [typeof user === "string" ? user : null, typeof firstAt === "number" ? firstAt : null];
}

/** SQLite reads JSON that nests a thousand deep and no deeper, and what is set aside is read by its fields. */
const MAX_ASIDE_DEPTH = 500;

function isDeep(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    if (depth > MAX_ASIDE_DEPTH) return true;
  }
  return false;
}

/** Receipts of epochs that ended so long ago that nothing of them can still be under way. */
export function sweepStatement(db: D1Database, before: number): D1PreparedStatement {
  return db.prepare("delete from receipts where closed_at is not null and closed_at < ?1").bind(before);
}

/** Fails whatever came before it in its transaction, so that a writing can be tried and not done. */
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
insert into spans (ranking, ${KEY}, players)
with ${placeCte("?1")}
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

/** Before the scores are written: whoever moves leaves one span and comes to another. */
const COUNT = `
insert into spans (ranking, ${KEY}, players)
with ${CHANGES},
move as (
  select ranking, old_score as score, old_tie as tie, old_at as reached_at, old_seq as reached_seq, user, -1 as players
  from change where is_moved and not is_new
  union all
  select ranking, score, tie, reached_at, reached_seq, user, 1 from change where is_moved and not is_gone
)
select span.ranking, ${key("span")}, span.players + sum(move.players)
from move join spans as span on span.ranking = move.ranking and (${key("span")}) = (
  select ${key("s")} from spans as s
  where s.ranking = move.ranking and (${key("s")}) <= (${sought("move")})
  order by s.score desc, s.tie desc, s.reached_at desc, s.reached_seq desc, s.user desc limit 1
)
group by span.ranking, ${key("span")}
having sum(move.players) <> 0
on conflict do update set players = excluded.players`;

const SCORE = `
insert into scores (ranking, user, name, score, tie, reached_at, reached_seq, last_at)
with ${CHANGES}
select ranking, user, name, score, tie, reached_at, reached_seq, last_at from change where not is_gone
on conflict (ranking, user) do update set name = excluded.name, score = excluded.score, tie = excluded.tie,
  reached_at = excluded.reached_at, reached_seq = excluded.reached_seq, last_at = excluded.last_at`;

const REMOVE = `
delete from scores where (ranking, user) in (with ${CHANGES} select ranking, user from change where is_gone)`;

/** Stretches of even length, whose number is the span's by `SPLIT_TO`. */
const LENGTH = `(players + players / ${SPLIT_TO} - 1) / (players / ${SPLIT_TO})`;

const SPLIT = `
insert into spans (ranking, ${KEY}, players)
select ranking, ${KEY}, min(length, players - nth) from (
  select s.ranking, ${key("s")}, f.players, f.length,
    row_number() over (partition by f.ranking, ${key("f")} order by ${key("s")}) - 1 as nth
  from (select *, ${LENGTH} as length from ${TOO_FULL} and ${touched("?1")}) as f
  join scores as s on s.ranking = f.ranking and (${key("s")}) >= (${sought("f")}) and (${key("s")}) < (
    select ${key("after")} from spans as after
    where after.ranking = f.ranking and (${key("after")}) > (${sought("f")})
    order by ${key("after")} limit 1
  )
) where nth > 0 and nth % length = 0`;

const CUT = `
update spans indexed by spans_too_full set players = ${LENGTH} where players > ${FULL} and ${touched("?1")}`;

/** Every other of those that can be joined, so that none joins one that is itself going. */
const JOIN = `
insert into spans (ranking, ${KEY}, players)
with small as materialized (
  select * from ${TOO_EMPTY} and players > 0 and ${INNER} and ${touched("?1")}
),
pair as (
  select small.*, ${key("before")
    .split(", ")
    .map((column) => `${column} as to_${column.slice("before.".length)}`)
    .join(", ")}, before.players as to_players
  from small join spans as before on before.ranking = small.ranking and (${key("before")}) = (
    select ${key("b")} from spans as b
    where b.ranking = small.ranking and (${key("b")}) < (${sought("small")})
    order by b.score desc, b.tie desc, b.reached_at desc, b.reached_seq desc, b.user desc limit 1
  )
  where small.players + before.players <= ${JOINED}
),
chosen as materialized (
  select * from (
    select *, row_number() over (partition by ranking order by ${KEY}) % 2 as is_odd from pair
  ) where is_odd
)
select ranking, ${KEY.replace(/\w+/g, "to_$&")}, to_players + players from chosen
union all
select ranking, ${KEY}, 0 from chosen
where true
on conflict do update set players = excluded.players`;

const CLEAR = `
delete from ${TOO_EMPTY} and players = 0 and ${INNER} and ${touched("?1")}`;

const RENEW = `
update rankings set version = version + 1, updated_at = ?2
where id in (with ${placeCte("?1")} select ranking from place)`;

/** Not of the erased, whose names would come back by it. */
const SET_ASIDE = `
insert into set_aside (room, epoch, n, own_only, entry, reason, at)
select ?2, ?3, ?4, ?5, value ->> 0, value ->> 1, ?6 from json_each(?1)
where not exists (select 1 from players where user = value ->> 2 and erased_at >= coalesce(value ->> 3, 0))`;
