/** Two rates closer than this are the same top. */
const PRECISION = 1.08;
const PROBES_AT_MOST = 14;

/**
 * @typedef {import("./sample.mjs").Sample} Sample
 * @typedef {{ sample: Sample | undefined, failed: Sample | undefined, generatorLimited: boolean }} Top
 *   sample: the highest rate that held, with nothing missing and no growing backlog; failed: the lowest that did not
 */

/**
 * Doubles the rate until something gives way, then closes in by halves. Bounded, whatever the answers.
 * @param {(rate: number) => Promise<Sample>} probe
 * @param {{ startRate: number, precision?: number }} options
 * @returns {Promise<Top>}
 */
export async function findMaxRate(probe, { startRate, precision = PRECISION }) {
  /** @type {Sample | undefined} */ let held;
  /** @type {Sample | undefined} */ let failed;
  let rate = startRate;
  for (let probes = 0; probes < PROBES_AT_MOST; probes++) {
    const sample = await probe(rate);
    // Where the generator was the limit, the subject has not failed, but there is no measuring it further up.
    if (sample.held && !sample.generatorLimited) held = sample;
    else failed = sample;

    if (held === undefined) rate /= 2;
    else if (failed === undefined) rate *= 2;
    else if (failed.rate / held.rate <= precision) break;
    else rate = Math.sqrt(held.rate * failed.rate);
    if (rate < 1) break;
  }
  return { sample: held, failed, generatorLimited: failed?.generatorLimited ?? false };
}
