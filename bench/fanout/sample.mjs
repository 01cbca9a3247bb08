/** Everything has to be there this soon after the last message, or the backlog has grown. */
const DRAIN_MS = 1000;
/** Of what is sent, how much the backlog may grow, and by how much in all: less is noise of a window of some seconds. */
const GROWTH_ALLOWED = 0.02;
const GROWTH_ALLOWED_MS = 100;
/** How far delivery may fall behind within the window: a stall at its end is hardly a slope, but no holding either. */
const BEHIND_ALLOWED_MS = 250;
/** Above this the generator may be what is measured. */
const GENERATOR_CPU_LIMIT = 0.85;
const GENERATOR_LAG_LIMIT_MS = 25;
/** Somebody else's work, in cores, that makes a sample worthless. */
const NOISE_LIMIT = 0.1;

/**
 * @typedef {object} Observations
 * @property {number} rate
 * @property {number} offered
 * @property {import("./load.mjs").Reading} first
 * @property {import("./load.mjs").Reading} last
 * @property {{ at: number, backlog: number }[]} backlogs
 * @property {boolean} gaveUp
 * @property {number} drainMs
 * @property {number} lagMs
 * @property {Float64Array} latencies sorted
 * @property {number} missing
 * @property {number} surplus
 * @property {string[]} troubles
 *
 * @typedef {object} Sample
 * @property {number} rate messages a second
 * @property {number} offered deliveries a second that these should make
 * @property {number} delivered deliveries a second
 * @property {number} p50 ms
 * @property {number} p99 ms
 * @property {number} cores processors the server kept busy (without what `apart` lists)
 * @property {number} perMillion processor seconds of the server per million deliveries
 * @property {Record<string, number>} apart processors that its tools kept busy
 * @property {number} missing deliveries that never came
 * @property {number} surplus deliveries that came twice
 * @property {number} growth how fast the backlog grew, as a share of what was offered
 * @property {number} drainMs from the last message sent to the last delivery; Infinity if it never came
 * @property {number | undefined} frames frames a second at one observer
 * @property {{ cores: number, lagMs: number }} generator
 * @property {number} others processors that neither the server nor the generator used
 * @property {boolean} held nothing missing, nothing refused, no growing backlog
 * @property {string[]} failures why it did not hold
 * @property {string[]} void why this sample says nothing about the subject
 * @property {boolean} generatorLimited the generator is why
 */

/** @param {Observations} observed @returns {Sample} */
export function judgeSample(observed) {
  const { first, last, offered, latencies, missing, surplus, drainMs, lagMs } = observed;
  const seconds = (last.at - first.at) / 1000;
  const delivered = (last.received - first.received) / seconds;
  const behindMs = (1 - delivered / offered) * seconds * 1000;
  const cores = (last.server - first.server) / seconds;
  const apart = Object.fromEntries(
    Object.entries(last.apart).map(([name, now]) => [name, (now - Number(first.apart[name])) / seconds]),
  );
  const generator = { cores: (last.generator - first.generator) / seconds, lagMs };
  const known = cores + generator.cores + sum(Object.values(apart));
  const others = Math.max(0, (last.machine - first.machine) / seconds - known);
  const growth = slope(observed.backlogs) / offered;
  const growing = growth > GROWTH_ALLOWED && growth * seconds * 1000 > GROWTH_ALLOWED_MS;

  const failures = sentences([
    [observed.gaveUp, "the backlog ran away"],
    [missing > 0, `${missing} deliveries missing`],
    [surplus > 0, `${surplus} deliveries too many`],
    [growing, `backlog growing by ${(growth * 100).toFixed(0)} % of what is offered`],
    [behindMs > BEHIND_ALLOWED_MS, `fell ${Math.round(behindMs)} ms behind`],
    [drainMs > DRAIN_MS, Number.isFinite(drainMs) ? `${Math.round(drainMs)} ms to drain` : "never drained"],
  ]).concat(observed.troubles);
  const overworked = generator.cores > GENERATOR_CPU_LIMIT;
  const late = lagMs > GENERATOR_LAG_LIMIT_MS;
  const noisy = others > NOISE_LIMIT;
  return {
    rate: observed.rate,
    offered,
    delivered,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cores,
    perMillion: (cores / delivered) * 1e6,
    apart,
    missing,
    surplus,
    growth,
    drainMs,
    frames: last.frames > first.frames ? (last.frames - first.frames) / seconds : undefined,
    generator,
    others,
    held: failures.length === 0,
    failures,
    void: sentences([
      [overworked, `the generator used ${generator.cores.toFixed(2)} of its core`],
      [late, `the generator's loop was ${lagMs.toFixed(0)} ms late`],
      [noisy, `other programs used ${others.toFixed(2)} of a core`],
    ]),
    generatorLimited: overworked || (late && !noisy),
  };
}

/** @param {[boolean, string][]} cases */
const sentences = (cases) => cases.filter(([applies]) => applies).map(([, text]) => text);

/** Least squares, in deliveries a second. @param {{ at: number, backlog: number }[]} points */
function slope(points) {
  const middle = sum(points.map(({ at }) => at)) / points.length;
  const above = sum(points.map(({ at, backlog }) => (at - middle) * backlog));
  const below = sum(points.map(({ at }) => (at - middle) ** 2));
  return below === 0 ? 0 : (above / below) * 1000;
}

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** @param {Float64Array} sorted @param {number} share */
const quantile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
