import type { ChaosRun, Sums } from "./run";

const whole = (count: number) => count.toLocaleString("en");

/** What was done to them, and what came of it, in lines for a person. */
export async function report(run: ChaosRun, sums: Sums, startedAt: number): Promise<string> {
  const { plan, deployment, storm, acknowledged } = run;
  const { done, refused, unknown } = await run.promises();
  const cuts = [...deployment.clients.counts, ...(deployment.link?.counts ?? [])];
  const byWay = new Map<string, number>();
  for (const [way, count] of cuts) byWay.set(way, (byWay.get(way) ?? 0) + count);
  const list = (counts: Iterable<[string, number]>) =>
    [...counts].map(([what, count]) => `${count} ${what}`).join(", ");
  const { disk } = deployment;
  return [
    `${plan.platform}, seed ${plan.seed}, ${((Date.now() - startedAt) / 1000).toFixed(0)} s`,
    `  ${whole(run.sent)} awards to ${plan.players} players, ${whole(run.repeats)} sent again; ${acknowledged.unknown} of unknown outcome`,
    `  ${plan.people} with our own client: ${whole(done)} promises kept, ${refused} told that it was not done, ${unknown} of unknown outcome`,
    `  ${storm.blows} blows: ${list(storm.counts)}`,
    `  connections cut: ${list(byWay)}`,
    typeof disk === "string"
      ? `  not done: a full disk, for ${disk}`
      : `  writes that a full disk refused, as the servers tell: ${deployment.refusedWrites}`,
    `  batches that D1 had committed when their answer was lost: ${deployment.lostAnswers}`,
    ...deployment.deadStarts.map((why) => `  started again, for it never answered: ${why}`),
    `  acknowledged ${whole(sums.acknowledged)}, the room's ${whole(sums.room)}, the database's ${whole(sums.database)}; players for whom they differ: ${sums.differing.length}`,
  ].join("\n");
}
