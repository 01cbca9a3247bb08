import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { freshSeed } from "../platforms/random";
import { bundle } from "../simulation/bundle.mjs";
import { mutants } from "../simulation/mutant-list.mjs";
import type * as simulate from "../simulation/simulate";

/** Every run in continuous integration plays these seeds; `npm run simulate` plays further ones. */
const FIXED = 25;
/** Every run plays different ones; `FRESH_SEEDS=1000` plays more of them, `SEED=…` those of a run that failed. */
const FRESH = Number(process.env.FRESH_SEEDS ?? 10);
const STEPS = 120;

let simulation: typeof simulate;

beforeAll(async () => {
  mkdirSync(".cache/simulation", { recursive: true });
  const file = `.cache/simulation/unit-${process.pid}.mjs`;
  await bundle(file);
  simulation = await import(pathToFileURL(file).href);
  rmSync(file);
}, 60_000);

async function readTrace(seed: number): Promise<string[]> {
  const lines: string[] = [];
  await simulation.playScenario(simulation.generateScenario(seed, STEPS), (line) => lines.push(line));
  return lines;
}

async function findBreach(seed: number): Promise<string | undefined> {
  const { breach } = await simulation.playScenario(simulation.generateScenario(seed, STEPS));
  return breach && `seed ${seed}, ${STEPS} steps: ${breach.message}`;
}

describe("the list of mutants", () => {
  it("the list names pieces of the core as they are in the source, each once", () => {
    const lost = mutants.flatMap(({ what, changes }) =>
      changes.filter(({ file, find }) => readFileSync(file, "utf8").split(find).length !== 2).map(() => what),
    );
    expect(lost).toEqual([]);
  });
});

describe("the simulation", () => {
  it("the simulation repeats the same history for the same seed, byte for byte", async () => {
    for (const seed of [7, 8]) {
      const lines = await readTrace(seed);
      expect(lines.length).toBeGreaterThan(300);
      expect(await readTrace(seed)).toEqual(lines);
    }
  });

  it("the simulation gives another history for another seed", async () => {
    expect(await readTrace(7)).not.toEqual(await readTrace(8));
  });

  it.each(readdirSync("test/simulation/scenarios"))(
    "the simulation plays %s, which found a bug once",
    async (name) => {
      const scenario = JSON.parse(readFileSync(`test/simulation/scenarios/${name}`, "utf8"));
      expect((await simulation.playScenario(scenario)).breach?.message).toBeUndefined();
    },
  );

  it(`the simulation keeps its invariants for ${FIXED} fixed seeds`, async () => {
    for (let seed = 1; seed <= FIXED; seed++) expect(await findBreach(seed)).toBeUndefined();
  }, 300_000);

  const fresh = freshSeed();
  it(`the simulation keeps its invariants for ${FRESH} fresh seeds from ${fresh}`, async () => {
    for (let seed = fresh; seed < fresh + FRESH; seed++) expect(await findBreach(seed)).toBeUndefined();
  }, 600_000);
});
