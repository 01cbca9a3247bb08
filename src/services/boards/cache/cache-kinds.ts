import { z } from "zod";
import type { Config } from "../../../config/config";
import type { RankKey } from "../store/rank-order";
import type { BoardPage, PlayerStanding, RankedPlayer } from "../store/read-board";
import type { Season } from "../store/seasons";

/** How long a cached value may be served. */
export interface Lifetime {
  /** From this age one request fetches it again, while the others still get it … */
  refreshMs: number;
  /** … and past this age it is served only while it cannot be fetched. */
  maxMs: number;
}

/** A kind of cached value: its name, and its schema for values that come from outside this process. */
export interface CacheKind<T> {
  readonly name: CacheKindName;
  readonly shape: z.ZodType<T>;
}

export const cacheKindNames = ["top", "standing", "seasons"] as const;
export type CacheKindName = (typeof cacheKindNames)[number];

const rankedSchema = z.object({ rank: z.int(), user: z.string(), name: z.string(), points: z.number() });
const rankKeySchema: z.ZodType<RankKey> = z.tuple([z.int(), z.int(), z.int(), z.int(), z.string()]);

/** The first page of a ranking or a later one, at the maximum length. Shorter pages are cut from it. */
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

/** One player's standing. `null`: the player has none. */
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

/** The seasons of all boards in one value. The list of boards and the names of seasons are resolved from it. */
export const seasonsKind: CacheKind<Season[]> = {
  name: "seasons",
  shape: z.array(z.object({ board: z.string(), season: z.string(), opensAt: z.int(), closesAt: z.int() })),
};
/** No board can have this name. */
export const SEASONS_KEY = "\nseasons";

/** The lifetime of everything that is cached. */
const lifetimesMs = {
  /** A period that still receives points: BOARD_TTL_MS. */
  open: ({ boardTtlMs }: Pick<Config, "boardTtlMs">) => boardTtlMs,
  /** A period that has ended receives only points that were in flight. */
  closed: () => 86_400_000,
  /** Seasons are opened rarely, and hours ahead. */
  seasons: () => 300_000,
} as const;

/** From half of its lifetime a value is fetched ahead of time, so that frequent readers never wait. */
const REFRESH_AT = 0.5;

export function lifetimeOf(of: keyof typeof lifetimesMs, config: Pick<Config, "boardTtlMs">): Lifetime {
  const maxMs = lifetimesMs[of](config);
  return { refreshMs: maxMs * REFRESH_AT, maxMs };
}

/** Keys are made of validated parts only: a declared board, one of its periods, and the key of a page's last entry. */
export function topKey(board: string, period: string, after?: RankKey): string {
  return `${board}\n${period}\ntop\n${after === undefined ? "" : JSON.stringify(after)}`;
}

export function standingKey(board: string, period: string, user: string): string {
  return `${board}\n${period}\nuser\n${user}`;
}
