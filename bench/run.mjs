import { fanoutBench } from "./fanout/run.mjs";
import { playersBench } from "./players/run.mjs";
import { scoreboardBench } from "./scoreboard/run.mjs";

// One name, one question; everything after the name is the bench's own.
/** @type {Record<string, (args: string[]) => Promise<void>>} */
const benches = { fanout: fanoutBench, players: playersBench, scoreboard: scoreboardBench };

const [name = "", ...args] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) {
  console.error(`npm run bench -- <${Object.keys(benches).join("|")}> [options]`);
  process.exitCode = 1;
} else {
  try {
    await bench(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
