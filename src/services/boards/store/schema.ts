import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { MAX_POINTS } from "../../../protocol/limits";

/**
 * The tables of points. What each is for, and what was rejected, is in docs/decisions/0008. Times are ms since the epoch.
 * Tables whose key is not one integer are WITHOUT ROWID (scripts/db-generate.mjs): a row is written once, not twice.
 */

/** One board in one period (`all`, `day:2026-11-20`, …). A reset is a new period, so it needs no timer. */
export const rankings = sqliteTable(
  "rankings",
  {
    id: integer().primaryKey(),
    board: text().notNull(),
    period: text().notNull(),
    /** Raised by every change that a reader may see. */
    version: integer().notNull().default(0),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [uniqueIndex("rankings_by_name").on(table.board, table.period)],
);

/**
 * One player's score in a ranking. `score` and `tie` are signed so that less is better. One index in one direction then has the
 * order of every board: score, tie, time.
 */
export const scores = sqliteTable(
  "scores",
  {
    ranking: integer().notNull(),
    user: text().notNull(),
    name: text().notNull(),
    score: integer().notNull(),
    tie: integer().notNull(),
    /** When this score was reached, and by which event of its room: orders equal scores. */
    reachedAt: integer("reached_at").notNull(),
    reachedSeq: integer("reached_seq").notNull(),
    /** The newest entry that was applied, even if it did not move the player. Decides `last` and the name. */
    lastAt: integer("last_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ranking, table.user] }),
    index("scores_in_order").on(
      table.ranking,
      table.score,
      table.tie,
      table.reachedAt,
      table.reachedSeq,
      table.user,
    ),
    // A larger sum would not be exact as a JavaScript number.
    check("scores_exact", sql`abs(${table.score}) <= ${sql.raw(String(MAX_POINTS))}`),
    check("scores_tie_exact", sql`abs(${table.tie}) <= ${sql.raw(String(MAX_POINTS))}`),
  ],
);

/**
 * The number of players from here to the start of the next span, in the order of `scores_in_order`. A rank is a sum over spans
 * and a count within one. Spans are split and merged as they fill and empty. The first span of a ranking starts below every
 * score, and an empty one after the last ends it.
 */
export const spans = sqliteTable(
  "spans",
  {
    ranking: integer().notNull(),
    score: integer().notNull(),
    tie: integer().notNull(),
    reachedAt: integer("reached_at").notNull(),
    reachedSeq: integer("reached_seq").notNull(),
    user: text().notNull(),
    players: integer().notNull(),
  },
  (table) => [
    primaryKey({
      columns: [table.ranking, table.score, table.tie, table.reachedAt, table.reachedSeq, table.user],
    }),
    check("spans_counted", sql`${table.players} >= 0`),
    // Partial, so that a batch finds the spans to split or merge without reading the others.
    index("spans_too_full").on(table.ranking).where(sql`${table.players} > 1500`),
    index("spans_too_empty").on(table.ranking).where(sql`${table.players} < 200`),
  ],
);

/** The newest applied batch of a room's epoch, and the users it rejected, so that a retry gets the same answer. */
export const receipts = sqliteTable(
  "receipts",
  {
    /** `kind/id`. */
    room: text().notNull(),
    epoch: text().notNull(),
    /** Moves from n−1 to n. Null fails the whole transaction. */
    n: integer().notNull(),
    /** JSON: user ids. */
    refused: text().notNull(),
    at: integer().notNull(),
    /** The epoch is closed. The receipt may be deleted a day later. */
    closedAt: integer("closed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.room, table.epoch] }),
    index("receipts_closed").on(table.closedAt).where(sql`${table.closedAt} is not null`),
  ],
);

/** A season that an admin opened on a board. Its edges lie between quarters of an hour, as those of entries do. */
export const seasons = sqliteTable(
  "seasons",
  {
    /** A declared board. Rooms' own boards have the season too. */
    board: text().notNull(),
    season: text().notNull(),
    opensAt: integer("opens_at").notNull(),
    /** The first moment that is no longer in it. */
    closesAt: integer("closes_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.board, table.season] })],
);

/** Entries that could not be written, for an operator to correct and apply, each once. */
export const deadLetters = sqliteTable(
  "set_aside",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    room: text().notNull(),
    epoch: text().notNull(),
    n: integer().notNull(),
    /** The room fed only its own board. */
    ownOnly: integer("own_only", { mode: "boolean" }).notNull(),
    /** JSON, as it came. */
    entry: text().notNull(),
    reason: text().notNull(),
    at: integer().notNull(),
    /** Null until it is applied. It is applied only once. */
    appliedAt: integer("applied_at"),
  },
  (table) => [
    // The waiting ones are counted every few seconds.
    index("set_aside_waiting").on(table.id).where(sql`${table.appliedAt} is null`),
  ],
);

/**
 * The last name of every player who has scored. An erased player is kept for a while without a name, so that points in flight do
 * not bring the player back.
 */
export const players = sqliteTable(
  "players",
  {
    user: text().primaryKey(),
    name: text().notNull(),
    at: integer().notNull(),
    erasedAt: integer("erased_at"),
  },
  (table) => [index("players_erased").on(table.erasedAt).where(sql`${table.erasedAt} is not null`)],
);

/**
 * Correction requests that came with an idempotency key: each is carried out once. Its changes are the log's rows after one id,
 * up to and including another, because a transaction writes them next to each other.
 */
export const correctionRequests = sqliteTable(
  "correction_requests",
  {
    by: text().notNull(),
    id: text().notNull(),
    /** A fingerprint that distinguishes another request with the same id. */
    print: text().notNull(),
    at: integer().notNull(),
    after: integer().notNull(),
    upTo: integer("up_to").notNull(),
  },
  (table) => [primaryKey({ columns: [table.by, table.id] })],
);

/** The log of corrections, one row for each ranking. For an erased user the change stays, without the user and the reason. */
export const corrections = sqliteTable(
  "corrections",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: integer().notNull(),
    by: text().notNull(),
    board: text().notNull(),
    period: text().notNull(),
    user: text().notNull(),
    /** Points as clients see them. Null: was not, or is no longer, ranked. */
    before: integer(),
    after: integer(),
    reason: text().notNull(),
  },
  (table) => [index("corrections_of").on(table.user)],
);
