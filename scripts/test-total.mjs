// Adds up what vitest's json reporter wrote: test-total.mjs <folder of reports> [check that failed]…
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder = ".", ...checks] = process.argv.slice(2);
let passed = 0;
let failed = 0;
/** The names of the reports, to which a check of that name has nothing to add. */
const counted = new Set();

for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const report = JSON.parse(readFileSync(join(folder, file), "utf8"));
  passed += report.numPassedTests;
  // A file that cannot even be loaded has no tests to fail.
  const broken = report.testResults.filter(hasNoTests).length;
  failed += report.numFailedTests + broken;
  if (report.numFailedTests + broken > 0) counted.add(file.replace(/\.json$/, "").replaceAll("-", " "));
}
for (const check of checks) {
  console.log(`failed: ${check}`);
  if (!counted.has(check)) failed += 1;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** @param {{ status: string, assertionResults: unknown[] }} result */
function hasNoTests(result) {
  return result.status === "failed" && result.assertionResults.length === 0;
}
