import { accessSync, constants, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { canBeInEnvFile } from "./env-file.mjs";
import { PROJECT } from "./project.mjs";
import { importTypeScript } from "./typescript.mjs";

/** What the servers read: docs/protocol.md tells what each means. */
export const SERVER_VARIABLES = /** @type {const} */ ([
  "AUTH_SECRET",
  "AUTH_JWKS_URL",
  "AUTH_ISSUER",
  "AUTH_AUDIENCE",
  "BATCH_SECRET",
  "BATCH_SECRET_OLD",
  "SCOREBOARD_URL",
  "ROOMS_URL",
  "GUESTS",
  "ALLOWED_ORIGINS",
  "FLUSH_MS",
  "IDLE_MS",
  "RECOVERY_MS",
  "LEAVE_GRACE_MS",
  "BOARD_TTL_MS",
  "BOARD_RETENTION",
  "MAX_USERS",
  "MAX_ROOMS",
  "CHAT_LIMIT",
  "ACTION_LIMIT",
  "CONNECT_LIMIT",
  "NEW_ROOM_LIMIT",
  "GUEST_LIMIT",
  "FAILED_TOKEN_LIMIT",
  "READ_LIMIT",
  "LIVE_LIMIT",
  "NETWORK_LIMITS",
  "RULE_LIMITS",
  "DEBUG_ROOMS",
]);

/** What only the scripts read. */
const DEFAULT_PORTS = { ROOMS_PORT: 1999, SCOREBOARD_PORT: 8787, PORT: 8787 };

/**
 * @typedef {object} Environment
 * @property {Record<string, string>} vars what the servers are handed
 * @property {Record<keyof typeof DEFAULT_PORTS, number>} ports
 * @property {string} dataDir where local state lives
 * @property {import("./local-node.mjs").Reach} reach who reaches the servers
 */

/**
 * The environment of a start on this machine: the process's own values before those of `.env`.
 * @param {Readonly<Record<string, string | undefined>>} own
 * @param {Readonly<Record<string, string>>} file
 * @returns {Promise<{ ok: true, environment: Environment } | { ok: false, problems: string[] }>}
 */
export async function readEnvironment(own, file) {
  /** @param {string} name */
  // Empty is the same as not set, here as in the servers.
  const read = (name) => own[name] || file[name];

  /** @type {string[]} */
  const problems = [];
  /** @type {Record<string, string>} */
  const vars = {};
  for (const name of SERVER_VARIABLES) {
    const value = read(name);
    if (value === undefined) continue;
    if (canBeInEnvFile(value)) vars[name] = value;
    else problems.push(`${name} may not hold both a single quote and a backtick.`);
  }
  // On one's own machine guests are welcome; where it is deployed, only when somebody says so.
  vars.GUESTS ??= "on";

  const ports = { ...DEFAULT_PORTS };
  for (const name of /** @type {(keyof typeof ports)[]} */ (Object.keys(ports))) {
    const value = read(name) || String(ports[name]);
    const port = toPort(value);
    if (port !== undefined) ports[name] = port;
    else problems.push(`${name} must be a port from 1 to 65535, not "${value}".`);
  }

  const inspector = read("INSPECTOR_PORT");
  const inspectorPort = inspector === undefined ? undefined : toPort(inspector);
  if (inspector !== undefined && inspectorPort === undefined) {
    problems.push(`INSPECTOR_PORT must be a port from 1 to 65535, not "${inspector}".`);
  }
  const hosts = (read("DEV_HOSTS") ?? "").split(/[\s,]+/).filter((host) => host !== "");
  const odd = hosts.find((host) => !/^[a-z\d.-]+$/.test(host));
  if (odd !== undefined) {
    problems.push(
      `DEV_HOSTS must be a list of host names with commas between them, such as tunnel.example.org, not "${odd}".`,
    );
  }
  const reach = { hosts, ...(inspectorPort === undefined ? {} : { inspectorPort }) };

  const dataDir = resolve(PROJECT, read("DATA_DIR") || ".tallyroom");
  if (!isWritableFolder(dataDir))
    problems.push(`DATA_DIR must be a folder that can be written to, not "${dataDir}".`);

  const { readConfig } = await importTypeScript("src/config/config.ts");
  const config = readConfig(vars);
  if (!config.ok) problems.push(...config.problems);

  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, environment: { vars, ports, dataDir, reach } };
}

/** @param {string} text */
function toPort(text) {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** @param {string} path */
function isWritableFolder(path) {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
