import { z } from "zod";
import type { Config } from "../../../config/config";
import type { RankKey } from "../store/rank-order";
import type { BoardPage, PlayerStanding, RankedPlayer } from "../store/read-board";
import type { Season } from "../store/seasons";

/** How long an answer is good. */
export interface Lifetime {
  /** From this age on one request fetches it anew, while the others are still given it … */
  refreshMs: number;
  /** … and past this nobody is given it, but while it cannot be fetched. */
  maxMs: number;
}

/** A kind of answer: what it is called, and what it has to look like where it comes from outside this process. */
export interface CacheKind<T> {
  readonly name: CacheKindName;
  readonly shape: z.ZodType<T>;
}

export const cacheKindNames = ["top", "standing", "seasons"] as const;
export type CacheKindName = (typeof cacheKindNames)[number];

const rankedSchema = z.object({ rank: z.int(), user: z.string(), name: z.string(), points: z.number() });
const rankKeySchema: z.ZodType<RankKey> = z.tuple([z.int(), z.int(), z.int(), z.int(), z.string()]);

/** The first page of a ranking or a later one, as long as a page may be: shorter ones are cut from it. */
export const topKind: CacheKind<BoardPage> = {
  name: "top",
  shape: z.object({
    version: z.int(),
    updatedAt: z.int().nullable(),
    entries: z.array(
      rankedSchema.extend({ place: rankKeySchema }) satisfies z.ZodType<RankedPlayer & { place: RankKey }>,
    ),
    hasMore: z.boolean(),
  }),
};

/** One player's place. Those who have none are answers, too: null. */
export const standingKind: CacheKind<PlayerStanding | null> = {
  name: "standing",
  shape: z
    .object({
      rank: z.int(),
      of: z.int(),
      points: z.number(),
      name: z.string(),
      around: z.array(rankedSchema),
    })
    .nullable(),
};

/** Which seasons there are, of every board at once: the list of boards is made of them, and what a season's name means. */
export const seasonsKind: CacheKind<Season[]> = {
  name: "seasons",
  shape: z.array(z.object({ board: z.string(), season: z.string(), opensAt: z.int(), closesAt: z.int() })),
};
/** No board is called so. */
export const SEASONS_KEY = "\nseasons";

/** How long an answer is good, by what it is of. Everything that is cached has its lifetime here. */
const lifetimesMs = {
  /** A period that still takes points: BOARD_TTL_MS. */
  open: ({ boardTtlMs }: Pick<Config, "boardTtlMs">) => boardTtlMs,
  /** One that has ended takes no more but those that were still on their way. */
  closed: () => 86_400_000,
  /** Opened hours ahead, and rarely. */
  seasons: () => 300_000,
} as const;

/** From half of its life on an answer is fetched anew ahead of time, so that who reads it often never waits. */
const REFRESH_AT = 0.5;

export function lifetimeOf(of: keyof typeof lifetimesMs, config: Pick<Config, "boardTtlMs">): Lifetime {
  const maxMs = lifetimesMs[of](config);
  return { refreshMs: maxMs * REFRESH_AT, maxMs };
}

/** Keys are made of what was judged before: a board that is declared, a period it has, a place that a page ended with. */
export function topKey(board: string, period: string, after?: RankKey): string {
  return `${board}\n${period}\ntop\n${after === undefined ? "" : JSON.stringify(after)}`;
}

export function standingKey(board: string, period: string, user: string): string {
  return `${board}\n${period}\nuser\n${user}`;
}
