import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { roles } from "../../protocol/codes";

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
    /** The role of the user who set it. A ban in a room does not apply to an equal or higher role. */
    rank: text({ enum: roles }).notNull().default("admin"),
  },
  (table) => [primaryKey({ columns: [table.scope, table.user] })],
);
