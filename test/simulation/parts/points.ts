import { applyBatch } from "../../../src/boards/apply-batch";
import { openBoardBook } from "../../../src/boards/board-book";
import type { Hidden } from "../../../src/features/scores/hidden";
import { standings } from "../../../src/features/scores/hidden";
import { batchOf } from "../../../src/platform/batch-errand";
import type { Json } from "../../../src/protocol/messages";
import { SimulatedDatabase } from "../database";
import type { Deployment } from "../deployment";
import type { Part } from "../part";

const databases = new WeakMap<Deployment, SimulatedDatabase>();

/** Points, on their way from a room to the database by the worker's own statements. */
export const points: Part = {
  name: "points",
  moves: {
    award: {
      weight: 12,
      go(deployment, chance) {
        const user = deployment.anyTab(chance)?.user;
        const host = deployment.anyTab(chance, (tab) => tab.role !== "player");
        if (user !== undefined) host?.do("scores", "award", { user, points: 1 + chance.below(9) });
      },
    },
  },

  /** At any time: no more in the database than is durable in rooms. */
  stored(deployment) {
    if (databases.has(deployment)) compare(deployment, (stored, owed) => stored > owed);
  },

  /** At last: all of it, once. */
  ended: (deployment) => compare(deployment, (stored, owed) => stored !== owed),
};

/** Whatever a room sends, however often; D1's answer. */
export async function takeBatch(deployment: Deployment, ask: Json): Promise<Json> {
  const [kind] = deployment.kinds;
  const answer = await applyBatch(
    databaseOf(deployment) as unknown as Parameters<typeof applyBatch>[0],
    openBoardBook([kind]),
    batchOf(ask),
    Math.floor(deployment.clock.now),
  );
  if (!answer.applied && answer.reason === "gap")
    deployment.breach(20, `a batch leaves a gap: ${JSON.stringify(ask)}`);
  return answer as unknown as Json;
}

function databaseOf(deployment: Deployment): SimulatedDatabase {
  const held = databases.get(deployment) ?? new SimulatedDatabase();
  databases.set(deployment, held);
  return held;
}

function compare(deployment: Deployment, isWrong: (stored: number, owed: number) => boolean): void {
  const owed = new Map<string, number>();
  for (const { truth } of deployment.objects) {
    for (const { hidden } of truth.lives.values()) {
      const { standings: all } = hidden.get("scores") as Hidden;
      for (const { user, total } of standings.rows(all)) owed.set(user, (owed.get(user) ?? 0) + total);
    }
  }
  // The best first by an ascending index: there the most points are the least number.
  const stored = new Map(
    databaseOf(deployment)
      .rows(
        "select user, -score as score from scores join rankings on id = ranking where board = 'main' and period = 'all'",
      )
      .map(({ user, score }) => [String(user), Number(score)]),
  );
  for (const user of new Set([...owed.keys(), ...stored.keys()])) {
    const [here, there] = [stored.get(user) ?? 0, owed.get(user) ?? 0];
    if (isWrong(here, there))
      deployment.breach(20, `${user} has ${here} points in the database, and was given ${there}`);
  }
}
