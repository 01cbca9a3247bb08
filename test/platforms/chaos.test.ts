import { appendFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { report } from "./chaos/report";
import { ChaosRun, type Plan } from "./chaos/run";
import { freshSeed } from "./random";

/** `npm run chaos` hands over what it was asked for; without it, this is the short form of each test run. */
const given = JSON.parse(process.env.CHAOS ?? "{}") as Partial<Plan>;
const SHORT = { players: 30, people: 4, awards: 1_000, blows: 8 };
const platforms = given.platform === undefined ? (["cloudflare", "partykit"] as const) : [given.platform];
const STARTING_AND_SETTLING_MS = 900_000;
/** On a machine that has much else to do. */
const AWARD_MS = 100;

describe("points, whatever is killed, stalled, cut, refused or full meanwhile", () => {
  it.each(platforms)(
    "[R1] on %s: acknowledged = the room's = the database's, for every player",
    async (platform) => {
      const plan: Plan = { seed: freshSeed(), ...SHORT, ...given, platform };
      const startedAt = Date.now();
      const again = `npm run chaos -- --platform ${platform} --seed ${plan.seed}`;
      console.log(`${platform}: seed ${plan.seed}`);
      const run = new ChaosRun(plan);
      try {
        await run.deployment.start();
        await run.play();
        const faults = await run.faults();
        const sums = await run.sums();
        console.log(await report(run, sums, startedAt));
        expect(sums.differing, again).toEqual([]);
        expect(faults.slice(0, 20), again).toEqual([]);
        expect(run.sent).toBeGreaterThanOrEqual(plan.awards);
        if (plan.minutes === undefined) expect(run.storm.blows).toBeGreaterThanOrEqual(plan.blows);
        expect(run.deployment.lostAnswers, "answers lost after D1 committed").toBeGreaterThan(0);
      } catch (error) {
        if (process.env.CHAOS_LOG) appendFileSync(process.env.CHAOS_LOG, run.deployment.log);
        throw error;
      } finally {
        await run.stop();
      }
    },
    (given.minutes ?? 0) * 60_000 + (given.awards ?? 0) * AWARD_MS + STARTING_AND_SETTLING_MS,
  );
});
