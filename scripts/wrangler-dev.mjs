import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeEnvFile } from "./env-file.mjs";
import { PROJECT } from "./project.mjs";
import { freshTmp } from "./state-dir.mjs";

/**
 * `wrangler dev`, with these variables and no others: the env file that is named replaces `.env` and `.dev.vars`.
 * @param {{ port: number, stateDir: string, vars: Readonly<Record<string, string>>, main?: string }} options `main`: another
 * script than the configured one, from the project's folder
 * @returns {import("./process-group.mjs").Command}
 */
export function wranglerDev({ port, stateDir, vars, main }) {
  sweepLeftovers();
  const envFile = join(stateDir, "vars.env");
  writeEnvFile(envFile, vars, { expands: true });
  return wrangler(stateDir, [
    "dev",
    ...(main === undefined ? [] : [main]),
    ...["--env-file", envFile],
    ...["--ip", "127.0.0.1"],
    ...["--port", String(port)],
    // Any free one: two starts would otherwise contend for 9229.
    ...["--inspector-port", "0"],
    "--show-interactive-dev-session=false",
  ]);
}

/**
 * A command of wrangler that works on the state in a folder, and on nothing beyond this machine.
 * @param {string} stateDir
 * @param {string[]} args
 * @returns {import("./process-group.mjs").Command}
 */
export function wrangler(stateDir, args) {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  return {
    file: process.execPath,
    args: [
      join(PROJECT, "node_modules/wrangler/bin/wrangler.js"),
      ...args,
      "--persist-to",
      join(stateDir, "state"),
    ],
    cwd: PROJECT,
    env: {
      ...process.env,
      TMPDIR: freshTmp(stateDir),
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_LOG_PATH: join(stateDir, "logs"),
      // Workers of one name that run at once would find each other in the registry that all of this user's share.
      WRANGLER_REGISTRY_PATH: join(stateDir, "registry"),
      MINIFLARE_REGISTRY_PATH: join(stateDir, "registry"),
      // Without it the env file would not be read.
      CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: "true",
      // Else it asks the network for a `request.cf`, and warns when there is none.
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
    },
  };
}

const DAY_MS = 86_400_000;

/** A wrangler that is killed leaves its bundle behind, a few MB each time; tests kill it often. */
function sweepLeftovers() {
  const folder = join(PROJECT, ".wrangler/tmp");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const changedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - changedAt > DAY_MS) rmSync(path, { recursive: true, force: true });
  }
}
