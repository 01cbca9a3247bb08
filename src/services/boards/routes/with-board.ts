import type { Context } from "hono";
import type { z } from "zod";
import { configOf } from "../../../config/config";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { RejectionError } from "../../../edge/http/rejection-error";
import { readParams, readQuery, rejectData } from "../../../edge/http/validate";
import type { BoardCache, CachedValue, CacheQuery } from "../cache/board-cache";
import { type Lifetime, lifetimeOf, SEASONS_KEY } from "../cache/cache-kinds";
import { boardCaches } from "../cache/caches";
import type { BoardsEnv } from "../env";
import type { BoardRegistry, BoardRules } from "../store/board-registry";
import { sortSign } from "../store/rank-order";
import type { Ranking } from "../store/read-board";
import { type ResolvedBoard, resolveBoard, resolvePeriod } from "../store/resolve";
import { listSeasons, type Season } from "../store/seasons";
import { boardsUnavailable } from "./board-responses";
import type { CheckReadLimit } from "./read-limit";

export type RouteContext = Context<{ Bindings: BoardsEnv }>;

export interface BoardRequest {
  resolved: ResolvedBoard;
  ranking: Ranking;
  isClosed: boolean;
  lifetime: Lifetime;
  /** Call before the database is read for this request. Rejects if its address has read too much. */
  admit(): Promise<void>;
}

/** Validates board, parameters and period before the cache is read, so that invalid requests make no cache keys. */
export async function withBoard<P extends z.ZodObject, Q extends z.ZodObject>(
  c: RouteContext,
  registry: BoardRegistry,
  schemas: { params: P; query: Q },
  checkReadLimit: CheckReadLimit,
  work: (
    boardRequest: BoardRequest,
    params: z.output<P>,
    query: z.output<Q>,
    now: number,
  ) => Promise<Response>,
  away: () => Response = boardsUnavailable,
): Promise<Response> {
  const now = Date.now();
  const params = readParams(c.req.param(), schemas.params);
  if (!params.ok) return rejectionResponse(params);
  const query = readQuery(c.req.raw, schemas.query);
  if (!query.ok) return rejectionResponse(query);
  const resolved = resolveBoard(registry, String(params.value.board));
  if (!resolved) return rejectionResponse(boardNotFound());
  const { period } = query.value;
  try {
    const boardRequest = await resolveRanking(
      c,
      resolved,
      typeof period === "string" ? period : undefined,
      checkReadLimit,
      now,
    );
    return boardRequest.ok
      ? await work(boardRequest, params.value, query.value, now)
      : rejectionResponse(boardRequest);
  } catch (error) {
    if (error instanceof RejectionError) return rejectionResponse(error.rejection);
    console.error(`The board ${resolved.board} could not be read:`, error);
    return away();
  }
}

/** Resolves the requested period. Rejects if the database must be read and does not answer, or the read limit is reached. */
export async function resolveRanking(
  c: RouteContext,
  resolved: ResolvedBoard,
  requested: string | undefined,
  checkReadLimit: CheckReadLimit,
  now: number,
): Promise<({ ok: true } & BoardRequest) | HttpRejection> {
  const { rules, board, room } = resolved;
  const admit = () => checkReadMiss(c, checkReadLimit);
  const period = requested ?? rules.periods[0] ?? "all";
  const seasons = period.startsWith("season") ? (await readCachedSeasons(c, rules, now, admit)).value : [];
  const resolvedPeriod = resolvePeriod(rules, period, now, seasons);
  if (!resolvedPeriod.ok) {
    return resolvedPeriod.why === "wrong"
      ? rejectData(`${resolvedPeriod.problem}.`)
      : rejectHttp(404, "not_found", `${resolvedPeriod.problem}.`);
  }
  const ranking: Ranking = {
    board,
    period: resolvedPeriod.period,
    sign: sortSign(rules.order),
    ...(room === undefined ? {} : { room }),
  };
  const { isClosed } = resolvedPeriod;
  const lifetime = lifetimeOf(isClosed ? "closed" : "open", configOf(c.env));
  return { ok: true, resolved, ranking, isClosed, lifetime, admit };
}

/** Rejects if the address has caused too many reads of the database. */
export async function checkReadMiss(c: RouteContext, checkReadLimit: CheckReadLimit): Promise<void> {
  const rejection = await checkReadLimit(c.req.raw, "readMiss");
  if (rejection) throw new RejectionError(rejection);
}

/** The seasons of one board, or of all boards, from one cache entry. */
export async function readCachedSeasons(
  c: RouteContext,
  rules: BoardRules | undefined,
  now: number,
  admit: () => Promise<void>,
): Promise<CachedValue<Season[]>> {
  const lifetime = lifetimeOf("seasons", configOf(c.env));
  const query = { board: SEASONS_KEY, key: SEASONS_KEY, lifetime, admit };
  const cachedSeasons = await readThrough(c, boardCaches.seasons, query, now, () => listSeasons(c.env.DB));
  return rules
    ? { ...cachedSeasons, value: cachedSeasons.value.filter((season) => season.board === rules.name) }
    : cachedSeasons;
}

export function readThrough<T>(
  c: RouteContext,
  cache: BoardCache<T>,
  query: Omit<CacheQuery<T>, "fetch" | "keepAlive">,
  now: number,
  fetch: () => Promise<T>,
): Promise<CachedValue<T>> {
  return cache.get({ ...query, fetch, keepAlive: (work) => c.executionCtx.waitUntil(work) }, now);
}

export function boardNotFound(): HttpRejection {
  return rejectHttp(404, "not_found", "No kind of room has a board of that name.");
}
