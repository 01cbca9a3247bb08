import { subjects } from "./subjects.mjs";

/** @typedef {import("./sample.mjs").Sample} Sample */

/** What is told of some samples of the same thing: medians, each by itself. @param {Sample[]} samples */
export function summary(samples) {
  const sound = samples.filter((sample) => sample.void.length === 0);
  const told = sound.length > 0 ? sound : samples;
  const pick = (/** @type {(sample: Sample) => number} */ of) => median(told.map(of));
  return {
    count: told.length,
    sound: sound.length > 0,
    rate: pick(({ rate }) => rate),
    delivered: pick(({ delivered }) => delivered),
    p50: pick(({ p50 }) => p50),
    p99: pick(({ p99 }) => p99),
    cores: pick(({ cores }) => cores),
    perMillion: pick(({ perMillion }) => perMillion),
    frames: told.every(({ frames }) => frames !== undefined)
      ? pick(({ frames }) => Number(frames))
      : undefined,
    beside: told.every(({ apart }) => Object.keys(apart).length > 0)
      ? pick(({ apart }) => Object.values(apart).reduce((total, cores) => total + cores, 0))
      : undefined,
    generator: pick(({ generator }) => generator.cores),
    held: told.every(({ held }) => held),
    missing: Math.max(...told.map(({ missing }) => missing)),
    failure: told.find(({ held }) => !held)?.failures[0],
    doubts: sound.length > 0 ? [] : (told[0]?.void ?? []),
  };
}

/** @typedef {ReturnType<typeof summary>} Summary */

/** The top over all turns; undefined where no rate at all held. @param {import("./run.mjs").Result | undefined} result */
export function maxRateSummary(result) {
  const samples = (result?.tops ?? []).flatMap(({ sample }) => (sample === undefined ? [] : [sample]));
  return samples.length === 0 ? undefined : summary(samples);
}

/** @param {string} subject */
export const title = (subject) => subjects[subject]?.title ?? subject;

/** @param {number} value */
export const count = (value) => Math.round(value).toLocaleString("en");

/** @param {number[]} values */
const median = (values) => quantile(values, 0.5);

/** @param {number[]} values @param {number} share */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = Number(sorted[Math.floor(at)]);
  return below + (Number(sorted[Math.ceil(at)]) - below) * (at % 1);
}
