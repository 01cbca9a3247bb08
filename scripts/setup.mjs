// Run by `npm install`: secrets for this clone, and the pages, so that `npx partykit dev` works by itself afterwards.
import { makeEnvFile } from "./env-file.mjs";
import { linkPartykit } from "./partykit-bin.mjs";

try {
  const made = makeEnvFile();
  linkPartykit();
  const pages = await buildPages();
  console.log(`tallyroom: ${made ? "wrote .env with fresh secrets" : "kept .env"}, ${pages}`);
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : String(problem));
  process.exitCode = 1;
}

async function buildPages() {
  try {
    await import("esbuild");
  } catch {
    return "built no pages (`npm install --omit=dev` leaves esbuild out)";
  }
  const pages = await import("./pages.mjs");
  await pages.buildPages();
  return "built the pages";
}
