import { and, asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { QUARTER_MS } from "../../../protocol/batch";
import { seasons } from "./schema";

/** A row of the table. */
export type Season = typeof seasons.$inferSelect;

export type SeasonResult =
  | { ok: true; season: Season; isRemoved: boolean }
  | { ok: false; why: "bad" | "conflict" | "unknown"; message: string };

/** The seasons of one board or of all, in order of time. */
export function listSeasons(db: D1Database, board?: string): Promise<Season[]> {
  return drizzle(db)
    .select()
    .from(seasons)
    .where(board === undefined ? undefined : eq(seasons.board, board))
    .orderBy(asc(seasons.board), asc(seasons.opensAt));
}

/** Opens a season, or moves its edges. An edge that has passed cannot move, because points on both sides were counted by it. */
export async function putSeason(db: D1Database, wanted: Season, now: number): Promise<SeasonResult> {
  const { board, season, opensAt, closesAt } = wanted;
  const others = await listSeasons(db, board);
  const old = others.find((other) => other.season === season);
  const problem = checkEdges(wanted, old, nextEdge(now));
  if (problem) return problem;
  const written = await db
    .prepare(PUT_SEASON)
    .bind(board, season, opensAt, closesAt, old?.opensAt ?? null, old?.closesAt ?? null)
    .first();
  if (written) return { ok: true, season: wanted, isRemoved: false };
  const overlapping = others.find(
    (other) => other.season !== season && other.opensAt < closesAt && other.closesAt > opensAt,
  );
  return rejectConflict(
    overlapping
      ? `The season ${overlapping.season} lies in that time, and a board has one at once.`
      : CHANGED_MEANWHILE,
  );
}

/** Closes an open season at the end of this quarter of an hour, or removes one that has not opened yet. */
export async function endSeason(
  db: D1Database,
  board: string,
  season: string,
  now: number,
): Promise<SeasonResult> {
  const old = (await listSeasons(db, board)).find((other) => other.season === season);
  if (!old) return { ok: false, why: "unknown", message: "This board has no season of that name." };
  const next = nextEdge(now);
  if (old.closesAt <= now) return rejectConflict(`${season} is over already, and stays readable.`);
  const isRemoved = old.opensAt >= next;
  const same = and(
    eq(seasons.board, board),
    eq(seasons.season, season),
    eq(seasons.opensAt, old.opensAt),
    eq(seasons.closesAt, old.closesAt),
  );
  const [ended] = isRemoved
    ? await drizzle(db).delete(seasons).where(same).returning()
    : await drizzle(db).update(seasons).set({ closesAt: next }).where(same).returning();
  return ended ? { ok: true, season: ended, isRemoved } : rejectConflict(CHANGED_MEANWHILE);
}

/** The end of the current quarter of an hour. Points are counted by quarters, so no edge lies within one. */
function nextEdge(now: number): number {
  return Math.ceil(now / QUARTER_MS) * QUARTER_MS;
}

function checkEdges(
  { season, opensAt, closesAt }: Season,
  old: Season | undefined,
  next: number,
): SeasonResult | undefined {
  for (const [name, edge, was] of [
    ["opensAt", opensAt, old?.opensAt],
    ["closesAt", closesAt, old?.closesAt],
  ] as const) {
    if (edge === was) continue;
    if (was !== undefined && was < next)
      return rejectConflict(`${name} of ${season} has passed, and stands.`);
    if (edge % QUARTER_MS !== 0 || edge < next) {
      const message = `${name} must be a whole quarter of an hour in ms, and still to come: ${next} or later.`;
      return { ok: false, why: "bad", message };
    }
  }
  if (closesAt > opensAt) return undefined;
  return { ok: false, why: "bad", message: "closesAt must be later than opensAt." };
}

function rejectConflict(message: string): SeasonResult {
  return { ok: false, why: "conflict", message };
}

const CHANGED_MEANWHILE =
  "Somebody else changed the seasons of this board meanwhile. Please look, and ask again.";

/** Checks again in the write that no other season overlaps, and that the season is unchanged since it was read. */
const PUT_SEASON = `
insert into seasons (board, season, opens_at, closes_at)
select ?1, ?2, ?3, ?4
where not exists (
  select 1 from seasons where board = ?1 and season <> ?2 and opens_at < ?4 and closes_at > ?3
)
on conflict (board, season) do update set opens_at = ?3, closes_at = ?4
where opens_at = ?5 and closes_at = ?6
returning season`;
