import type { ChaosRun, PointTotals } from "./run";

const formatCount = (count: number) => count.toLocaleString("en");

/** The faults of a run and its result, as text. */
export async function formatReport(run: ChaosRun, sums: PointTotals, startedAt: number): Promise<string> {
  const { plan, deployment, schedule, ackedAwards: acknowledged } = run;
  const { done, refused, unknown } = await run.countOutcomes();
  const cuts = [...deployment.clients.counts, ...(deployment.link?.counts ?? [])];
  const byWay = new Map<string, number>();
  for (const [way, count] of cuts) byWay.set(way, (byWay.get(way) ?? 0) + count);
  const list = (counts: Iterable<[string, number]>) =>
    [...counts].map(([what, count]) => `${count} ${what}`).join(", ");
  const { disk } = deployment;
  return [
    `${plan.platform}, seed ${plan.seed}, ${((Date.now() - startedAt) / 1000).toFixed(0)} s`,
    `  ${formatCount(run.sentCount)} awards to ${plan.players} players, ${formatCount(run.resendCount)} sent again; ${acknowledged.unknownCount} of unknown outcome`,
    `  ${plan.clients} with our own client: ${formatCount(done)} promises kept, ${refused} refused, ${unknown} of unknown outcome`,
    `  ${schedule.faultCount} faults: ${list(schedule.counts)}`,
    `  connections cut: ${list(byWay)}`,
    typeof disk === "string"
      ? `  not done: a full disk, for ${disk}`
      : `  writes that a full disk refused, by the servers' logs: ${deployment.rejectedWrites}`,
    `  batches that D1 had committed when their answer was lost: ${deployment.lostResponses}`,
    ...deployment.failedStarts.map((why) => `  started again because it never answered: ${why}`),
    `  acknowledged ${formatCount(sums.acknowledged)}, the room's ${formatCount(sums.room)}, the database's ${formatCount(sums.database)}; players for whom they differ: ${sums.differing.length}`,
  ].join("\n");
}
