import { describe, expect, it } from "vitest";
import type { BatchEntry } from "../../../src/protocol/batch";
import type { Boards } from "../../../src/room/board";
import { AT, CountedDatabase, entry, ranked, Scoring, wrongSpans } from "./database";

const boards = (name: string): Boards => ({ [name]: { combine: "sum", periods: ["all", "day", "week"] } });
const PERIODS_AND_BOARDS = 3 * 2;

const players = (board: string, count: number, points = (at: number) => at + 1): BatchEntry[] =>
  Array.from({ length: count }, (_, at) => entry(board, `user-${at}`, points(at), { seq: at }));

describe("what a batch costs", () => {
  it("is one call and a fixed number of statements, at most 4 rows written a player, board and period", async () => {
    const counted = new CountedDatabase();
    const one = new Scoring(boards("one"), { db: counted.db });
    await one.apply(players("one", 1));
    const { calls, statements } = counted;
    expect(calls).toBe(1);

    counted.reset();
    const room = new Scoring(boards("hundred"), { db: counted.db });
    await room.apply(players("hundred", 100));
    const figures = [
      `100 new players: ${counted.calls} call, ${counted.statements} statements, ${counted.written} rows`,
    ];
    expect({ calls: counted.calls, statements: counted.statements }).toEqual({ calls: 1, statements });
    expect(counted.written).toBeLessThanOrEqual(4 * 100 * PERIODS_AND_BOARDS);

    counted.reset();
    await room.apply(players("hundred", 100, (at) => 200 - at));
    figures.push(
      `100 who move: ${counted.calls} call, ${counted.statements} statements, ${counted.written} rows`,
    );
    expect({ calls: counted.calls, statements: counted.statements }).toEqual({ calls: 1, statements });
    expect(counted.written).toBeLessThanOrEqual(4 * 100 * PERIODS_AND_BOARDS);

    // Beside it, a write an award: 1,000 awards by 100 players, each its own batch of one.
    counted.reset();
    const naive = new Scoring(boards("naive"), { db: counted.db });
    for (let award = 0; award < 50; award += 1) {
      await naive.apply([entry("naive", `user-${award % 100}`, 1, { lastAt: AT + award, firstAt: AT })]);
    }
    const perAward = { calls: counted.calls / 50, written: counted.written / 50 };
    figures.push(`1,000 awards one by one: ${1000 * perAward.calls} calls, ${1000 * perAward.written} rows`);
    expect(1).toBeLessThanOrEqual(0.01 * 1000 * perAward.calls);
    console.log(figures.join("\n"));
  });

  it("stays one call for 10,000 players, and the counts stay right", async () => {
    const counted = new CountedDatabase();
    const room = new Scoring(boards("crowd"), { db: counted.db });
    const long = "界".repeat(20);
    await room.apply(players("crowd", 10_000).map((one) => ({ ...one, name: long })));
    expect(counted.calls).toBe(1);
    expect(counted.written).toBeLessThanOrEqual(4 * 10_000 * PERIODS_AND_BOARDS);
    counted.reset();
    await room.apply(players("crowd", 10_000, (at) => (at % 7) - 3).filter(({ points }) => points !== 0));
    expect(counted.calls).toBe(1);
    expect(counted.written).toBeLessThanOrEqual(4 * 10_000 * PERIODS_AND_BOARDS);
    console.log(`10,000 who move: ${counted.written} rows written, ${counted.read} read`);
    expect(await ranked("crowd")).toHaveLength(10_000);
    expect(await wrongSpans()).toEqual([]);
  }, 60_000);
});
