import { randomBytes } from "node:crypto";
import { Agent, get } from "node:http";
import { parseArgs } from "node:util";
import { importTypeScript } from "../../scripts/typescript.mjs";
import { BareWorker } from "./worker.mjs";

const usage = "npm run bench -- scoreboard [--turns 5] [--quick]";

/** Rooms with a board of their own each, so that many are read which nobody holds; and players on each. */
const ROOMS = 300;
const PLAYERS = 100;
const CONNECTIONS = 16;
/** Reads of each board from memory, for one of it from D1. */
const CACHED_READS = 20;
/** What is asked of a cached read: how many times cheaper than an uncached one. */
const TARGET = 20;

/**
 * @typedef {object} Read
 * @property {string} title
 * @property {number} times each board is read in one turn
 * @property {number} status
 * @property {string} says what `Cache-Status` has to say
 * @property {boolean} knows sends the board's ETag
 */

/** In this order: a batch makes every board old, the first readers have it fetched, the next are told from memory. @type {Record<string, Read>} */
const reads = {
  uncached: { title: "200 from D1: nobody holds it", times: 1, status: 200, says: "fwd=miss", knows: false },
  cached: { title: "200 from memory", times: CACHED_READS, status: 200, says: "; hit", knows: false },
  same: {
    title: "304 from memory: the reader has it",
    times: CACHED_READS,
    status: 304,
    says: "; hit",
    knows: true,
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

  const scoreboard = await Scoreboard.start();
  try {
    /** @type {Map<string, number[]>} microseconds of workerd's processor for one read, a turn each */
    const costs = new Map(Object.keys(reads).map((name) => [name, []]));
    // The first is not counted: code is still being compiled.
    for (let turn = 0; turn <= turns; turn += 1) {
      await scoreboard.change();
      for (const [name, read] of Object.entries(reads)) {
        const cost = await scoreboard.cost(read);
        if (turn === 0) continue;
        costs.get(name)?.push(cost);
        console.error(`turn ${turn}: ${read.title}: ${cost.toFixed(0)} µs`);
      }
    }
    report(costs, turns);
  } finally {
    await scoreboard.stop();
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

Medians of ${turns} turns over ${ROOMS} boards of ${PLAYERS} players, ${CONNECTIONS} kept connections. The worker alone, without what \`wrangler dev\` puts
around it. D1's own work is in it, for locally it is in the same process.`);
  if (ratio < TARGET || same <= 1) process.exitCode = 1;
}

/** One worker with many boards. */
class Scoreboard {
  #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  /** @type {Map<string, string>} */
  #tags = new Map();
  #n = 0;

  /** @param {BareWorker} worker @param {(path: string, body: string) => Promise<Record<string, string>>} sign */
  constructor(worker, sign) {
    this.worker = worker;
    this.sign = sign;
  }

  static async start() {
    const secret = randomBytes(32).toString("base64url");
    const worker = await BareWorker.start({
      AUTH_SECRET: secret,
      BATCH_SECRET: secret,
      // In force, so that counting is part of what is measured, and out of reach.
      READ_LIMIT: "100000/1",
    });
    const { signCall, SIGNATURE_HEADER } = await importTypeScript("src/edge/signed-calls/signed-call.ts");
    return new Scoreboard(worker, async (path, body) => ({
      "Content-Type": "application/json",
      [SIGNATURE_HEADER]: await signCall({ method: "POST", path, body }, secret, Date.now()),
    }));
  }

  /** A batch of every room, as rooms send them. */
  async change() {
    this.#n += 1;
    for (let room = 0; room < ROOMS; room += 1) {
      const now = Date.now();
      const entries = Array.from({ length: this.#n === 1 ? PLAYERS : 1 }, (_, at) => ({
        board: "main",
        user: `user-${at}`,
        name: `Player ${at}`,
        points: 10_000 - at,
        firstAt: now,
        lastAt: now,
        seq: at + 1,
      }));
      const body = JSON.stringify({ v: 1, room: `main/room-${room}`, epoch: "bench", n: this.#n, entries });
      const path = "/v1/batches";
      const headers = await this.sign(path, body);
      const response = await fetch(new URL(path, this.worker.url), { method: "POST", headers, body });
      if (response.status !== 200) throw new Error(`A board could not be changed: ${await response.text()}`);
      await response.arrayBuffer();
    }
  }

  /** Microseconds of processor time for one. @param {Read} read */
  async cost({ times, status, says, knows }) {
    const paths = Array.from({ length: ROOMS * times }, (_, at) => `/v1/boards/main:room-${at % ROOMS}`);
    const count = paths.length;
    const before = this.worker.seconds;
    const connection = async () => {
      for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
        const told = await this.#get(path, knows ? { "If-None-Match": this.#tags.get(path) ?? "" } : {});
        if (told.status !== status || !told.cache.includes(says)) {
          throw new Error(
            `${path} answered ${told.status} (${told.cache}) where ${status} (${says}) was to be measured.`,
          );
        }
        if (!knows) this.#tags.set(path, told.tag);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, connection));
    return ((this.worker.seconds - before) / count) * 1e6;
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
