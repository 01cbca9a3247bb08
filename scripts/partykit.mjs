#!/usr/bin/env node
// What `npx partykit` runs in this clone, once `npm install` has put it into node_modules/.bin: partykit, reached from this machine alone.
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { PROJECT } from "./project.mjs";
import { lockedSentence, lockState } from "./state-lock.mjs";

const [command, ...options] = process.argv.slice(2);
if (command === "dev") lockItsState(options);
const program = new URL("../node_modules/partykit/dist/bin.mjs", import.meta.url);
process.argv[1] = fileURLToPath(program);
await import("./local-only.mjs");
await import(program.href);

/** @param {string[]} options */
function lockItsState(options) {
  const at = options.findIndex((option) => /^--persist(=|$)/.test(option));
  const given = at < 0 ? undefined : (options[at]?.split("=")[1] ?? options[at + 1]);
  if (given === "false") return;
  const isFolder = given !== undefined && given !== "true" && !given.startsWith("-");
  const stateDir = isFolder ? resolve(given) : join(PROJECT, ".partykit/state");
  const locked = lockState(stateDir);
  if (locked.ok) return;
  console.error(lockedSentence(stateDir, locked.pid));
  process.exit(1);
}
