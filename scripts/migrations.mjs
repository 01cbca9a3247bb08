import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startGroup } from "./process-group.mjs";
import { PROJECT } from "./project.mjs";
import { wrangler } from "./wrangler-dev.mjs";

/**
 * Brings the local D1 of a state folder up to the newest migration.
 * @param {string} stateDir
 */
export async function migrateLocally(stateDir) {
  const database = /^database_name = "(.+)"$/m.exec(
    readFileSync(join(PROJECT, "wrangler.toml"), "utf8"),
  )?.[1];
  if (database === undefined || !existsSync(join(PROJECT, "migrations"))) return;

  const command = wrangler(stateDir, ["d1", "migrations", "apply", database, "--local"]);
  let output = "";
  // Without CI it would ask whether it may.
  const group = startGroup({ ...command, env: { ...command.env, CI: "1" } }, (chunk) => {
    output += chunk;
  });
  const how = await group.ended;
  await group.stop();
  if (how !== "with code 0") throw new Error(`The local database could not be migrated:\n${output.trim()}`);
}
