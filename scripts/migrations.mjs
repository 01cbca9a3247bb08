import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startGroup } from "./process-group.mjs";
import { PROJECT } from "./project.mjs";
import { wrangler } from "./wrangler-dev.mjs";

/**
 * Brings the local D1 of a state folder up to the newest migration.
 * @param {string} stateDir
 */
export async function migrateLocally(stateDir) {
  const command = wrangler(stateDir, ["d1", "migrations", "apply", databaseName(), "--local"]);
  let output = "";
  // Without CI it would ask whether it may.
  const group = startGroup({ ...command, env: { ...command.env, CI: "1" } }, (chunk) => {
    output += chunk;
  });
  const how = await group.ended;
  await group.stop();
  if (how !== "with code 0") throw new Error(`The local database could not be migrated:\n${output.trim()}`);
}

/** Its name in wrangler.toml, which every command of wrangler wants. */
export function databaseName() {
  const name = readWranglerSetting("database_name");
  if (name === undefined) throw new Error("wrangler.toml names no database (database_name).");
  return name;
}

/** Whether wrangler.toml says which of the account's databases it is. */
export function isDatabaseKnown() {
  return readWranglerSetting("database_id") !== undefined;
}

/** @param {string} what */
function readWranglerSetting(what) {
  const config = readFileSync(join(PROJECT, "wrangler.toml"), "utf8");
  return new RegExp(`^${what} = "(.+)"`, "m").exec(config)?.[1];
}
