import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getPlatformProxy } from "wrangler";
import { describeContentProblem, isOutOfStep } from "../../src/services/boards/store/database-errors";
import { bundle } from "../simulation/bundle.mjs";
import type * as simulate from "../simulation/simulate";
import { freshSeed } from "./random";

type Row = Record<string, string | number | null>;
/** As much of D1 as is used here: this folder knows no workers' types. */
interface Prepared {
  bind(...given: unknown[]): Prepared;
  all(): Promise<{ results: Row[] }>;
}
interface D1 {
  prepare(sql: string): Prepared;
  batch(statements: Prepared[]): Promise<{ results: Row[] }[]>;
}

type Call = Awaited<ReturnType<typeof simulate.recordCalls>>["calls"][number];

const freshRunSeed = freshSeed();
const migrations = readdirSync("migrations")
  .filter((name) => name.endsWith(".sql"))
  .sort()
  .flatMap((name) => readFileSync(`migrations/${name}`, "utf8").split("--> statement-breakpoint"));

let simulation: typeof simulate;
let folder: string;
let proxy: Awaited<ReturnType<typeof getPlatformProxy<{ DB: D1 }>>>;

beforeAll(async () => {
  mkdirSync(".cache/simulation", { recursive: true });
  folder = mkdtempSync(".cache/simulation/engines-");
  await bundle(`${folder}/simulate.mjs`);
  simulation = await import(pathToFileURL(`${folder}/simulate.mjs`).href);
  proxy = await getPlatformProxy({ configPath: "wrangler.toml", persist: false, envFiles: [] });
}, 120_000);

afterAll(async () => {
  await proxy?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** The part of an error that the worker reads. */
function classifyError(error: unknown) {
  return { isOutOfStep: isOutOfStep(error), problem: describeContentProblem(error) };
}

async function resetDatabase(db: D1): Promise<void> {
  const { results } = await db
    .prepare(
      "select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name not like '\\_cf%' escape '\\'",
    )
    .all();
  if (results.length > 0) await db.batch(results.map(({ name }) => db.prepare(`drop table "${name}"`)));
  await db.batch(migrations.map((sql) => db.prepare(sql)));
}

async function runCall(db: D1, { statements }: Call): Promise<Call["outcome"] | { error: unknown }> {
  const prepared = statements.map(({ sql, given }) => db.prepare(sql).bind(...given));
  try {
    return (await db.batch(prepared)).map(({ results }) => results);
  } catch (error) {
    return { error };
  }
}

describe("the database of the simulation, and D1", () => {
  it.each([6, 10, 12, freshRunSeed])(
    "both answer every call of a scenario alike, and hold the same rows after it (seed %i)",
    async (seed) => {
      const { DB: db } = proxy.env;
      await resetDatabase(db);
      const { calls, tables } = await simulation.recordCalls(simulation.generateScenario(seed, 150));
      if (seed !== freshRunSeed) expect(calls.length).toBeGreaterThan(5);
      for (const [at, call] of calls.entries()) {
        const outcome = await runCall(db, call);
        const meant = call.outcome;
        if ("error" in meant) {
          expect("error" in outcome && classifyError(outcome.error), `call ${at}`).toEqual(
            classifyError(meant.error),
          );
        } else expect(outcome, `call ${at}`).toEqual(meant);
      }
      for (const [table, sql] of Object.entries(simulation.TABLES)) {
        expect((await db.prepare(sql).all()).results, table).toEqual(tables[table]);
      }
    },
  );
});
