import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";
import { mutants } from "./mutant-list.mjs";

// Puts each fault into the core, alone, and runs seeds until the simulation finds it. `--only word` for some of them.
const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "400" },
    steps: { type: "string", default: "300" },
    only: { type: "string", default: "" },
  },
});
const folder = ".cache/simulation/mutants";
mkdirSync(folder, { recursive: true });
const chosen = mutants.filter(({ what }) => what.includes(values.only));
let missed = 0;
console.log("| fault | found by | after seeds |\n|---|---|---|");
for (const [number, { what, changes }] of chosen.entries()) {
  const file = `${folder}/${process.pid}-${number}.mjs`;
  await bundle(file, changes);
  const { play, storyOf } = await import(`${process.cwd()}/${file}`);
  let found = "";
  for (let seed = 1; seed <= Number(values.seeds) && !found; seed++) {
    const { breach } = await play(storyOf(seed, Number(values.steps)));
    if (breach) found = `${breach.invariant} | ${seed}`;
  }
  if (!found) missed++;
  console.log(`| ${what} | ${found || `**nothing** | ${values.seeds}`} |`);
}
console.log(`\n${chosen.length - missed} of ${chosen.length} found.`);
process.exit(missed > 0 ? 1 : 0);
