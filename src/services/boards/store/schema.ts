import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { MAX_POINTS } from "../../../protocol/limits";

/**
 * Where points rest. What each table is for, and what was rejected, is in docs/decisions/0008. Times are ms since the epoch.
 * Tables whose key is not one integer are WITHOUT ROWID (scripts/db-generate.mjs): a row is written once, not twice.
 */

/** One board in one period (`all`, `day:2026-11-20`, …). A reset is a new period, so nobody has to be awake for it. */
export const rankings = sqliteTable(
  "rankings",
  {
    id: integer().primaryKey(),
    board: text().notNull(),
    period: text().notNull(),
    /** Raised by every change of what a reader may see: the board's `ETag`. */
    version: integer().notNull().default(0),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [uniqueIndex("rankings_by_name").on(table.board, table.period)],
);

/**
 * One player's place. `score` and `tie` are turned so that less is better, so that one index in one direction is the order
 * of every board: score, tie, who came first.
 */
export const scores = sqliteTable(
  "scores",
  {
    ranking: integer().notNull(),
    user: text().notNull(),
    name: text().notNull(),
    score: integer().notNull(),
    tie: integer().notNull(),
    /** When this score was reached, and as which event of its room: what tells equals apart. */
    reachedAt: integer("reached_at").notNull(),
    reachedSeq: integer("reached_seq").notNull(),
    /** The newest entry that was applied, whether or not it moved the player: `last` goes by it, and so does the name. */
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
    // Past it a sum would no longer be exact for whoever reads it as a number.
    check("scores_exact", sql`abs(${table.score}) <= ${sql.raw(String(MAX_POINTS))}`),
    check("scores_tie_exact", sql`abs(${table.tie}) <= ${sql.raw(String(MAX_POINTS))}`),
  ],
);

/**
 * How many players stand from here to where the next span begins, in the order of `scores_in_order`. A rank is a sum over
 * spans and a count within one. Spans are split and joined as they fill and empty; the first of a ranking begins below
 * every score, and an empty one behind the last ends it.
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
    // Partial, so that a batch finds the few that want work without reading the others.
    index("spans_too_full").on(table.ranking).where(sql`${table.players} > 1500`),
    index("spans_too_empty").on(table.ranking).where(sql`${table.players} < 200`),
  ],
);

/** What was applied of a room's life: the newest batch's number, and whom it refused, so that it is answered the same again. */
export const receipts = sqliteTable(
  "receipts",
  {
    /** `kind/id`. */
    room: text().notNull(),
    epoch: text().notNull(),
    /** Moved from n−1 to n or, left null, failing the whole transaction. */
    n: integer().notNull(),
    /** JSON: user ids. */
    refused: text().notNull(),
    at: integer().notNull(),
    /** The epoch is over: nothing follows, and a day later the receipt may go. */
    closedAt: integer("closed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.room, table.epoch] }),
    index("receipts_closed").on(table.closedAt).where(sql`${table.closedAt} is not null`),
  ],
);

/** A span that an admin opened on a board. Its edges lie between quarters of an hour, as entries do. */
export const seasons = sqliteTable(
  "seasons",
  {
    /** As a kind declares it; rooms' own rankings have the season too. */
    board: text().notNull(),
    season: text().notNull(),
    opensAt: integer("opens_at").notNull(),
    /** The first moment that is no longer in it. */
    closesAt: integer("closes_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.board, table.season] })],
);

/** Entries that could not be written as they were, for an operator to mend and apply, each once. */
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
    /** Null until it was applied; never applied again after. */
    appliedAt: integer("applied_at"),
  },
  (table) => [
    // How many wait is asked every few seconds, however many were applied.
    index("set_aside_waiting").on(table.id).where(sql`${table.appliedAt} is null`),
  ],
);

/**
 * Whoever scored: the name they bore last. Of whom was erased the moment is kept for a while, under no name, so that points
 * still on their way do not bring them back.
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
 * Requests for corrections that came with an id of the caller's: each is done once. What it changed is the lines of the log
 * after one number, up to and with another: a transaction writes them next to each other.
 */
export const correctionRequests = sqliteTable(
  "correction_requests",
  {
    by: text().notNull(),
    id: text().notNull(),
    /** Tells one request from another of the same id. */
    print: text().notNull(),
    at: integer().notNull(),
    after: integer().notNull(),
    upTo: integer("up_to").notNull(),
  },
  (table) => [primaryKey({ columns: [table.by, table.id] })],
);

/** What an admin changed by hand: one row a ranking. Of an erased person the change stays, without whom it was about and why. */
export const corrections = sqliteTable(
  "corrections",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: integer().notNull(),
    by: text().notNull(),
    board: text().notNull(),
    period: text().notNull(),
    user: text().notNull(),
    /** Points as they are told; null: was not, or is no longer, ranked. */
    before: integer(),
    after: integer(),
    reason: text().notNull(),
  },
  (table) => [index("corrections_of").on(table.user)],
);
