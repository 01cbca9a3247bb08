import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Who is banned: from every room (`everywhere`), or from one room (`kind/id`). Times are ms since the epoch. */
export const bans = sqliteTable(
  "bans",
  {
    scope: text().notNull(),
    user: text().notNull(),
    reason: text(),
    by: text().notNull(),
    at: integer().notNull(),
    /** Null: until the ban is lifted. */
    untilMs: integer("until_ms"),
  },
  (table) => [primaryKey({ columns: [table.scope, table.user] })],
);
