import { fanout, scenarios } from "./scenarios.mjs";
import { count, maxRateSummary, summary, title } from "./summary.mjs";
import { judge } from "./targets.mjs";

/**
 * @typedef {import("./sample.mjs").Sample} Sample
 * @typedef {import("./run.mjs").Results} Results
 * @typedef {import("./run.mjs").Result} Result
 * @typedef {import("./summary.mjs").Summary} Summary
 */

/** @param {Results} results @param {{ turns: number, quick: boolean, throughProxy: boolean }} options */
export function printReport(results, options) {
  for (const [name, bySubject] of results) {
    const scenario = /** @type {import("./scenarios.mjs").Scenario} */ (scenarios[name]);
    console.log(`\n(${name}) ${scenario.title}`);
    for (const { rate, why } of scenario.fixed) {
      console.log(
        `\n  ${count(rate)} messages a second, ${count(rate * fanout(scenario))} deliveries a second${why ? ` (${why})` : ""}`,
      );
      table([...bySubject].map(([subject, { fixed }]) => fixedRow(subject, fixed.get(rate))));
    }
    if ([...bySubject.values()].some(({ tops }) => tops.length > 0)) {
      console.log("\n  at the top: the highest rate with nothing missing and no growing backlog");
      table([...bySubject].map(([subject, result]) => topRow(subject, result)));
    }
    for (const [subject, { errors }] of bySubject) {
      for (const error of errors) console.log(`\n  ${title(subject)} went wrong: ${error}`);
    }
  }
  const verdicts = judge(results);
  if (verdicts.length > 0) {
    console.log("\nTargets");
    for (const { reached, text } of verdicts)
      console.log(`  ${reached === undefined ? "  told " : reached ? "reached" : "MISSED "}  ${text}`);
  }
  console.log(
    `\nMedians of ${options.turns}${options.quick ? " (quick: short windows, coarse tops; figures to look at, not to quote)" : ""}. ` +
      `Server and generator had a core each; workerd was reached ${options.throughProxy ? "through wrangler's proxy" : "directly, past wrangler's proxy"}.`,
  );
}

const header = [
  "",
  "deliveries/s",
  "p50 ms",
  "p99 ms",
  "cores",
  "beside",
  "s/million",
  "frames/s",
  "generator",
  "",
];

/** @param {string} subject @param {Sample[] | undefined} samples */
function fixedRow(subject, samples) {
  if (samples === undefined) return blank(subject, "not tried");
  const told = summary(samples);
  return [...row(subject, told), notes(told)];
}

/** @param {string} subject @param {Result} result */
function topRow(subject, result) {
  const told = maxRateSummary(result);
  if (told === undefined) return blank(subject, result.tops.length > 0 ? "no rate held" : "not tried");
  const limited = result.tops.some(({ generatorLimited }) => generatorLimited);
  return [
    ...row(subject, told),
    [`${count(told.rate)} messages/s`, limited ? "AT LEAST: the generator's limit" : "", notes(told)]
      .filter(Boolean)
      .join("; "),
  ];
}

/** @param {string} subject @param {string} why @returns {string[]} */
const blank = (subject, why) =>
  header.map((_, column) => [title(subject), "–"][column] ?? (column === header.length - 1 ? why : ""));

/** @param {string} subject @param {Summary} told */
const row = (subject, told) => [
  title(subject),
  count(told.delivered),
  told.p50.toFixed(1),
  told.p99.toFixed(1),
  told.cores.toFixed(2),
  told.beside === undefined ? "" : told.beside.toFixed(2),
  told.perMillion.toFixed(2),
  told.frames === undefined ? "" : told.frames.toFixed(0),
  told.generator.toFixed(2),
];

/** @param {Summary} told */
const notes = (told) =>
  [told.held ? "" : `NOT HELD: ${told.failure}`, told.sound ? "" : `VOID: ${told.doubts.join("; ")}`]
    .filter(Boolean)
    .join("; ");

/** @param {string[][]} rows */
function table(rows) {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((cells) => String(cells[column]).length)));
  for (const cells of all) {
    const line = cells.map((cell, column) =>
      column === 0 || column === cells.length - 1
        ? cell.padEnd(Number(widths[column]))
        : cell.padStart(Number(widths[column])),
    );
    console.log(`    ${line.join("  ").trimEnd()}`);
  }
}
