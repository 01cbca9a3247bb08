/** What a ranking is over. `season`: from when an admin opens one until it is closed. */
export type BoardPeriod = "all" | "day" | "week" | "season";
export type BoardOrder = "highest" | "lowest";

/** A ranking that a kind's rooms feed, as data. */
export type Board = (
  | {
      /** Points add up. */
      readonly combine: "sum";
      /** The most that a player gains here in a day, whatever the rooms award. Wants the period `day`, where it is counted. */
      readonly maxPerDay?: number;
    }
  | {
      /** `best`: a player's best game stands. `last`: the newest does. */
      readonly combine: "best" | "last";
      /** A second column for equal points, and which end of it is better; always of the same game as the points. */
      readonly tie?: BoardOrder;
    }
) & {
  /**
   * Players may enter their own: so many points at once, none of them below 0, and within any minute so many points where
   * they add up, or so many games. Absent: only hosts award.
   */
  readonly own?: { readonly points: number; readonly perMinute: number };
  /** Which end is first; `highest` if absent. Equals rank by who came first. */
  readonly order?: BoardOrder;
  /** `["all"]` if absent. */
  readonly periods?: readonly BoardPeriod[];
  /** Whose midnight ends a day, whose Sunday a week; `UTC` if absent. */
  readonly timeZone?: string;
  /** Whether rooms feed one ranking of the kind, each its own (`<board>:<room>`), or both; `both` if absent. */
  readonly feeds?: "both" | "kind" | "room";
};

export type Boards = Readonly<Record<string, Board>>;

/** Throws on what makes no sense, when the kind is defined. */
export function checkBoard(kind: string, name: string, board: Board): void {
  const fail = (problem: string) => {
    throw new TypeError(`The board "${name}" of the kind "${kind}" ${problem}`);
  };
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) fail("needs a name of 1–32 small letters, digits and dashes.");
  const periods = board.periods ?? ["all"];
  if (periods.length === 0) fail("has no period.");
  if (new Set(periods).size < periods.length) fail("has a period twice.");
  if (!isTimeZone(board.timeZone ?? "UTC")) fail(`has a time zone that nobody knows: "${board.timeZone}".`);
  const { own } = board;
  if (own && ![own.points, own.perMinute].every((bound) => Number.isSafeInteger(bound) && bound > 0)) {
    fail("needs whole numbers above 0 for what players may enter.");
  }
  // It would be let through after a minute's rest, and the minute's bound be none.
  if (own && board.combine === "sum" && own.points > own.perMinute) {
    fail("lets players enter more points at once than in a minute.");
  }
  if (board.combine !== "sum" || board.maxPerDay === undefined) return;
  if (!Number.isSafeInteger(board.maxPerDay) || board.maxPerDay < 1) {
    fail("needs a whole number above 0 as maxPerDay.");
  }
  if (board.order === "lowest") fail("cannot have maxPerDay where the fewest points win.");
  if (!periods.includes("day")) fail('has maxPerDay and so needs the period "day", where it is counted.');
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
