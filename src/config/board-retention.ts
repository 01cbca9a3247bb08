const DAY_MS = 86_400_000;
/** Points may arrive days late, and `maxPerDay` can be applied only while their day is kept. */
const MIN_DAYS = 7;

/** How long boards stay readable after their day, week or season ends; a room's own after its last points. `null`: for ever. */
export type BoardRetention = Record<RetentionPeriod, number | null>;

const retentionPeriods = ["day", "week", "season", "room"] as const;
type RetentionPeriod = (typeof retentionPeriods)[number];
/** In days; 0 is for ever. */
const defaults: Readonly<Record<RetentionPeriod, number>> = { day: 90, week: 366, season: 0, room: 30 };

export const defaultRetention: BoardRetention = toMs(defaults);

export const RETENTION_PROBLEM = `BOARD_RETENTION must be a list of day, week, season or room=days with commas between them, such as day=90,room=30: ${MIN_DAYS} days at least, or 0 to keep for ever.`;

/** `day=90,week=366,season=0,room=30`, in days. A part left out has its default. `undefined` if the text is invalid. */
export function parseRetention(text: string): BoardRetention | undefined {
  const days = { ...defaults };
  for (const part of text.split(",").map((one) => one.trim())) {
    if (part === "") continue;
    const [, name, count] = /^([a-z]+)=(\d{1,5})$/.exec(part) ?? [];
    const period = retentionPeriods.find((one) => one === name);
    if (period === undefined || (Number(count) !== 0 && Number(count) < MIN_DAYS)) return undefined;
    days[period] = Number(count);
  }
  return toMs(days);
}

function toMs(days: Readonly<Record<RetentionPeriod, number>>): BoardRetention {
  const ms = (count: number) => (count === 0 ? null : count * DAY_MS);
  return { day: ms(days.day), week: ms(days.week), season: ms(days.season), room: ms(days.room) };
}
