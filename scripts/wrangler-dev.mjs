import { lstatSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { devNull } from "node:os";
import { join } from "node:path";
import { writeEnvFile } from "./env-file.mjs";
import { localNode } from "./local-node.mjs";
import { PROJECT } from "./project.mjs";
import { emptyTmp } from "./state-dir.mjs";

/** Rings the cron trigger of wrangler.toml by hand. */
export const UPKEEP_PATH = "/__scheduled";

/**
 * `wrangler dev`, with these variables and no others: the env file that is named replaces `.env` and `.dev.vars`.
 * @param {{ port: number, stateDir: string, vars: Readonly<Record<string, string>>, main?: string } & import("./local-node.mjs").Reach} options
 * `main`: another script than the configured one, from the project's folder
 * @returns {import("./process-group.mjs").Command}
 */
export function wranglerDev({ port, stateDir, vars, main, ...reach }) {
  removeOldBundles();
  const envFile = join(stateDir, "vars.env");
  writeEnvFile(envFile, vars, { expands: true });
  const args = [
    "dev",
    ...(main === undefined ? [] : [main]),
    ...["--env-file", envFile],
    ...["--ip", "127.0.0.1"],
    ...["--port", String(port)],
    ...(reach.inspectorPort === undefined ? [] : ["--inspector-port", String(reach.inspectorPort)]),
    // The only address of the cron trigger that works beside assets: miniflare's own does not reach the worker behind them.
    "--test-scheduled",
    "--show-interactive-dev-session=false",
  ];
  return wrangler(stateDir, args, reach);
}

/**
 * A command of wrangler that works on the state in a folder, and on nothing beyond this machine.
 * @param {string} stateDir
 * @param {string[]} args
 * @param {import("./local-node.mjs").Reach} [reach]
 * @returns {import("./process-group.mjs").Command}
 */
export function wrangler(stateDir, args, reach = {}) {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const node = localNode(reach);
  return {
    file: process.execPath,
    args: [
      ...node.args,
      join(PROJECT, "node_modules/wrangler/bin/wrangler.js"),
      ...args,
      "--persist-to",
      join(stateDir, "state"),
    ],
    cwd: PROJECT,
    env: {
      ...process.env,
      ...node.env,
      TMPDIR: emptyTmp(stateDir),
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_LOG_PATH: discardedLog(stateDir),
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

/**
 * Where wrangler writes its debug log: nowhere. It has no switch for it, and the log holds every answer of D1: it grows by megabytes a minute, and
 * erasing a user would not reach what it says of them. Logs of earlier starts are removed.
 * @param {string} stateDir
 */
function discardedLog(stateDir) {
  rmSync(join(stateDir, "logs"), { recursive: true, force: true });
  const path = join(stateDir, "discarded.log");
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) symlinkSync(devNull, path);
  return path;
}

const DAY_MS = 86_400_000;

/** A wrangler that is killed leaves its bundle behind, a few MB each time; tests kill it often. */
function removeOldBundles() {
  const folder = join(PROJECT, ".wrangler/tmp");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const changedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - changedAt > DAY_MS) rmSync(path, { recursive: true, force: true });
  }
}
