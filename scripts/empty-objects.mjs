import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { readDatabase } from "./sqlite-image.mjs";

/** @typedef {Awaited<ReturnType<typeof import("sql.js").default>>["Database"]} DatabaseClass */

/** Larger ones are left: reading them would make the start slow, and there are few. */
const READ_LIMIT_BYTES = 4_000_000;

/** All but SQLite's own and the one in which the runtime notes an object's name, each time that it makes it. */
const TABLES = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> '__miniflare_do_name'`;

/** Beside the objects of a class: when their alarms are due. */
const ALARMS = "metadata.sqlite";

/**
 * Removes the databases of Durable Objects that store nothing.
 *
 * The local runtime makes three files for an object once its storage is read, and removes them never: not those of a room that was asked about and
 * does not exist, nor of one that is over. An object without a row and one without a file are the same to it. Call it while no server runs.
 * @param {string} stateDir of a server
 * @returns {Promise<number>} how many were removed
 */
export async function removeEmptyObjects(stateDir) {
  const { default: initSqlJs } = await import("sql.js");
  const { Database } = await initSqlJs();
  let removed = 0;
  for (const path of objectDatabases(stateDir)) {
    if (!isEmpty(path, Database)) continue;
    // In this order: without the file, the log beside it means nothing; without the log, an older state of the file would come back.
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    removed += 1;
  }
  return removed;
}

/**
 * @param {string} stateDir
 * @returns {string[]}
 */
function objectDatabases(stateDir) {
  const state = join(stateDir, "state");
  // wrangler's and partykit's.
  return [join(state, "v3/do"), join(state, "party")].flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: true, encoding: "utf8" })
          .filter((name) => name.endsWith(".sqlite") && !name.endsWith(ALARMS))
          .map((name) => join(folder, name))
      : [],
  );
}

/**
 * @param {string} path
 * @param {DatabaseClass} Database
 */
function isEmpty(path, Database) {
  const wal = `${path}-wal`;
  const walBytes = statSync(wal, { throwIfNoEntry: false })?.size ?? 0;
  if (statSync(path).size + walBytes > READ_LIMIT_BYTES) return false;
  try {
    const image = readDatabase(readFileSync(path), walBytes === 0 ? undefined : readFileSync(wal));
    const database = new Database(image);
    try {
      const tables = column(database, TABLES);
      return tables.every((table) => column(database, `SELECT 1 FROM "${table}" LIMIT 1`).length === 0);
    } finally {
      database.close();
    }
  } catch {
    return false; // what cannot be read is not ours to remove
  }
}

/**
 * @param {import("sql.js").Database} database
 * @param {string} sql
 */
function column(database, sql) {
  const statement = database.prepare(sql);
  const values = [];
  while (statement.step()) values.push(String(Object.values(statement.getAsObject())[0]));
  statement.free();
  return values;
}
