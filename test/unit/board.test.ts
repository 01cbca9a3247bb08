import { describe, expect, it } from "vitest";
import type { Board } from "../../src/room/api/board";
import { defineKind } from "../../src/room/api/kind";

const defined = (board: Board, name = "main") =>
  defineKind({ name: "main", features: [], boards: { [name]: board } });

describe("a kind's board", () => {
  it.each<[string, Board]>([
    ["sums", { combine: "sum" }],
    ["has every period", { combine: "sum", periods: ["all", "day", "week", "season"] }],
    ["has a zone off by a quarter hour", { combine: "last", timeZone: "Asia/Kathmandu" }],
    ["breaks ties", { combine: "best", order: "lowest", tie: "highest" }],
    ["has a most a day", { combine: "sum", maxPerDay: 100, periods: ["day"] }],
  ])("the definition accepts a board that %s", (_, board) => {
    expect(defined(board).boards).toEqual({ main: board });
  });

  it.each<[string, Board, RegExp]>([
    ["without a period", { combine: "sum", periods: [] }, /has no period/],
    ["with a period twice", { combine: "sum", periods: ["day", "day"] }, /a period twice/],
    ["in no time zone", { combine: "sum", timeZone: "Mars/Olympus" }, /nobody knows: "Mars\/Olympus"/],
    ["with half a point a day", { combine: "sum", maxPerDay: 0.5, periods: ["day"] }, /whole number/],
    ["with a most a day and no day", { combine: "sum", maxPerDay: 5 }, /needs the period "day"/],
    [
      "with a most a day where fewest win",
      { combine: "sum", maxPerDay: 5, periods: ["day"], order: "lowest" },
      /fewest points win/,
    ],
  ])("the definition rejects a board %s", (_, board, problem) => {
    expect(() => defined(board)).toThrow(problem);
  });

  it("the board has a name that is safe in a URL", () => {
    expect(() => defined({ combine: "sum" }, "main:hall")).toThrow(/needs a name of 1–32/);
  });
});
