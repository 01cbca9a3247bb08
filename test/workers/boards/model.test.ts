import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Board } from "../../../src/room/api/board";
import { BoardModel } from "../../support/board-model";
import { AT, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

const boards: [string, Board][] = [
  ["sum", { combine: "sum", periods: ["all"] }],
  ["sum-lowest", { combine: "sum", order: "lowest", periods: ["all"] }],
  ["sum-daily", { combine: "sum", maxPerDay: 12, periods: ["all", "day"] }],
  ["best", { combine: "best", tie: "highest", periods: ["all"] }],
  ["best-lowest", { combine: "best", order: "lowest", tie: "lowest", periods: ["all"] }],
  ["last", { combine: "last", tie: "lowest", periods: ["all"] }],
];

/** Few players, points and moments, so that ties, repeats and batches that come late are the rule. */
const entries = fc.array(
  fc.record({
    user: fc.constantFrom("ann", "bob", "cat", "dan", "eve"),
    points: fc.integer({ min: -6, max: 9 }),
    tie: fc.integer({ min: 0, max: 2 }),
    hour: fc.integer({ min: 0, max: 30 }),
    ms: fc.integer({ min: 0, max: 2 }),
    room: fc.integer({ min: 0, max: 1 }),
  }),
  { maxLength: 8 },
);
let runs = 0;

describe("a board after any batches", () => {
  it.each(boards)(
    "[B6] the board is what a plain model says: %s",
    async (kind, board) => {
      await fc.assert(
        fc.asyncProperty(fc.array(entries, { minLength: 1, maxLength: 5 }), async (batches) => {
          runs += 1;
          const name = `${kind}-${runs}`;
          const rooms = [0, 1].map(() => new ScoringRoom({ [name]: board }));
          const model = new BoardModel(board);
          let seq = 0;
          for (const batch of batches) {
            for (const [at, room] of rooms.entries()) {
              // One entry a player and quarter of an hour, as a ledger has it.
              const seen = new Set<string>();
              const made = batch
                .filter(
                  (one) =>
                    one.room === at &&
                    !seen.has(`${one.user} ${one.hour}`) &&
                    seen.add(`${one.user} ${one.hour}`),
                )
                .map(({ user, points, tie, hour, ms }) => {
                  seq += 1;
                  const lastAt = AT + hour * 3_600_000 + ms;
                  return entry(name, user, points, { tie, firstAt: lastAt, lastAt, seq });
                });
              await room.apply(made);
              model.apply(made);
            }
          }
          const turn = board.order === "lowest" ? 1 : -1;
          const tieTurn = board.combine !== "sum" && board.tie === "lowest" ? 1 : -1;
          const rows = (await readRanking(name, "all", turn, tieTurn)).map(({ name: _, ...row }) => row);
          expect(rows).toEqual(model.ranking());
        }),
        { numRuns: 40 },
      );
      expect(await findWrongSpans()).toEqual([]);
    },
    60_000,
  );

  it("every span's count is right while the board fills, ties by the thousand, moves and empties", async () => {
    const room = new ScoringRoom({ spans: { combine: "sum", feeds: "kind" } });
    const count = 4_000;
    const step = (points: (at: number) => number) =>
      room.apply(
        Array.from({ length: count }, (_, at) =>
          entry("spans", `user-${at}`, points(at), { seq: at }),
        ).filter((one) => one.points !== 0),
      );
    await step(() => 7);
    expect(await findWrongSpans()).toEqual([]);
    await step((at) => (at % 2 ? at : 0));
    expect(await findWrongSpans()).toEqual([]);
    await step((at) => -at);
    expect(await findWrongSpans()).toEqual([]);
    for (let again = 0; again < 12; again += 1) await step((at) => (at % 9 === again ? 100_000 : 0));
    expect(await findWrongSpans()).toEqual([]);
  }, 60_000);
});
