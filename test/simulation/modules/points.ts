import type { SimulationModule } from "../simulation-module";

const BOARDS = ["main", "main", "capped", "capped", "best", "last"] as const;

/** Points, on their way from a room to the database by the worker's own statements. */
export const points: SimulationModule = {
  name: "points",
  moves: {
    award: {
      weight: 12,
      run(deployment, random) {
        const object = random.pick(deployment.objects);
        const user = deployment.pickClient(random, (client) => client.object === object)?.user;
        const host = deployment.pickClient(
          random,
          (client) => client.object === object && client.role !== "player",
        );
        const board = random.pick(BOARDS);
        const tie = board === "best" ? { tie: random.below(3) } : {};
        if (user !== undefined)
          host?.do("scores", "award", { user, board, points: random.below(12) - 2, ...tie });
      },
    },
  },

  /** Points count for the calendar day, by the machine's clock, to within a quarter of an hour. */
  onRecord(deployment, object, _, record) {
    const { now } = deployment.clock;
    const skews = object.skews.filter(
      ({ at }, place) => (object.skews[place + 1]?.at ?? now) > now - 70_000 || at > now,
    );
    for (const [f, n, d] of record.p ?? []) {
      if (f !== "scores" || n !== "added") continue;
      const at = (JSON.parse(d) as { owes?: { lastAt: number } }).owes?.lastAt;
      const near = [...skews.map(({ skewMs }) => skewMs), object.process.skewMs];
      if (at !== undefined && near.every((skewMs) => Math.abs(at - now - skewMs) > 1_000_000))
        deployment.reportBreach(
          20,
          `points of ${new Date(now).toISOString()} are counted for ${new Date(at).toISOString()}`,
        );
    }
  },

  /** At the end every point has counted once. Each batch is checked when it is applied. */
  checkEnded: ({ services: outside }) => outside.scoreboard.checkEnded(),
};
