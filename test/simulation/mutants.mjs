import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";
import { mutants } from "./mutant-list.mjs";
import { playSeeds } from "./seeds.mjs";

// Puts each fault into the core, alone, and plays seeds until the simulation finds it. `--only word` for some of them.
const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "5000" },
    steps: { type: "string", default: "100" },
    jobs: { type: "string", default: String(availableParallelism()) },
    only: { type: "string", default: "" },
  },
});
const folder = ".cache/simulation/mutants";
mkdirSync(folder, { recursive: true });
const chosen = mutants.filter(({ what }) => what.includes(values.only));
/** @type {string[]} */
const lines = chosen.map(() => "");
let printed = 0;
let missedCount = 0;
let next = 0;

async function work() {
  for (let at = next++; at < chosen.length; at = next++) {
    const mutant = chosen[at];
    if (!mutant) return;
    const bundled = `${folder}/${process.pid}-${at}.mjs`;
    await bundle(bundled, mutant.changes);
    const { found } = await playSeeds({
      file: pathToFileURL(bundled).href,
      from: 1,
      count: Number(values.seeds),
      steps: Number(values.steps),
      jobs: 1,
      seconds: Number.POSITIVE_INFINITY,
    });
    rmSync(bundled);
    if (!found) missedCount++;
    const by = found ? `${found.invariant} | ${found.seed} |` : `**nothing** | ${values.seeds} |`;
    lines[at] = `| ${mutant.what} | ${by}`;
    // In the list's order, as soon as they are known.
    while (lines[printed]) console.log(lines[printed++]);
  }
}

console.log("| fault | found by | after seeds |\n|---|---|---|");
await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, work));
console.log(`\n${chosen.length - missedCount} of ${chosen.length} found.`);
process.exit(missedCount > 0 ? 1 : 0);
