import { parentPort, workerData } from "node:worker_threads";

/** One of the threads that play seeds: it gets a few at a time, and reports the results. */
const { generateScenario, playScenario } = await import(workerData.file);
const port = parentPort;
if (!port) throw new Error("It is run by `seeds.mjs`.");
port.on("message", async (/** @type {{ from: number, to: number, steps: number }} */ { from, to, steps }) => {
  const total = {
    seeds: 0,
    steps: 0,
    simulatedMs: 0,
    counts: /** @type {Record<string, number>} */ ({}),
    faultCounts: /** @type {Record<string, number>} */ ({}),
  };
  for (let seed = from; seed < to; seed++) {
    const { breach, at, simulatedMs, counts, faultCounts } = await playScenario(
      generateScenario(seed, steps),
    );
    total.seeds++;
    total.steps += at;
    total.simulatedMs += simulatedMs;
    for (const [name, count] of Object.entries(counts))
      total.counts[name] = (total.counts[name] ?? 0) + Number(count);
    for (const [sort, count] of Object.entries(faultCounts))
      total.faultCounts[sort] = (total.faultCounts[sort] ?? 0) + Number(count);
    if (breach) {
      const { invariant, what } = breach;
      return port.postMessage({ from, total, breach: { seed, invariant, what } });
    }
  }
  port.postMessage({ from, total });
});
