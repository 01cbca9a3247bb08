import { describe, expect, it } from "vitest";
import { ChaosRun, runs } from "./chaos-run";
import { freshSeed } from "./random";

/** `npm run chaos` is the long form; this one is short enough to be run each time. */
const SIZE =
  process.env.CHAOS === "long"
    ? { players: 200, awards: 20_000, blows: 30, timeoutMs: 900_000 }
    : { players: 40, awards: 1_500, blows: 4, timeoutMs: 240_000 };

/**
 * Run each time: one server that is killed and stalled. With PartyKit there are two and what lies between them, and a run in
 * three did not end within its time, for a reason not yet found: `npm run chaos` runs both.
 */
const runsHere = process.env.CHAOS ? runs : runs.slice(0, 1);

describe("points, whatever is killed, stalled or cut meanwhile", () => {
  it.each(runsHere)(
    "[R1] on $name: acknowledged = the room's = the database's, for every player",
    async ({ name, start }) => {
      const seed = freshSeed();
      console.log(`${name}: SEED=${seed}`);
      const run = new ChaosRun(seed, SIZE);
      try {
        await start(run);
        await run.play();
        const sums = await run.sums();
        console.log(
          `${name}: SEED=${seed}, ${run.blows.join(", ")}\n` +
            `${run.sent} awards to ${SIZE.players} players, ${run.repeats} sent again\n` +
            `acknowledged ${sums.acknowledged}, the room's ${sums.room}, the database's ${sums.database}`,
        );
        expect(run.blows.length).toBeGreaterThanOrEqual(SIZE.blows);
        expect(sums.differing, `SEED=${seed}`).toEqual([]);
      } finally {
        await run.stop();
      }
    },
    SIZE.timeoutMs,
  );
});
