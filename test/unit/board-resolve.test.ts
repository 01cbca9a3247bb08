import { describe, expect, it } from "vitest";
import { boardsFed } from "../../src/protocol/board-names";
import { bisect } from "../../src/services/boards/store/bisect";
import { createBoardRegistry } from "../../src/services/boards/store/board-registry";
import { describeContentProblem } from "../../src/services/boards/store/database-errors";
import { nextResetAt, resolveBoard, resolvePeriod } from "../../src/services/boards/store/resolve";

const DAY_MS = 86_400_000;
/** A Wednesday. */
const NOW = Date.UTC(2026, 10, 25, 12);
const registry = createBoardRegistry([
  {
    name: "main",
    boards: {
      main: { combine: "sum", periods: ["all", "day", "week", "season"] },
      kindly: { combine: "best", feeds: "kind" },
      own: { combine: "last", feeds: "room", timeZone: "Europe/Berlin" },
    },
  },
  { name: "stage" },
]);

describe("a board's id", () => {
  it.each([
    ["main", undefined],
    ["main:hall", "main/hall"],
    ["kindly", undefined],
    ["own:hall", "main/hall"],
  ])("%s is valid", (board, room) => {
    expect(resolveBoard(registry, board)).toMatchObject({ board, ...(room === undefined ? {} : { room }) });
  });

  it.each([
    "",
    "other",
    "main:hall:2",
    "main:",
    "main:..",
    "main:h/l",
    `main:${"x".repeat(65)}`,
    "kindly:hall",
    "own",
  ])("%s is invalid", (board) => {
    expect(resolveBoard(registry, board)).toBeUndefined();
  });
});

describe("a requested period", () => {
  const read = (requested: string, board = "main") => {
    const address = resolveBoard(registry, board);
    if (!address) throw new Error(board);
    const season = { board, season: "winter-2", opensAt: NOW - DAY_MS, closesAt: NOW + DAY_MS };
    return resolvePeriod(address.rules, requested, NOW, [season]);
  };

  it.each([
    ["all", "all"],
    ["day", "day:2026-11-25"],
    ["day:2026-11-25", "day:2026-11-25"],
    ["week", "week:2026-11-23"],
    ["season:winter-2", "season:winter-2"],
    ["season", "season:winter-2"],
  ])("%s is the current period", (requested, period) => {
    expect(read(requested)).toEqual({ ok: true, period, isClosed: false });
  });

  it.each(["day:2026-11-24", "week:2026-11-16", "day:2026-01-01"])("%s is over", (requested) => {
    expect(read(requested)).toEqual({ ok: true, period: requested, isClosed: true });
  });

  it.each([
    ...["", "year", "all:1", "season:winter-2:1", "day:", "day:today", "day:2026-02-30"],
    ...["day:2026-11-26", "day:2025-12-31", "week:2026-11-24", "week:2026-11-30", "day:2026-11-24:1"],
  ])("%s is invalid, and the answer says what is expected", (requested) => {
    expect(read(requested)).toMatchObject({ ok: false, problem: expect.stringContaining("season:<name>") });
  });

  it.each(["season:", "season:Winter", "season:winter"])(
    "%s is a season that does not exist",
    (requested) => {
      expect(read(requested)).toMatchObject({ ok: false, why: "unknown" });
    },
  );

  it("only the board's own periods are valid", () => {
    expect(read("day", "own:hall")).toMatchObject({ ok: false });
  });
});

describe("the end of a period", () => {
  it.each([
    ["day", "UTC", Date.UTC(2026, 10, 26)],
    ["week", "UTC", Date.UTC(2026, 10, 30)],
    ["day", "Asia/Kathmandu", Date.UTC(2026, 10, 25, 18, 15)],
    ["day", "Pacific/Kiritimati", Date.UTC(2026, 10, 26, 10)],
    ["week", "America/New_York", Date.UTC(2026, 10, 30, 5)],
  ] as const)("a %s ends in %s", (sort, zone, at) => {
    expect(nextResetAt(sort, NOW, zone)).toBe(at);
  });

  it("a day ends at the local midnight, even on the day on which clocks change", () => {
    expect(nextResetAt("day", Date.UTC(2026, 2, 29, 0), "Europe/Berlin")).toBe(Date.UTC(2026, 2, 29, 22));
    expect(nextResetAt("day", Date.UTC(2026, 9, 25, 0), "Europe/Berlin") - Date.UTC(2026, 9, 24, 22)).toBe(
      DAY_MS + 3_600_000,
    );
  });
});

describe("a board registry", () => {
  const sum = { combine: "sum" } as const;

  it("the registry rejects two kinds that share a board, or that feed each other's", () => {
    const kinds = (name: string) => [
      { name: "main", boards: { main: sum } },
      { name: "quiz", boards: { [name]: sum } },
    ];
    expect(() => createBoardRegistry(kinds("main"))).toThrow(
      'The board "main" belongs to "main" and to "quiz".',
    );
    expect(() => createBoardRegistry([{ name: "quiz", boards: { main: sum } }, { name: "main" }])).toThrow(
      "has the name of another kind",
    );
  });

  it("the registry says which boards a room's points count for", () => {
    const fed = (board: string, ownOnly = false) => {
      const rules = registry.find("main", board);
      return rules && boardsFed(rules, "main/hall", ownOnly);
    };
    expect(["main", "kindly", "own"].map((board) => fed(board))).toEqual([
      ["main", "main:hall"],
      ["kindly"],
      ["own:hall"],
    ]);
    expect(["main", "kindly", "own"].map((board) => fed(board, true))).toEqual([
      ["main:hall"],
      [],
      ["own:hall"],
    ]);
    expect([fed("other"), registry.find("stage", "main")]).toEqual([undefined, undefined]);
  });
});

describe("what a database error means", () => {
  it.each([
    [
      "D1_ERROR: CHECK constraint failed: players_named: SQLITE_CONSTRAINT",
      "D1 refuses it: CHECK constraint failed: players_named.",
    ],
    ["D1_ERROR: string or blob too big", "D1 refuses it: string or blob too big."],
    ["CHECK constraint failed: scores_exact", "The points would no longer be exact: past 2^53 − 1."],
    ["D1_ERROR: D1 DB is overloaded.", undefined],
    ["no such table: scores", undefined],
    ["CHECK constraint failed: spans_counted", undefined],
  ])("%s", (error, problem) => {
    expect(describeContentProblem(new Error(error))).toBe(problem);
  });
});

describe("bisecting a batch", () => {
  const isOdd = async (some: readonly number[]) => (some.some((one) => one % 2 === 1) ? "odd" : undefined);

  it("an empty batch has no culprit", async () => {
    expect(await bisect([], "odd", isOdd)).toEqual({ good: [], bad: [] });
  });

  it("bisecting finds entries that fail alone, and entries that fail only together", async () => {
    expect(await bisect([2, 3, 4, 5], "odd", isOdd)).toEqual({
      good: [2, 4],
      bad: [
        { item: 3, reason: "odd" },
        { item: 5, reason: "odd" },
      ],
    });
    const isTooMuch = async (some: readonly number[]) =>
      some.reduce((sum, one) => sum + one, 0) > 10 ? "too much" : undefined;
    const { good, bad } = await bisect([6, 1, 6, 2], "too much", isTooMuch);
    expect([good.reduce((sum, one) => sum + one, 0), bad]).toEqual([9, [{ item: 6, reason: "too much" }]]);
  });
});
