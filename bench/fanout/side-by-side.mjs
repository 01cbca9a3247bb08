import { Stand } from "./stand.mjs";

/** A window for each in less time than rooms take to fall asleep. */
const WINDOW = { warmMs: 1000, windowMs: 2500 };
/** What the rooms talk in turn before they are measured, in windows as short. */
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
 * @param {() => boolean} interrupted
 * @returns {Promise<Pair[]>}
 */
export async function sideBySide(subjects, scenario, options, interrupted) {
  const { rate, pairs, livedMs } = options;
  const [ours, theirs] = subjects.map((subject) => new Stand(subject, scenario, options));
  if (ours === undefined || theirs === undefined) throw new Error("side by side stand two");
  /** @type {Pair[]} */
  const taken = [];
  try {
    for (let lived = 0; lived < livedMs && !interrupted(); lived += LIVED.windowMs) {
      await ours.once({ rate, ...LIVED });
      await theirs.once({ rate, ...LIVED });
    }
    for (let tries = 0; taken.length < pairs && tries < 2 * pairs && !interrupted(); tries++) {
      /** @type {Pair} */
      const pair = [await ours.once({ rate, ...WINDOW }), await theirs.once({ rate, ...WINDOW })];
      if (pair.every((sample) => sample.void.length === 0)) taken.push(pair);
    }
  } finally {
    await ours.clear();
    await theirs.clear();
  }
  return taken;
}
