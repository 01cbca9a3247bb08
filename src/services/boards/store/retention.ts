import type { BoardRetention } from "../../../config/board-retention";
import { ERASED_MS } from "./erasure";
import { DAY_MS, isoDate, mondayOf } from "./periods";

/** How long the id of a correction is remembered, so that a repeated request changes nothing. Clients repeat a request within minutes. */
const CORRECTION_REQUEST_MS = 90 * DAY_MS;

/** The most scores that one transaction deletes, so that a batch waits no longer than for another batch. */
const SCORES_PER_TRANSACTION = 5_000;

/**
 * Deletes expired data. A ranking first loses its name, so that it is never read in part and late points start a new one. Its
 * scores are then deleted in up to `maxPieces` transactions, and the next sweep continues. `isDone`: no scores are left to delete.
 */
export async function sweepBoards(
  db: D1Database,
  retention: BoardRetention,
  now: number,
  maxPieces: number,
): Promise<{ rankings: number; scores: number; isDone: boolean }> {
  const [tombstoned] = await db.batch([
    db.prepare(TOMBSTONE).bind(
      cutoff(retention.day, (ms) => `day:${isoDate(utcDay(now - ms) - DAY_MS)}`),
      cutoff(retention.week, (ms) => `week:${isoDate(mondayOf(utcDay(now - ms)) - 7 * DAY_MS)}`),
      cutoff(retention.season, (ms) => now - ms),
      cutoff(retention.room, (ms) => now - ms),
    ),
    db.prepare("delete from seasons where closes_at < ?1").bind(cutoff(retention.season, (ms) => now - ms)),
    db.prepare("delete from players where erased_at < ?1 and name = ''").bind(now - ERASED_MS),
    db.prepare("delete from correction_requests where at < ?1").bind(now - CORRECTION_REQUEST_MS),
  ]);
  let scores = 0;
  for (let piece = 0; piece < maxPieces; piece += 1) {
    const [cleared] = await db.batch([
      db.prepare(DELETE_SCORES),
      db.prepare(`delete from spans where ranking in (${EMPTY_TOMBSTONES})`),
      db.prepare(`delete from rankings where id in (${EMPTY_TOMBSTONES})`),
    ]);
    const count = cleared?.meta.changes ?? 0;
    scores += count;
    if (count < SCORES_PER_TRANSACTION)
      return { rankings: tombstoned?.meta.changes ?? 0, scores, isDone: true };
  }
  return { rankings: tombstoned?.meta.changes ?? 0, scores, isDone: false };
}

function cutoff<T>(keepMs: number | null, of: (ms: number) => T): T | null {
  return keepMs === null ? null : of(keepMs);
}

function utcDay(at: number): number {
  return Math.floor(at / DAY_MS) * DAY_MS;
}

/** Renames an expired ranking to its id under an empty board. The id is not reused while scores refer to it. */
const TOMBSTONE = `
update rankings set board = '', period = id
where board <> '' and (
  (period >= 'day:' and period < ?1) or (period >= 'week:' and period < ?2)
  or (period >= 'season:' and period < 'season;' and exists (
    select 1 from seasons s where s.board = substr(rankings.board, 1, instr(rankings.board || ':', ':') - 1)
      and 'season:' || s.season = rankings.period and s.closes_at < ?3
  ))
  or (instr(board, ':') > 0 and updated_at < ?4)
)`;

/** `changes` counts rows of the table itself. */
const DELETE_SCORES = `
delete from scores where (ranking, user) in (
  select s.ranking, s.user from rankings r cross join scores s on s.ranking = r.id where r.board = '' limit ${SCORES_PER_TRANSACTION}
)`;

const EMPTY_TOMBSTONES = `
select id from rankings where board = '' and not exists (select 1 from scores where ranking = rankings.id)`;
