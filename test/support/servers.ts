import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSecret } from "../../scripts/env-file.mjs";
import { migrateLocally } from "../../scripts/migrations.mjs";
import { buildPages } from "../../scripts/pages.mjs";
import { partykitDev } from "../../scripts/partykit-dev.mjs";
import { groupMembers, onParentExit, type ProcessGroup, startGroup } from "../../scripts/process-group.mjs";
import { PROJECT } from "../../scripts/project.mjs";
import { wranglerDev } from "../../scripts/wrangler-dev.mjs";
import { freePort } from "./ports";

export type Kind = "partykit" | "cloudflare";

export interface ServerOptions {
  /** Beside fresh secrets and GUESTS=on, or in their place. */
  env?: Readonly<Record<string, string>>;
  /** Another script than the configured one: another release. */
  main?: string;
  /** Where it keeps its state; a folder of its own, gone when the tests are, if absent. */
  dataDir?: string;
  port?: number;
}

/** A platform's own command with everything it starts, as one real server. */
export interface Server {
  readonly kind: Kind;
  readonly http: string;
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly pid: number;
  /** Everything it has printed. */
  log(): string;
  /** Resident memory of all its processes, in bytes. */
  rss(): Promise<number>;
  /** Processor time of all its processes, in ms. */
  cpuMs(): number;
  stop(): Promise<void>;
  /** The whole group at once, as a power cut would. */
  kill9(): Promise<void>;
  /** Another life on the same port and state, with the same environment but for what `env` changes. */
  restart(options?: Pick<ServerOptions, "env" | "main">): Promise<Server>;
}

const commands = { partykit: partykitDev, cloudflare: wranglerDev };

/** Both take a few seconds where two cores are free, and several times that where they are not. */
const START_MS = 90_000;

/** Linux counts processor time in hundredths of a second, at any clock rate, and memory in pages. */
const TICK_MS = 10;
const PAGE_BYTES = 4_096;

export function startPartyKit(options: ServerOptions = {}): Promise<Server> {
  return start("partykit", options);
}

export function startCloudflare(options: ServerOptions = {}): Promise<Server> {
  return start("cloudflare", options);
}

async function start(kind: Kind, options: ServerOptions, isRestart = false): Promise<Server> {
  // Both commands refuse to start without the folder of pages. `npm install` builds it, except with `--ignore-scripts`.
  if (!existsSync(join(PROJECT, "dist/web"))) await buildPages();

  const env = { AUTH_SECRET: generateSecret(), BATCH_SECRET: generateSecret(), GUESTS: "on", ...options.env };
  const dataDir = options.dataDir ?? makeScratchFolder(kind);
  const port = options.port ?? (await freePort());
  const { main } = options;
  if (kind === "cloudflare" && !isRestart) await migrateLocally(dataDir);
  let log = "";
  const group = startGroup(
    commands[kind]({ port, stateDir: dataDir, vars: env, ...(main === undefined ? {} : { main }) }),
    (chunk) => {
      log += chunk;
    },
  );
  const server: Server = {
    kind,
    http: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    port,
    dataDir,
    env,
    pid: group.pid,
    log: () => log,
    rss: async () => sumGroup(group.pid, "residentPages") * PAGE_BYTES,
    cpuMs: () => sumGroup(group.pid, "cpuTicks") * TICK_MS,
    stop: group.stop,
    kill9: group.kill,
    restart: async (again = {}) => {
      await group.stop();
      const other = again.main ?? main;
      const options = { env: { ...env, ...again.env }, dataDir, port };
      return start(kind, other === undefined ? options : { ...options, main: other }, true);
    },
  };
  await waitUntilReady(server, group);
  return server;
}

/** Waits until the server answers a request, not merely listens. 503 is an answer of /health. */
async function waitUntilReady(server: Server, group: ProcessGroup): Promise<void> {
  const deadline = Date.now() + START_MS;
  let ended: string | undefined;
  group.ended.then((how) => {
    ended = how;
  });
  let last = "no answer";
  while (ended === undefined && Date.now() < deadline) {
    try {
      const { status } = await fetch(`${server.http}/health`, { signal: AbortSignal.timeout(5_000) });
      if (status < 500 || status === 503) return;
      last = `${status}`;
    } catch (error) {
      last = String((error as Error).cause ?? error);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const running = groupMembers(group.pid)?.map(({ name, cpuTicks }) => `${name} (${cpuTicks * TICK_MS} ms)`);
  const what =
    ended === undefined
      ? `did not answer within ${START_MS / 1_000} s: ${last}; there are ${running?.join(", ")}`
      : `ended ${ended}`;
  await group.kill();
  throw new Error(`${server.kind} on port ${server.port} ${what}. Its output:\n${server.log()}`);
}

function sumGroup(group: number, field: "residentPages" | "cpuTicks"): number {
  const members = groupMembers(group);
  if (members === undefined)
    throw new Error("Memory and processor time are read from /proc, which only Linux has.");
  return members.reduce((total, member) => total + member[field], 0);
}

/** Made when the first server needs it. Servers themselves go with this process, however it ends; so does what they wrote. */
let scratchRoot: string | undefined;

function makeScratchFolder(kind: Kind): string {
  if (scratchRoot === undefined) {
    scratchRoot = mkdtempSync(join(tmpdir(), "tallyroom-"));
    // A moment later than the servers, which might still write.
    onParentExit('sleep 1; rm -rf "$0"', scratchRoot);
  }
  return mkdtempSync(join(scratchRoot, `${kind}-`));
}
