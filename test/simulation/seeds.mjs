import { Worker } from "node:worker_threads";

/** @typedef {{ seed: number, invariant: number, what: string }} Found */
/** @typedef {{ seeds: number, steps: number, simulatedMs: number, counts: Record<string, number>, faultCounts: Record<string, number> }} Total */

/** The number of seeds that a worker gets at once. */
const SEEDS_PER_TASK = 20;

/**
 * Plays seeds on so many threads, until one of them breaks something, all are done, or time is up.
 * @param {{ file: string, from: number, count: number, steps: number, jobs: number, seconds: number, tell?: (total: Total) => void }} given
 * @returns {Promise<{ total: Total, found?: Found }>}
 */
export async function playSeeds({ file, from, count, steps, jobs, seconds, tell }) {
  const endsAt = Date.now() + seconds * 1000;
  /** @type {Total} */
  const total = { seeds: 0, steps: 0, simulatedMs: 0, counts: {}, faultCounts: {} };
  let next = from;
  /** @type {Found | undefined} */
  let found;
  const isOver = () => found !== undefined || next >= from + count || Date.now() > endsAt;

  /** @returns {Promise<void>} */
  const work = () =>
    new Promise((done, failed) => {
      const worker = new Worker(new URL("worker.mjs", import.meta.url), { workerData: { file } });
      const more = () => {
        if (isOver()) return void worker.terminate().then(() => done(), failed);
        const to = Math.min(next + SEEDS_PER_TASK, from + count);
        worker.postMessage({ from: next, to, steps });
        next = to;
      };
      worker.on("error", failed);
      worker.on("message", (/** @type {{ total: Total, breach?: Found }} */ said) => {
        add(total, said.total);
        tell?.(total);
        // Of several the first seed, so that it is the same one however many threads there are.
        if (said.breach && (!found || said.breach.seed < found.seed)) found = said.breach;
        more();
      });
      more();
    });
  await Promise.all(Array.from({ length: jobs }, work));
  return found ? { total, found } : { total };
}

/**
 * @param {Total} total
 * @param {Total} some
 */
function add(total, { seeds, steps, simulatedMs, counts, faultCounts }) {
  total.seeds += seeds;
  total.steps += steps;
  total.simulatedMs += simulatedMs;
  for (const [name, count] of Object.entries(counts)) total.counts[name] = (total.counts[name] ?? 0) + count;
  for (const [sort, count] of Object.entries(faultCounts))
    total.faultCounts[sort] = (total.faultCounts[sort] ?? 0) + count;
}
