import type { BoardRegistry, BoardRules } from "./board-registry";
import { DAY_MS, isoDate, localDay, mondayOf, periodKey } from "./periods";
import type { Season } from "./seasons";

/** A board that exists by declaration, even without scores. */
export interface ResolvedBoard {
  rules: BoardRules;
  /** The stored name: `main`, or a room's own, `main:hall`. */
  board: string;
  /** For a room's own board: that room. */
  room?: string;
}

/** `undefined` if no kind declares the board, or it has no ranking of that sort. */
export function resolveBoard(registry: BoardRegistry, board: string): ResolvedBoard | undefined {
  const [name = "", id, ...more] = board.split(":");
  const rules = registry.all.find((declared) => declared.name === name);
  if (!rules || more.length > 0) return undefined;
  if (id === undefined) return rules.feeds === "room" ? undefined : { rules, board };
  if (rules.feeds === "kind" || !/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test(id)) return undefined;
  return { rules, board, room: `${rules.kind}/${id}` };
}

export type ResolvedPeriod =
  | { ok: true; period: string; isClosed: boolean }
  | { ok: false; why: "wrong" | "unknown"; problem: string };

/**
 * The stored key of a requested period: `day` is the current local day, `day:2026-11-20` that day, `season` the open one. An
 * invalid period gets a sentence about what is expected. `seasons`: those of the board.
 */
export function resolvePeriod(
  rules: BoardRules,
  requested: string,
  now: number,
  seasons: readonly Season[],
): ResolvedPeriod {
  const [periodKind = "", key, ...more] = requested.split(":");
  const has = rules.periods.find((period) => period === periodKind);
  if (!has || more.length > 0) return invalid();
  if (has === "all") return key === undefined ? open("all") : invalid();
  if (has === "season") return resolveSeason(key, now, seasons);
  const current = periodKey(has, now, rules.timeZone);
  if (key === undefined || requested === current) return open(current);
  const day = /^\d{4}-\d\d-\d\d$/.test(key) ? Date.parse(`${key}T00:00:00Z`) : Number.NaN;
  const isDay = Number.isFinite(day) && isoDate(day) === key && (has === "day" || mondayOf(day) === day);
  if (!isDay || requested > current || day < FIRST_DAY) return invalid();
  const isClosed = requested !== periodKey(has, now - SETTLED_MS, rules.timeZone);
  return { ok: true, period: requested, isClosed };

  function open(period: string) {
    return { ok: true, period, isClosed: false } as const;
  }
  function invalid() {
    const problem = `period must be one of ${listAllowedPeriods(rules)}, and not still to come`;
    return { ok: false, why: "wrong", problem } as const;
  }
}

/** A period that has ended may still receive points that were in flight. For this long it is read as an open one. */
const SETTLED_MS = 3_600_000;

/** A season that was never opened is not a period, so its name makes no cache key. */
function resolveSeason(name: string | undefined, now: number, seasons: readonly Season[]): ResolvedPeriod {
  const found = seasons.find((one) =>
    name === undefined ? one.opensAt <= now && now < one.closesAt : one.season === name,
  );
  if (found) {
    return { ok: true, period: `season:${found.season}`, isClosed: found.closesAt + SETTLED_MS <= now };
  }
  const problem =
    name === undefined ? "No season of this board is open" : "This board has no season of that name";
  return { ok: false, why: "unknown", problem };
}

/** When the current local day or week ends: the first quarter of an hour of the next. */
export function nextResetAt(periodKind: "day" | "week", now: number, timeZone: string): number {
  const QUARTER_MS = 900_000;
  const today = localDay(now, timeZone);
  const days = periodKind === "day" ? 1 : 7 - (today - mondayOf(today)) / DAY_MS;
  const next = today + days * DAY_MS;
  // No zone is more than 14 hours from UTC, and none changes by more than a day.
  let low = Math.floor((next - 15 * 3_600_000) / QUARTER_MS);
  let high = Math.ceil((next + 15 * 3_600_000) / QUARTER_MS);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (localDay(middle * QUARTER_MS, timeZone) >= next) high = middle;
    else low = middle + 1;
  }
  return low * QUARTER_MS;
}

/** No room existed before this day, so earlier days make no cache key. */
const FIRST_DAY = Date.UTC(2026, 0, 1);

function listAllowedPeriods({ periods }: BoardRules): string {
  return periods
    .map((period) =>
      period === "all"
        ? "all"
        : period === "season"
          ? "season (or season:<name>)"
          : `${period} (or ${period}:YYYY-MM-DD${period === "week" ? ", a Monday" : ""})`,
    )
    .join(", ");
}
