import type { BoardBook, BoardRules } from "./board-book";
import { DAY_MS, isoDate, localDay, mondayOf, periodKey } from "./periods";

/** A ranking that exists by declaration, whether or not anybody has scored on it. */
export interface BoardAddress {
  rules: BoardRules;
  /** As it is stored and told: `main`, or a room's own, `main:hall`. */
  board: string;
  /** The room whose own board it is. */
  room?: string;
}

/** Nothing where no kind declares such a board, or it has no ranking of that sort. */
export function findBoard(book: BoardBook, board: string): BoardAddress | undefined {
  const [name = "", id, ...more] = board.split(":");
  const rules = book.all.find((declared) => declared.name === name);
  if (!rules || more.length > 0) return undefined;
  if (id === undefined) return rules.feeds === "room" ? undefined : { rules, board };
  if (rules.feeds === "kind" || !/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test(id)) return undefined;
  return { rules, board, room: `${rules.kind}/${id}` };
}

/**
 * The stored key of a period that is asked for: `day` is today there, `day:2026-11-20` that day. Answers with a sentence
 * about what is expected where it makes no sense for this board.
 */
export function readPeriod(
  rules: BoardRules,
  asked: string,
  now: number,
): { ok: true; period: string; isClosed: boolean } | { ok: false; problem: string } {
  const [sort = "", key, ...more] = asked.split(":");
  const has = rules.periods.find((period) => period === sort);
  if (!has || more.length > 0) return { ok: false, problem: `period must be one of ${expected(rules)}` };
  if (has === "all") return key === undefined ? open("all") : wrong();
  if (has === "season")
    return key !== undefined && /^[a-z0-9][a-z0-9-]{0,31}$/.test(key) ? open(asked) : wrong();
  const current = periodKey(has, now, rules.timeZone);
  if (key === undefined || asked === current) return open(current);
  const day = /^\d{4}-\d\d-\d\d$/.test(key) ? Date.parse(`${key}T00:00:00Z`) : Number.NaN;
  const isDay = Number.isFinite(day) && isoDate(day) === key && (has === "day" || mondayOf(day) === day);
  if (!isDay || asked > current || day < FIRST_DAY) return wrong();
  return { ok: true, period: asked, isClosed: true };

  function open(period: string) {
    return { ok: true, period, isClosed: false } as const;
  }
  function wrong() {
    return { ok: false, problem: `period must be one of ${expected(rules)}, and not still to come` } as const;
  }
}

/** When the current day or week ends there: the first quarter of an hour that lies in the next. */
export function nextReset(sort: "day" | "week", now: number, timeZone: string): number {
  const QUARTER_MS = 900_000;
  const today = localDay(now, timeZone);
  const days = sort === "day" ? 1 : 7 - (today - mondayOf(today)) / DAY_MS;
  const next = today + days * DAY_MS;
  // No zone is further from UTC than 14 hours, and none changes by more than a day.
  let low = Math.floor((next - 15 * 3_600_000) / QUARTER_MS);
  let high = Math.ceil((next + 15 * 3_600_000) / QUARTER_MS);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (localDay(middle * QUARTER_MS, timeZone) >= next) high = middle;
    else low = middle + 1;
  }
  return low * QUARTER_MS;
}

/** Before there was any room nobody scored: no key comes of it. */
const FIRST_DAY = Date.UTC(2026, 0, 1);

function expected({ periods }: BoardRules): string {
  return periods
    .map((period) =>
      period === "all"
        ? "all"
        : period === "season"
          ? "season:<name>"
          : `${period} (or ${period}:YYYY-MM-DD${period === "week" ? ", a Monday" : ""})`,
    )
    .join(", ");
}
