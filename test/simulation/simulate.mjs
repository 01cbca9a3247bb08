import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";

const USAGE = `npm run simulate -- [--seeds N] [--seed S] [--steps K] [--trace] [--story file] [--for seconds]
  --seeds N   so many seeds, from S on (100)
  --seed S    where to begin; a fresh one if absent
  --steps K   moves a seed (300)
  --for T     no new seed after T seconds
  --trace     every step on a line
  --story F   plays a story that a failing run left`;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    seed: { type: "string" },
    steps: { type: "string", default: "300" },
    for: { type: "string" },
    story: { type: "string" },
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
await bundle(`${folder}/simulate.mjs`);
const { invariants, play, shrink, storyOf } = await import(`${process.cwd()}/${folder}/simulate.mjs`);
const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);

if (values.story !== undefined) {
  const { breach } = await play(JSON.parse(readFileSync(values.story, "utf8")), print);
  finish(breach);
}

const steps = whole("steps", values.steps);
const seeds =
  values.trace && process.argv.every((given) => !given.startsWith("--seeds"))
    ? 1
    : whole("seeds", values.seeds);
const from = values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : whole("seed", values.seed);
const startedAt = Date.now();
const seconds = () => (Date.now() - startedAt) / 1000;
const total = {
  seeds: 0,
  steps: 0,
  simulatedMs: 0,
  counts: /** @type {Record<string, number>} */ ({}),
  went: /** @type {Record<string, number>} */ ({}),
};

for (let seed = from; seed < from + seeds; seed++) {
  if (values.for !== undefined && seconds() > whole("for", values.for)) break;
  const story = storyOf(seed, steps);
  const { breach, at, simulatedMs, counts } = await play(story, values.trace ? print : undefined);
  total.seeds++;
  total.steps += at;
  total.simulatedMs += simulatedMs;
  for (const [name, count] of Object.entries(counts))
    total.counts[name] = (total.counts[name] ?? 0) + Number(count);
  if (!breach) continue;
  print(`\nSeed ${seed} breaks ${breach.invariant}: ${invariants[breach.invariant]}\n  ${breach.what}\n`);
  const short = await shrink(story, breach.invariant);
  const file = `${folder}/${seed}.json`;
  writeFileSync(file, `${JSON.stringify(short, null, 1)}\n`);
  print(`${short.steps.length} of ${steps} steps are enough:\n`);
  await play(short, print);
  print(
    `\nAgain:  npm run simulate -- --seed ${seed} --seeds 1 --steps ${steps}\nShort:  npm run simulate -- --story ${file}`,
  );
  finish(breach);
}

const hours = total.simulatedMs / 3_600_000;
print(
  `${total.seeds} seeds from ${from}, ${total.steps} steps, ${Object.entries(total.counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(
      ", ",
    )}\n${hours.toFixed(0)} simulated hours in ${seconds().toFixed(1)} s: ${Math.round((hours * 3600) / seconds()).toLocaleString("en")} times real time. No breach.`,
);

function finish(/** @type {{ invariant: number, what: string } | undefined} */ breach) {
  if (breach) print(`\n[${breach.invariant}] ${breach.what}`);
  process.exit(breach ? 1 : 0);
}

function whole(/** @type {string} */ name, /** @type {string} */ text) {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`--${name} is a whole number; "${text}" is not.\n${USAGE}`);
  process.exit(2);
}
