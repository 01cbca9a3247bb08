import type { BoardPeriod } from "../../../room/api/board";

/** The key of the period that contains a time. The database resolves `season`, because it knows which seasons are open. */
export function periodKey(period: BoardPeriod, at: number, timeZone: string): string {
  switch (period) {
    case "all":
    case "season":
      return period;
    case "day":
      return `day:${isoDate(localDay(at, timeZone))}`;
    case "week":
      return `week:${isoDate(mondayOf(localDay(at, timeZone)))}`;
  }
}

/** The local date as UTC midnight of that date, so that days can be computed with regardless of daylight saving. */
export function localDay(at: number, timeZone: string): number {
  const parts = cachedFormatter(timeZone).formatToParts(at);
  const part = (type: string) => Number(parts.find((found) => found.type === type)?.value);
  return Date.UTC(part("year"), part("month") - 1, part("day"));
}

export function mondayOf(day: number): number {
  return day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS;
}

export function isoDate(day: number): string {
  return new Date(day).toISOString().slice(0, 10);
}

export const DAY_MS = 86_400_000;

/** Creating a formatter takes a hundred times as long as using it. There are as many as declared time zones. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function cachedFormatter(timeZone: string): Intl.DateTimeFormat {
  const cached = formatters.get(timeZone);
  if (cached) return cached;
  const made = new Intl.DateTimeFormat("en", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    year: "numeric",
    month: "numeric",
    day: "numeric",
  });
  formatters.set(timeZone, made);
  return made;
}
