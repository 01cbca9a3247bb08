import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QUARTER_MS } from "../../../src/protocol/batch";
import type { Boards } from "../../../src/room/api/board";
import type { RankKey } from "../../../src/services/boards/store/rank-order";
import { readPage } from "../../../src/services/boards/store/read-board";
import { nextResetAt } from "../../../src/services/boards/store/resolve";
import { AT, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

/** When a day ends there, from an almanac and not from our code: zone, day before, day after, the first moment of the latter. */
const midnights: [string, string, string, string, string][] = [
  ["an ordinary midnight", "UTC", "2026-11-20", "2026-11-21", "2026-11-21T00:00Z"],
  ["west of UTC", "America/New_York", "2026-11-20", "2026-11-21", "2026-11-21T05:00Z"],
  ["three quarters of an hour off", "Asia/Kathmandu", "2026-11-20", "2026-11-21", "2026-11-20T18:15Z"],
  ["beyond the date line, in summer", "Pacific/Chatham", "2026-11-20", "2026-11-21", "2026-11-20T10:15Z"],
  [
    "the last night before clocks go forward",
    "Pacific/Chatham",
    "2026-09-26",
    "2026-09-27",
    "2026-09-26T11:15Z",
  ],
  ["after a day of 23 hours", "Pacific/Chatham", "2026-09-27", "2026-09-28", "2026-09-27T10:15Z"],
  ["after a day of 25 hours", "Pacific/Chatham", "2027-04-04", "2027-04-05", "2027-04-04T11:15Z"],
  ["after a day of 23 hours", "America/New_York", "2027-03-14", "2027-03-15", "2027-03-15T04:00Z"],
  ["after a day of 25 hours", "America/New_York", "2026-11-01", "2026-11-02", "2026-11-02T05:00Z"],
  ["after a day of 23 hours", "Europe/Berlin", "2027-03-28", "2027-03-29", "2027-03-28T22:00Z"],
  [
    "after clocks that moved by half an hour",
    "Australia/Lord_Howe",
    "2026-10-04",
    "2026-10-05",
    "2026-10-04T13:00Z",
  ],
  ["into a day that begins at one", "Africa/Cairo", "2026-04-23", "2026-04-24", "2026-04-23T22:00Z"],
  ["after a last hour that came twice", "Africa/Cairo", "2026-10-29", "2026-10-30", "2026-10-29T22:00Z"],
  ["into a leap day", "UTC", "2028-02-28", "2028-02-29", "2028-02-29T00:00Z"],
  ["out of a leap day", "Asia/Kathmandu", "2028-02-29", "2028-03-01", "2028-02-29T18:15Z"],
  ["no leap day", "UTC", "2027-02-28", "2027-03-01", "2027-03-01T00:00Z"],
  ["a year's end", "America/St_Johns", "2026-12-31", "2027-01-01", "2027-01-01T03:30Z"],
];
const weeks: [string, string, string, string][] = [
  ["UTC", "2026-11-16", "2026-11-23", "2026-11-23T00:00Z"],
  ["Asia/Kathmandu", "2026-11-16", "2026-11-23", "2026-11-22T18:15Z"],
  ["Pacific/Chatham", "2026-09-21", "2026-09-28", "2026-09-27T10:15Z"],
  ["America/New_York", "2026-10-26", "2026-11-02", "2026-11-02T05:00Z"],
  ["Europe/Berlin", "2028-02-28", "2028-03-06", "2028-03-05T23:00Z"],
  ["UTC", "2026-12-28", "2027-01-04", "2027-01-04T00:00Z"],
];
let boards = 0;

/** One batch over the edge: a point a millisecond before, one at it, one each a quarter of an hour away. */
async function applyAcrossEdge(timeZone: string, edge: number, period: "day" | "week"): Promise<string> {
  boards += 1;
  const name = `edge-${boards}`;
  const declared: Boards = { [name]: { combine: "sum", periods: [period], timeZone } };
  const at = (ms: number, points: number) =>
    entry(name, "ann", points, { firstAt: edge + ms, lastAt: edge + ms, seq: points });
  await new ScoringRoom(declared).apply([at(-QUARTER_MS, 1), at(-1, 2), at(0, 4), at(QUARTER_MS, 8)]);
  return name;
}
const points = async (board: string, period: string) => (await readRanking(board, period))[0]?.points;

describe("[B4] points at an edge count where their time says", () => {
  it.each(midnights)("%s: %s, %s to %s", async (_, timeZone, before, after, moment) => {
    const edge = Date.parse(moment);
    const board = await applyAcrossEdge(timeZone, edge, "day");
    expect([await points(board, `day:${before}`), await points(board, `day:${after}`)]).toEqual([3, 12]);
    expect(nextResetAt("day", edge - 1, timeZone)).toBe(edge);
    expect(nextResetAt("day", edge, timeZone)).toBeGreaterThan(edge);
  });

  it.each(weeks)("a week in %s: %s to %s", async (timeZone, before, after, moment) => {
    const edge = Date.parse(moment);
    const board = await applyAcrossEdge(timeZone, edge, "week");
    expect([await points(board, `week:${before}`), await points(board, `week:${after}`)]).toEqual([3, 12]);
    expect(nextResetAt("week", edge - 1, timeZone)).toBe(edge);
  });
});

describe("[C3] paging while scores change", () => {
  const step = fc.record({
    limit: fc.integer({ min: 1, max: 7 }),
    moves: fc.array(
      fc.record({ user: fc.integer({ min: 0, max: 29 }), points: fc.integer({ min: -12, max: 12 }) }),
      { maxLength: 5 },
    ),
  });

  it("paging never skips or repeats a player who did not move, and ranks each page as it then is", async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
        runs += 1;
        const board = `paging-${runs}`;
        const room = new ScoringRoom({ [board]: { combine: "sum", feeds: "kind" } });
        // Five by five they have equal points.
        await room.apply(
          Array.from({ length: 25 }, (_, at) => entry(board, `u${at}`, 20 + (at % 5), { seq: at })),
        );
        const before = (await readRanking(board)).map(({ user }) => user);
        const moved = new Set<string>();
        const seen: string[] = [];
        let after: RankKey | undefined;
        for (let page = 0; ; page += 1) {
          const { limit, moves } = steps[page % steps.length] ?? { limit: 3, moves: [] };
          const ranking = { board, period: "all", sign: -1 as const };
          const read = await readPage(env.DB, ranking, { limit, ...(after ? { after } : {}) }, AT);
          const all = (await readRanking(board)).map(({ user }) => user);
          for (const { user, rank } of read.entries) expect(all.indexOf(user) + 1).toBe(rank);
          seen.push(...read.entries.map(({ user }) => user));
          if (!read.hasMore) break;
          after = read.entries.at(-1)?.place;
          if (page >= 40) throw new Error("It does not end.");
          const made = moves.filter(({ points }) => points !== 0);
          for (const [nth, { user, points }] of made.entries()) {
            moved.add(`u${user}`);
            const lastAt = AT + 1_000 * (page + 1) + nth;
            await room.apply([entry(board, `u${user}`, points, { lastAt, firstAt: AT })]);
          }
        }
        const still = (users: string[]) => users.filter((user) => !moved.has(user));
        expect(still(seen)).toEqual(still(before));
      }),
      { numRuns: 20 },
    );
    expect(await findWrongSpans()).toEqual([]);
  }, 120_000);
});
