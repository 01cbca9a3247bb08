#!/usr/bin/env node
// What `npx partykit` runs in this clone, once `npm install` has put it into node_modules/.bin: partykit, reached from this machine alone.
import { fileURLToPath } from "node:url";

const program = new URL("../node_modules/partykit/dist/bin.mjs", import.meta.url);
process.argv[1] = fileURLToPath(program);
await import("./local-only.mjs");
await import(program.href);
