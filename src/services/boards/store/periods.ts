import type { BoardPeriod } from "../../../room/api/board";

/** The ranking's period in which a moment lies. A season's key is the database's to say: it knows which are open. */
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

/** The day there, as the UTC midnight of the same date: days can be reckoned with, whatever the clocks do there. */
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

/** Making one takes a hundred times as long as using it; there are as many as boards declare zones. */
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
