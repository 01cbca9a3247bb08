import { appendFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { formatReport } from "./chaos/report";
import { type ChaosPlan, ChaosRun } from "./chaos/run";
import { freshSeed } from "./random";

/** `npm run chaos` passes its options; without it, this is the short form of each test run. */
const givenPlan = JSON.parse(process.env.CHAOS ?? "{}") as Partial<ChaosPlan>;
const SHORT_PLAN = { players: 30, clients: 4, awards: 1_000, faults: 8 };
const platforms =
  givenPlan.platform === undefined ? (["cloudflare", "partykit"] as const) : [givenPlan.platform];
const STARTING_AND_SETTLING_MS = 900_000;
/** On a machine that has much else to do. */
const AWARD_MS = 100;

describe("points while servers are killed, stalled, cut off, refused or out of disk", () => {
  it.each(platforms)(
    "[R1] on %s the acknowledged points, the room's and the database's are equal for every player",
    async (platform) => {
      const plan: ChaosPlan = { seed: freshSeed(), ...SHORT_PLAN, ...givenPlan, platform };
      const startedAt = Date.now();
      const again = `npm run chaos -- --platform ${platform} --seed ${plan.seed}`;
      console.log(`${platform}: seed ${plan.seed}`);
      const run = new ChaosRun(plan);
      try {
        await run.deployment.start();
        await run.run();
        const violations = await run.findViolations();
        const sums = await run.readTotals();
        console.log(await formatReport(run, sums, startedAt));
        expect(sums.differing, again).toEqual([]);
        expect(violations.slice(0, 20), again).toEqual([]);
        expect(run.sentCount).toBeGreaterThanOrEqual(plan.awards);
        if (plan.minutes === undefined) expect(run.schedule.faultCount).toBeGreaterThanOrEqual(plan.faults);
        expect(run.deployment.lostResponses, "answers lost after D1 committed").toBeGreaterThan(0);
      } catch (error) {
        if (process.env.CHAOS_LOG) appendFileSync(process.env.CHAOS_LOG, run.deployment.log);
        throw error;
      } finally {
        await run.stop();
      }
    },
    (givenPlan.minutes ?? 0) * 60_000 + (givenPlan.awards ?? 0) * AWARD_MS + STARTING_AND_SETTLING_MS,
  );
});
