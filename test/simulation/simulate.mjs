import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";
import { playSeeds } from "./seeds.mjs";

const USAGE = `npm run simulate -- [--seeds N] [--seed S] [--steps K] [--jobs J] [--for seconds] [--trace] [--scenario file]
  --seeds N   so many seeds, from S on (100)
  --seed S    where to begin; a fresh one if absent
  --steps K   moves a seed (300)
  --jobs J    threads that play seeds side by side (one a core)
  --for T     no new seed after T seconds
  --trace     every step on a line, of one seed
  --scenario F  plays a scenario that a failing run left`;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    seed: { type: "string" },
    steps: { type: "string", default: "300" },
    jobs: { type: "string", default: String(availableParallelism()) },
    for: { type: "string", default: "0" },
    scenario: { type: "string" },
    trace: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const folder = ".cache/simulation";
mkdirSync(folder, { recursive: true });
// A file of its own, so that two runs side by side do not delete each other's code.
const bundled = `${folder}/simulate-${process.pid}.mjs`;
const file = pathToFileURL(bundled).href;
await bundle(bundled);
process.on("exit", () => rmSync(bundled, { force: true }));
const { generateScenario, invariants, playScenario, shrink } = await import(file);
// `head` on a trace closes the pipe: exit quietly, and not as a run without a breach.
process.stdout.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(141);
});
const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);

if (values.scenario !== undefined) {
  const { breach } = await playScenario(JSON.parse(readFileSync(values.scenario, "utf8")), print);
  finish(breach);
}

const steps = parseWholeNumber("steps", values.steps);
const from =
  values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : parseWholeNumber("seed", values.seed);
if (values.trace) {
  const { breach } = await playScenario(generateScenario(from, steps), print);
  finish(breach);
}

const startedAt = Date.now();
let toldAt = startedAt;
const { total, found } = await playSeeds({
  file,
  from,
  count: parseWholeNumber("seeds", values.seeds),
  steps,
  jobs: Math.max(1, parseWholeNumber("jobs", values.jobs)),
  seconds: parseWholeNumber("for", values.for) || Number.POSITIVE_INFINITY,
  // A long run reports its progress.
  tell(soFar) {
    if (Date.now() - toldAt < 60_000) return;
    toldAt = Date.now();
    print(`${soFar.seeds} seeds …`);
  },
});
if (found) await showBreach(found);
const seconds = (Date.now() - startedAt) / 1000;
const hours = total.simulatedMs / 3_600_000;
const { user, system } = process.cpuUsage();
print(
  `${formatNumber(total.seeds)} seeds from ${from}, ${formatNumber(total.steps)} steps, ${formatNumber(hours)} simulated hours in ${seconds.toFixed(1)} s (${((user + system) / 1e6).toFixed(0)} s of processor): ${formatNumber((hours * 3600) / seconds)} times real time. No breach.`,
);
print(`  ${formatCounts(total.counts)}`);
print(`  faults: ${formatCounts(total.faultCounts)}`);

/** @param {{ seed: number, invariant: number, what: string }} breach */
async function showBreach(breach) {
  const { seed, invariant, what } = breach;
  print(
    `\nSeed ${seed} breaks ${invariant}: ${invariants[/** @type {keyof typeof invariants} */ (invariant)]}\n  ${what}\n`,
  );
  const shrunk = await shrink(generateScenario(seed, steps), invariant);
  const left = `${folder}/${seed}.json`;
  writeFileSync(left, `${JSON.stringify(shrunk, null, 1)}\n`);
  print(`${shrunk.steps.length} of ${steps} steps are enough:\n`);
  await playScenario(shrunk, print);
  print(
    `\nAgain:  npm run simulate -- --seed ${seed} --seeds 1 --steps ${steps}\nShort:  npm run simulate -- --scenario ${left}`,
  );
  finish(breach);
}

function formatCounts(/** @type {Record<string, number>} */ counts) {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${formatNumber(count)} ${name}`)
    .join(", ");
}

function formatNumber(/** @type {number} */ value) {
  return Math.round(value).toLocaleString("en");
}

function finish(/** @type {{ invariant: number, what: string } | undefined} */ breach) {
  if (breach) print(`\n[${breach.invariant}] ${breach.what}`);
  process.exit(breach ? 1 : 0);
}

function parseWholeNumber(/** @type {string} */ name, /** @type {string} */ text) {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} is a whole number; "${text}" is not.\n${USAGE}`);
  process.exit(2);
}
