import { randomBytes } from "node:crypto";
import { Agent, get } from "node:http";
import { parseArgs } from "node:util";
import { importTypeScript } from "../../scripts/typescript.mjs";
import { BareWorker } from "./worker.mjs";

const usage = "npm run bench -- scoreboard [--turns 5] [--quick]";

const PLAYERS = 1_000;
const BOARD = "/v1/boards/main";
/** What is asked of a cached read: how many times cheaper than an uncached one. */
const TARGET = 20;

/**
 * @typedef {object} Read
 * @property {string} title
 * @property {"cached" | "uncached"} server
 * @property {string} path
 * @property {number} count in one turn
 * @property {number} status
 * @property {string} [says] what `Cache-Status` has to say
 * @property {boolean} [knows] sends the board's ETag
 */

/** @type {Record<string, Read>} */
const reads = {
  nothing: {
    title: "a request that comes to nothing (404 of the worker)",
    server: "cached",
    path: "/v1/nothing",
    count: 4_000,
    status: 404,
  },
  same: {
    title: "304: the reader has it",
    server: "cached",
    path: BOARD,
    count: 4_000,
    status: 304,
    says: "; hit",
    knows: true,
  },
  cached: {
    title: "200 from memory",
    server: "cached",
    path: BOARD,
    count: 4_000,
    status: 200,
    says: "; hit",
  },
  uncached: {
    title: "200 from D1 each time",
    server: "uncached",
    path: BOARD,
    count: 400,
    status: 200,
    says: "fwd=miss",
  },
};

/** @param {string[]} args */
export async function scoreboardBench(args) {
  const { values } = parseArgs({
    args,
    options: { turns: { type: "string" }, quick: { type: "boolean", default: false } },
  });
  const turns = Number(values.turns ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(turns) || turns < 1 || turns > 50) throw new Error(usage);
  if (process.platform !== "linux")
    throw new Error("It reads processor times from /proc, which only Linux has.");

  const servers = {
    cached: await Scoreboard.start({}),
    uncached: await Scoreboard.start({ BOARD_TTL_MS: "0" }),
  };
  try {
    /** @type {Map<string, number[]>} microseconds of workerd's processor for one read, a turn each */
    const costs = new Map(Object.keys(reads).map((name) => [name, []]));
    for (let turn = 0; turn < turns; turn += 1) {
      for (const [name, read] of Object.entries(reads)) {
        const cost = await servers[read.server].cost(read, values.quick ? 4 : 1);
        costs.get(name)?.push(cost);
        console.error(`turn ${turn + 1}: ${read.title}: ${cost.toFixed(0)} µs`);
      }
    }
    report(costs, turns);
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
  }
}

/** @param {Map<string, number[]>} costs @param {number} turns */
function report(costs, turns) {
  const of = (/** @type {string} */ name) => median(costs.get(name) ?? []);
  console.log("\nProcessor time of workerd for one read of the first 50 of a board:\n");
  for (const [name, { title }] of Object.entries(reads)) {
    console.log(`  ${of(name).toFixed(0).padStart(6)} µs  ${title}`);
  }
  const ratio = of("uncached") / of("cached");
  const same = of("cached") / of("same");
  console.log(`
  ${ratio.toFixed(1)} times cheaper from memory than from D1 (asked: ${TARGET}): ${ratio >= TARGET ? "reached" : "MISSED"}
  ${same.toFixed(2)} times cheaper as 304 than as 200 from memory (asked: cheaper): ${same > 1 ? "reached" : "MISSED"}

Medians of ${turns} turns, the four in turn, each on a kept connection, one request at a time. The worker alone, without what
\`wrangler dev\` puts around it. D1's own work is in it, for locally it is in the same process.`);
  if (ratio < TARGET || same <= 1) process.exitCode = 1;
}

/** One worker with a board of its own. */
class Scoreboard {
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #tag = "";

  /** @param {BareWorker} worker */
  constructor(worker) {
    this.worker = worker;
  }

  /** @param {Record<string, string>} env */
  static async start(env) {
    const secret = randomBytes(32).toString("base64url");
    const worker = await BareWorker.start({
      AUTH_SECRET: secret,
      BATCH_SECRET: secret,
      // In force, so that counting is part of what is measured, and out of reach.
      READ_LIMIT: "100000/1",
      ...env,
    });
    const scoreboard = new Scoreboard(worker);
    await scoreboard.#fill(secret);
    return scoreboard;
  }

  /** As a room's batch would. @param {string} secret */
  async #fill(secret) {
    const { signCall, SIGNATURE_HEADER } = await importTypeScript("src/platform/signed-call.ts");
    const now = Date.now();
    const entries = Array.from({ length: PLAYERS }, (_, at) => ({
      board: "main",
      user: `user-${at}`,
      name: `Player ${at}`,
      points: 10_000 - at,
      firstAt: now,
      lastAt: now,
      seq: at + 1,
    }));
    const body = JSON.stringify({ v: 1, room: "main/bench", epoch: "bench", n: 1, entries });
    const path = "/v1/batches";
    const headers = {
      "Content-Type": "application/json",
      [SIGNATURE_HEADER]: await signCall({ method: "POST", path, body }, secret, now),
    };
    const response = await fetch(new URL(path, this.worker.url), {
      method: "POST",
      headers,
      body,
    });
    if (response.status !== 200) throw new Error(`The board could not be filled: ${await response.text()}`);
    this.#tag = (await this.#get(BOARD, {})).tag;
  }

  /** Microseconds of processor time for one. @param {Read} read @param {number} part of the count, so much less */
  async cost({ path, count, status, says, knows }, part) {
    const headers = knows ? { "If-None-Match": this.#tag } : {};
    const ask = async () => {
      const told = await this.#get(path, headers);
      if (told.status !== status || (says !== undefined && !told.cache.includes(says))) {
        throw new Error(
          `${path} answered ${told.status} (${told.cache}) where ${status} (${says}) was to be measured.`,
        );
      }
    };
    for (let at = 0; at < 50; at += 1) await this.#get(path, headers);
    const before = this.worker.seconds;
    const times = Math.ceil(count / part);
    for (let at = 0; at < times; at += 1) await ask();
    return ((this.worker.seconds - before) / times) * 1e6;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} headers
   * @returns {Promise<{ status: number, cache: string, tag: string }>}
   */
  #get(path, headers) {
    return new Promise((resolve, reject) => {
      get(new URL(path, this.worker.url), { headers, agent: this.#agent }, (response) => {
        response.resume();
        response.once("end", () => {
          const { statusCode: status = 0, headers: told } = response;
          resolve({ status, cache: String(told["cache-status"] ?? ""), tag: String(told.etag ?? "") });
        });
      }).once("error", reject);
    });
  }

  async stop() {
    this.#agent.destroy();
    await this.worker.stop();
  }
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
