// `npm run db:migrate`: the local databases of `npm run dev` and `npm run dev:cloudflare`, brought up to the newest migration as
// both do before they start. `npm run db:migrate -- --remote`: the deployed one.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readEnvFile } from "./env-file.mjs";
import { readEnvironment } from "./environment.mjs";
import { databaseName, isDatabaseKnown, migrateLocally } from "./migrations.mjs";
import { PROJECT } from "./project.mjs";
import { lockedSentence, lockState } from "./state-lock.mjs";

try {
  const { values } = parseArgs({ options: { remote: { type: "boolean", default: false } } });
  if (values.remote) migrateDeployed();
  else await migrateLocalDatabases();
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : String(problem));
  process.exitCode = 1;
}

async function migrateLocalDatabases() {
  const read = await readEnvironment(process.env, readEnvFile());
  if (!read.ok) throw new Error(read.problems.join("\n"));
  for (const name of ["scoreboard", "cloudflare"]) {
    const stateDir = join(read.environment.dataDir, name);
    const locked = lockState(stateDir);
    if (!locked.ok) throw new Error(lockedSentence(stateDir, locked.pid));
    await migrateLocally(stateDir);
    console.log(`migrated ${stateDir}`);
  }
}

/** wrangler lists what it would apply, and asks. */
function migrateDeployed() {
  if (!isDatabaseKnown()) {
    throw new Error(
      `wrangler.toml does not say which database to migrate. Make one with \`npx wrangler d1 create ${databaseName()}\`, ` +
        "and write the database_id that it prints into wrangler.toml, below database_name.",
    );
  }
  const { status } = spawnSync(
    process.execPath,
    [
      join(PROJECT, "node_modules/wrangler/bin/wrangler.js"),
      ...["d1", "migrations", "apply", databaseName(), "--remote"],
    ],
    { cwd: PROJECT, stdio: "inherit", env: { ...process.env, WRANGLER_SEND_METRICS: "false" } },
  );
  if (status !== 0) throw new Error("The deployed database was not migrated.");
}
