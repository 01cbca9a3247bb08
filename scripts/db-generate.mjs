// `npm run db:generate`: the migration that takes the database from the last one to the tables in drizzle.config.ts.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./project.mjs";

const FOLDER = join(PROJECT, "migrations");

execFileSync(
  process.execPath,
  [join(PROJECT, "node_modules/drizzle-kit/bin.cjs"), "generate", ...process.argv.slice(2)],
  { cwd: PROJECT, stdio: "inherit" },
);
for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".sql"))) {
  const path = join(FOLDER, file);
  writeFileSync(path, withoutRowid(readFileSync(path, "utf8")));
}

/**
 * drizzle cannot say WITHOUT ROWID. Where the key is not one integer, a table without it keeps a hidden number and an index from
 * the key to it: every row written twice, and D1 counts both.
 * @param {string} sql
 */
function withoutRowid(sql) {
  const mark = "--> statement-breakpoint";
  const statements = sql
    .split(mark)
    .map((statement) =>
      /^\s*CREATE TABLE/.test(statement) && /\n\tPRIMARY KEY\(|` text PRIMARY KEY/.test(statement)
        ? statement.replace(/\n\);\s*$/, "\n) WITHOUT ROWID;\n")
        : statement,
    );
  return statements.join(mark);
}
