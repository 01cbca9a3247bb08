import { scenarios } from "./scenarios.mjs";
import { count, maxRateSummary, quantile, summary, title } from "./summary.mjs";

/**
 * @typedef {import("./run.mjs").Results} Results
 * @typedef {{ reached: boolean | undefined, text: string }} Verdict reached undefined: a figure that is told, without a target
 */

/** What was set out to be shown, and whether it was. Only what this run has measured is judged. @param {Results} results @returns {Verdict[]} */
export function judge(results) {
  return [
    ...topTimes(results, "a", "naive", 10),
    ...topTimes(results, "a", "ws", 6),
    ...topTimes(results, "a", "socketio", 6),
    ...processor(results, "a", 200, "naive", 0.85),
    ...atMost(results, "a", 200, "p50", 10),
    ...holds(results, "a", 200),
    ...atMost(results, "b", 300, "cores", 0.7),
    ...atMost(results, "b", 300, "p50", 80),
    ...holds(results, "b", 300),
    ...naiveTop(results),
    ...topTimes(results, "b", "naive", 20),
    ...processor(results, "c", 2000, "stored", 1.2),
    ...processorSideBySide(results, "c", 1.2),
    ...p50Beyond(results, "c", 2000, "stored", 2),
    ...holds(results, "c", 2000),
    ...processor(results, "c", 2000, "naive", undefined),
  ];
}

/** @param {Results} results @param {string} scenario @param {string} subject @param {number} rate */
function fixed(results, scenario, subject, rate) {
  const samples = results.get(scenario)?.get(subject)?.fixed.get(rate);
  return samples === undefined ? undefined : summary(samples);
}

/** @param {Results} results @param {string} scenario @param {string} peer @param {number} target @returns {Verdict[]} */
function topTimes(results, scenario, peer, target) {
  const ours = maxRateSummary(results.get(scenario)?.get("ours"));
  const theirs = maxRateSummary(results.get(scenario)?.get(peer));
  if (ours === undefined || theirs === undefined) return [];
  const times = ours.delivered / theirs.delivered;
  const text = `(${scenario}) top ${times.toFixed(1)} times that of ${title(peer)}: ${count(ours.delivered)} to ${count(theirs.delivered)} deliveries a second`;
  return [{ reached: times >= target, text: `${text} (at least ${target})` }];
}

/** @param {Results} results @param {string} scenario @param {number} rate @param {string} peer @param {number | undefined} target @returns {Verdict[]} */
function processor(results, scenario, rate, peer, target) {
  const ours = fixed(results, scenario, "ours", rate);
  const theirs = fixed(results, scenario, peer, rate);
  if (ours === undefined || theirs === undefined) return [];
  const times = ours.perMillion / theirs.perMillion;
  const text = `(${scenario}) at ${count(rate)} messages a second, ${times.toFixed(2)} of the processor time of ${title(peer)}`;
  return [
    {
      reached: target === undefined ? undefined : times <= target,
      text: target === undefined ? text : `${text} (at most ${target})`,
    },
  ];
}

/** @param {Results} results @param {string} scenario @param {number} target @returns {Verdict[]} */
function processorSideBySide(results, scenario, target) {
  const pairs = results.get(scenario)?.get("ours")?.pairs ?? [];
  if (pairs.length === 0) return [];
  // A window that did not hold is no measure of what it costs; that ours did not is a target missed.
  const held = pairs.filter((pair) => pair.every((sample) => sample.held));
  const times = held.map(([ours, theirs]) => ours.perMillion / theirs.perMillion);
  const lost = pairs.filter(([ours]) => !ours.held).length;
  const theirs = pairs.length - held.length - lost;
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(times, share));
  const text = `(${scenario}) side by side, ${middle?.toFixed(2)} of the processor time of ${title(scenarios[scenario]?.beside ?? "")}: median of ${times.length} pairs of windows, half of them between ${low?.toFixed(2)} and ${high?.toFixed(2)}${lost > 0 ? `; in ${lost} more ours did not hold` : ""}${theirs > 0 ? `; in ${theirs} more the other did not` : ""}`;
  return [{ reached: lost === 0 && Number(middle) <= target, text: `${text} (at most ${target})` }];
}

/** @param {Results} results @param {string} scenario @param {number} rate @param {"p50" | "cores"} figure @param {number} target @returns {Verdict[]} */
function atMost(results, scenario, rate, figure, target) {
  const ours = fixed(results, scenario, "ours", rate);
  if (ours === undefined) return [];
  const told = { p50: `p50 ${ours.p50.toFixed(1)} ms`, cores: `${ours.cores.toFixed(2)} of a core` }[figure];
  return [
    {
      reached: ours[figure] <= target,
      text: `(${scenario}) at ${count(rate)} messages a second, ${told} (at most ${target})`,
    },
  ];
}

/** @param {Results} results @param {string} scenario @param {number} rate @param {string} peer @param {number} target ms @returns {Verdict[]} */
function p50Beyond(results, scenario, rate, peer, target) {
  const ours = fixed(results, scenario, "ours", rate);
  const theirs = fixed(results, scenario, peer, rate);
  if (ours === undefined || theirs === undefined) return [];
  const beyond = ours.p50 - theirs.p50;
  const text = `(${scenario}) p50 ${ours.p50.toFixed(1)} ms, ${beyond.toFixed(1)} ms more than ${title(peer)}`;
  return [{ reached: beyond <= target, text: `${text} (at most ${target})` }];
}

/** @param {Results} results @param {string} scenario @param {number} rate @returns {Verdict[]} */
function holds(results, scenario, rate) {
  const ours = fixed(results, scenario, "ours", rate);
  if (ours === undefined) return [];
  const text = `(${scenario}) at ${count(rate)} messages a second, ${ours.held ? "nothing missing, no growing backlog" : ours.failure}`;
  return [{ reached: ours.held, text }];
}

/** @param {Results} results @returns {Verdict[]} */
function naiveTop(results) {
  const theirs = maxRateSummary(results.get("b")?.get("naive"));
  return theirs === undefined
    ? []
    : [
        {
          reached: undefined,
          text: `(b) ${title("naive")} stops at ${count(theirs.rate)} messages a second`,
        },
      ];
}
