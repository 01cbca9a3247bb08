import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Harness } from "./harness.mjs";
import { findMaxRate } from "./max-rate.mjs";
import { printReport } from "./report.mjs";
import { scenarios } from "./scenarios.mjs";
import { GENERATOR_CORE } from "./server.mjs";
import { sideBySide } from "./side-by-side.mjs";
import { subjects } from "./subjects.mjs";

const peers = join(dirname(fileURLToPath(import.meta.url)), "..", "peers");

const usage = `npm run bench -- fanout [--scenario a,b,c] [--subject ${Object.keys(subjects).join(",")}]
                        [--turns 3] [--quick] [--fixed-only] [--through-proxy] [--json file]`;

/**
 * @typedef {import("./sample.mjs").Sample} Sample
 * @typedef {object} Result of one subject in one scenario, over all turns
 * @property {Map<number, Sample[]>} fixed by rate
 * @property {import("./max-rate.mjs").Top[]} tops
 * @property {import("./side-by-side.mjs").Pair[]} pairs of ours, where that is compared with one other window by window
 * @property {string[]} errors
 *
 * @typedef {Map<string, Map<string, Result>>} Results by scenario and subject
 */

/** @param {string[]} args */
export async function fanoutBench(args) {
  const options = readOptions(args);
  requireLinux();
  pinTo(GENERATOR_CORE);
  if (options.subjects.some((name) => subjects[name]?.peers)) installPeers();

  /** @type {Results} */
  const results = new Map(
    options.scenarios.map((name) => [
      name,
      new Map(options.subjects.map((subject) => [subject, emptyResult()])),
    ]),
  );
  let interrupted = false;
  process.once("SIGINT", () => {
    interrupted = true;
    console.error("\nstopping after this sample; once more to stop now");
    process.once("SIGINT", () => process.exit(130));
  });

  for (let turn = 0; turn < options.turns; turn++) {
    for (const scenario of options.scenarios) {
      for (const subject of options.subjects) {
        if (interrupted) break;
        const result = /** @type {Result} */ (results.get(scenario)?.get(subject));
        await takeTurn(scenario, subject, turn, result, options, () => interrupted);
      }
    }
  }
  for (const scenario of options.scenarios) {
    const ours = results.get(scenario)?.get("ours");
    if (ours && !interrupted) await takePairs(scenario, ours, options, () => interrupted);
  }
  printReport(results, options);
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify(plainResults(results), undefined, 1)}\n`);
}

/**
 * All rates of one subject in one scenario, once.
 * @param {string} scenarioName
 * @param {string} subjectName
 * @param {number} turn
 * @param {Result} result
 * @param {ReturnType<typeof readOptions>} options
 * @param {() => boolean} interrupted
 */
async function takeTurn(scenarioName, subjectName, turn, result, options, interrupted) {
  const scenario = /** @type {import("./scenarios.mjs").Scenario} */ (scenarios[scenarioName]);
  const subject = /** @type {import("./subjects.mjs").Subject} */ (subjects[subjectName]);
  const harness = new Harness(subject, scenario, { throughProxy: options.throughProxy, seed: 1 + turn });
  const say = (/** @type {string} */ text) =>
    console.error(`turn ${turn + 1} (${scenarioName}) ${subject.title}: ${text}`);
  try {
    let startRate = scenario.startRate;
    for (const [n, { rate }] of scenario.fixed.entries()) {
      if (interrupted()) return;
      const warmMs = n === 0 ? options.newcomerWarmMs : options.fixed.warmMs;
      const sample = await harness.sample({ rate, ...options.fixed, warmMs });
      const samples = result.fixed.get(rate) ?? [];
      result.fixed.set(rate, [...samples, sample]);
      say(`${rate} messages a second: ${inShort(sample)}`);
      if (!sample.held && sample.void.length === 0) break; // a higher rate would only fill its memory
      startRate = Math.max(startRate, rate);
    }
    if (options.fixedOnly) return;
    // Where an earlier turn has found the top already, begin near it.
    const before = result.tops[0]?.sample?.rate;
    const top = await findMaxRate(
      async (rate) => {
        if (interrupted()) throw new Error("interrupted");
        const sample = await harness.sample({ rate, ...options.probe });
        say(`${Math.round(rate)} messages a second: ${inShort(sample)}`);
        return sample;
      },
      { startRate: before === undefined ? startRate : before * 0.9, precision: options.precision },
    );
    result.tops.push(top);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    result.errors.push(text);
    say(text);
  } finally {
    await harness.tearDown();
  }
}

/**
 * Ours and what it is compared with, a window each in turn.
 * @param {string} scenarioName
 * @param {Result} result
 * @param {ReturnType<typeof readOptions>} options
 * @param {() => boolean} interrupted
 */
async function takePairs(scenarioName, result, options, interrupted) {
  const scenario = /** @type {import("./scenarios.mjs").Scenario} */ (scenarios[scenarioName]);
  const { beside, fixed } = scenario;
  const ours = subjects.ours;
  const theirs = beside === undefined || !options.subjects.includes(beside) ? undefined : subjects[beside];
  const rate = fixed[0]?.rate;
  if (ours === undefined || theirs === undefined || rate === undefined) return;
  const { pairs, livedMs, throughProxy } = options;
  try {
    const load = { rate, pairs, livedMs, throughProxy, seed: 1 };
    await sideBySide([ours, theirs], scenario, load, result.pairs, interrupted);
    const times = result.pairs.map(([one, other]) => (one.perMillion / other.perMillion).toFixed(2));
    console.error(`(${scenarioName}) side by side with ${theirs.title}: ${times.join(", ")}`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    result.errors.push(text);
    console.error(`(${scenarioName}) side by side with ${theirs.title}: ${text}`);
  }
}

/** @param {Sample} sample */
function inShort(sample) {
  const state = sample.held ? "held" : `not held (${sample.failures.join("; ")})`;
  const doubt = sample.void.length > 0 ? `, VOID: ${sample.void.join("; ")}` : "";
  return (
    `${Math.round(sample.delivered).toLocaleString("en")} deliveries/s, p50 ${sample.p50.toFixed(1)} ms, ` +
    `${sample.cores.toFixed(2)} cores, generator ${sample.generator.cores.toFixed(2)}, ${state}${doubt}`
  );
}

/** @returns {Result} */
const emptyResult = () => ({ fixed: new Map(), tops: [], pairs: [], errors: [] });

/** @param {string[]} args */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      scenario: { type: "string", default: Object.keys(scenarios).join(",") },
      subject: { type: "string", default: Object.keys(subjects).join(",") },
      turns: { type: "string" },
      quick: { type: "boolean", default: false },
      "fixed-only": { type: "boolean", default: false },
      "through-proxy": { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const { quick } = values;
  const turns = Number(values.turns ?? (quick ? 1 : 3));
  if (!Number.isInteger(turns) || turns < 1 || turns > 20)
    throw new Error(`--turns is a number from 1 to 20\n${usage}`);
  return {
    scenarios: pick(values.scenario, scenarios, "scenario"),
    subjects: pick(values.subject, subjects, "subject"),
    turns,
    quick,
    fixedOnly: values["fixed-only"],
    throughProxy: values["through-proxy"],
    json: values.json,
    // Compiling and the first growth of the heap are not the cost of a message.
    newcomerWarmMs: quick ? 500 : 15_000,
    fixed: quick ? { warmMs: 500, windowMs: 2000 } : { warmMs: 5000, windowMs: 5000 },
    pairs: quick ? 2 : 6 * turns,
    // Rooms keep two minutes, and let what is older go at every 512th frame: after this long all of that has begun.
    livedMs: quick ? 6_000 : 210_000,
    probe: quick ? { warmMs: 400, windowMs: 1600 } : { warmMs: 800, windowMs: 3200 },
    precision: quick ? 1.25 : 1.08,
  };
}

/** @param {string} list @param {Record<string, unknown>} from @param {string} what */
function pick(list, from, what) {
  const names = list.split(",").filter((name) => name !== "");
  for (const name of names) {
    if (!Object.hasOwn(from, name))
      throw new Error(`there is no ${what} ${name}; there are ${Object.keys(from).join(", ")}\n${usage}`);
  }
  return names;
}

function requireLinux() {
  if (process.platform !== "linux")
    throw new Error("bench/fanout reads processor times from /proc, which only Linux has");
  if (availableParallelism() < 2)
    throw new Error("bench/fanout wants one core for the server and one for the generator");
}

/** Keeps this process, all its threads, on one core. @param {number} core */
function pinTo(core) {
  const { status } = spawnSync("taskset", [
    "--all-tasks",
    "--cpu-list",
    "--pid",
    String(core),
    String(process.pid),
  ]);
  if (status !== 0)
    throw new Error("bench/fanout needs taskset (util-linux) to give server and generator a core each");
}

function installPeers() {
  if (existsSync(join(peers, "node_modules", ".package-lock.json"))) return;
  console.error("installing bench/peers");
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--silent"], {
    cwd: peers,
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) throw new Error("npm ci in bench/peers failed");
}

/** @param {Results} results */
function plainResults(results) {
  return Object.fromEntries(
    [...results].map(([scenario, bySubject]) => [
      scenario,
      Object.fromEntries(
        [...bySubject].map(([subject, { fixed, tops, pairs, errors }]) => [
          subject,
          { fixed: Object.fromEntries(fixed), tops, pairs, errors },
        ]),
      ),
    ]),
  );
}
