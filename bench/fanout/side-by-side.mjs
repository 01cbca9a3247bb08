import { Harness } from "./harness.mjs";

/** A window for each in less time than rooms take to fall asleep. */
const WINDOW = { warmMs: 1000, windowMs: 2500 };
/** What the rooms talk in turn before they are measured; no room falls asleep meanwhile. */
const LIVED = { warmMs: 0, windowMs: 6000 };

/**
 * @typedef {import("./sample.mjs").Sample} Sample
 * @typedef {[ours: Sample, theirs: Sample]} Pair of windows next to each other in time
 */

/**
 * Two subjects up at once, a window each in turn. A shared machine drifts by a third between minutes and hardly between
 * seconds: how much one costs of the other is told by windows that lie side by side. Before that their rooms have lived for
 * a while, so that what is done later for each message, to forget it and to make room for others, is counted too.
 *
 * @param {[import("./subjects.mjs").Subject, import("./subjects.mjs").Subject]} subjects
 * @param {import("./scenarios.mjs").Scenario} scenario
 * @param {{ rate: number, pairs: number, livedMs: number, throughProxy: boolean, seed: number }} options
 * @param {Pair[]} taken filled pair by pair, so that what goes wrong later takes none of them away
 * @param {() => boolean} interrupted
 */
export async function sideBySide(subjects, scenario, options, taken, interrupted) {
  const { rate, pairs, livedMs } = options;
  const [ours, theirs] = subjects.map((subject) => new Harness(subject, scenario, options));
  if (ours === undefined || theirs === undefined) throw new Error("side by side stand two");
  try {
    const budget = 2 * pairs + (3 * livedMs) / LIVED.windowMs;
    for (let tries = 0; taken.length < pairs && tries < budget && !interrupted(); tries++) {
      // A stand whose server had to be set up anew is young again, and the other lives on with it.
      if (Math.min(ours.loadedMs, theirs.loadedMs) < livedMs) {
        await ours.sampleOnce({ rate, ...LIVED });
        await theirs.sampleOnce({ rate, ...LIVED });
        continue;
      }
      /** @type {Pair} */
      const pair = [await ours.sampleOnce({ rate, ...WINDOW }), await theirs.sampleOnce({ rate, ...WINDOW })];
      if (pair.every((sample) => sample.void.length === 0)) taken.push(pair);
    }
  } finally {
    await ours.tearDown();
    await theirs.tearDown();
  }
}
