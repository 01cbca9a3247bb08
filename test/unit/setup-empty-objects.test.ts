import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import initSqlJs from "sql.js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { removeEmptyObjects } from "../../scripts/empty-objects.mjs";

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "tallyroom-objects-"));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const NAMED =
  "CREATE TABLE __miniflare_do_name (name TEXT); INSERT INTO __miniflare_do_name VALUES ('main/a');";
const TABLE = "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;";

async function writeObject(name: string, sql: string): Promise<string> {
  const { Database } = await initSqlJs();
  const database = new Database();
  database.run(sql);
  const path = join(stateDir, "state", name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, database.export());
  database.close();
  return path;
}

it("objects that store nothing lose their files, on both platforms, and no other does", async () => {
  const empty = await writeObject("v3/do/tallyroom-Rooms/a.sqlite", TABLE + NAMED);
  const over = await writeObject(
    "party/tallyroom-main/b.sqlite",
    `${TABLE} INSERT INTO _cf_KV VALUES ('head', '1'); DELETE FROM _cf_KV;`,
  );
  const kept = await writeObject(
    "v3/do/tallyroom-Rooms/c.sqlite",
    `${TABLE} INSERT INTO _cf_KV VALUES ('head', '1');`,
  );
  const alarms = await writeObject(
    "v3/do/tallyroom-Rooms/metadata.sqlite",
    "CREATE TABLE _cf_ALARM (id TEXT);",
  );
  const d1 = await writeObject("v3/d1/miniflare-D1DatabaseObject/d.sqlite", TABLE);
  for (const end of ["-wal", "-shm"]) writeFileSync(empty + end, "");

  expect(await removeEmptyObjects(stateDir)).toBe(2);
  expect([empty, `${empty}-wal`, `${empty}-shm`, over].filter(existsSync)).toEqual([]);
  expect([kept, alarms, d1].every(existsSync)).toBe(true);
});

it("a file that cannot be read is left alone", async () => {
  const path = await writeObject("party/tallyroom-main/a.sqlite", TABLE);
  writeFileSync(path, "this is no database");
  expect(await removeEmptyObjects(stateDir)).toBe(0);
  expect(existsSync(path)).toBe(true);
});

it("a folder without any state has nothing to remove", async () => {
  expect(await removeEmptyObjects(join(stateDir, "none"))).toBe(0);
});
