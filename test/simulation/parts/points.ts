import type { Part } from "../part";

const BOARDS = ["main", "main", "capped", "capped", "best", "last"] as const;

/** Points, on their way from a room to the database by the worker's own statements. */
export const points: Part = {
  name: "points",
  moves: {
    award: {
      weight: 12,
      go(deployment, chance) {
        const object = chance.pick(deployment.objects);
        const user = deployment.anyone(chance, (client) => client.object === object)?.user;
        const host = deployment.anyone(
          chance,
          (client) => client.object === object && client.role !== "player",
        );
        const board = chance.pick(BOARDS);
        const tie = board === "best" ? { tie: chance.below(3) } : {};
        if (user !== undefined)
          host?.do("scores", "award", { user, board, points: chance.below(12) - 2, ...tie });
      },
    },
  },

  /** At last: all of it, once. Each batch is looked at when it is applied. */
  ended: ({ outside }) => outside.scoreboard.ended(),
};
