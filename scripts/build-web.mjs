// The pages, from web/ into dist/web/. With --watch it stays, and builds again at every change.
import { buildPages, watchPages } from "./pages.mjs";

/** @param {string | undefined} problem */
function reportBuild(problem) {
  if (problem === undefined) console.log("built the pages");
  else console.error(problem);
}

try {
  await buildPages();
  reportBuild(undefined);
} catch (error) {
  reportBuild(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
if (process.argv.includes("--watch")) watchPages(reportBuild);
