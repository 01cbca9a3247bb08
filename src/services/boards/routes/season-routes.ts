import { Hono } from "hono";
import {
  type AuthorizeAdmin,
  uncachedJson,
  withAdmin,
  withDatabaseErrors,
} from "../../../edge/http/admin-route";
import { noQuery } from "../../../edge/http/fields";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { readJson, readParams, readQuery, rejectData } from "../../../edge/http/validate";
import type { BoardsEnv } from "../env";
import type { BoardRegistry, BoardRules } from "../store/board-registry";
import { endSeason, putSeason, type Season, type SeasonResult } from "../store/seasons";
import { seasonBody, seasonParams, seasonsParams } from "./api/seasons";
import { invalidateBoards, invalidateSeasons } from "./invalidate";
import type { CheckReadLimit } from "./read-limit";
import { boardNotFound, checkReadMiss, readCachedSeasons } from "./with-board";

/** The seasons of a board. Admins open and close them; everyone may read them. */
export function seasonRoutes(
  authorizeAdmin: AuthorizeAdmin,
  registry: BoardRegistry,
  checkReadLimit: CheckReadLimit,
) {
  const app = new Hono<{ Bindings: BoardsEnv }>();

  app.get("/:board/seasons", async (c) => {
    const { req } = c;
    const rejection = await checkReadLimit(req.raw, "read");
    if (rejection) return rejectionResponse(rejection);
    const found = findSeasonBoard(
      readParams(req.param(), seasonsParams),
      readQuery(req.raw, noQuery),
      registry,
    );
    if (!found.ok) return rejectionResponse(found);
    return withDatabaseErrors(async () => {
      const cachedSeasons = await readCachedSeasons(c, found.rules, Date.now(), () =>
        checkReadMiss(c, checkReadLimit),
      );
      return uncachedJson({ board: found.rules.name, seasons: cachedSeasons.value.map(toJson) });
    });
  });
  app.put("/:board/seasons/:season", ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async (_, now) => {
      const params = readParams(req.param(), seasonParams);
      const found = findSeasonBoard(params, readQuery(req.raw, noQuery), registry);
      if (!found.ok) return rejectionResponse(found);
      if (!params.ok) return rejectionResponse(params);
      const body = await readJson(req.raw, seasonBody);
      if (!body.ok) return rejectionResponse(body);
      const { board, season } = params.value;
      return seasonResponse(await putSeason(env.DB, { board, season, ...body.value }, now), registry, now);
    }),
  );
  app.delete("/:board/seasons/:season", ({ req, env }) =>
    withAdmin(authorizeAdmin, req.raw, async (_, now) => {
      const params = readParams(req.param(), seasonParams);
      const found = findSeasonBoard(params, readQuery(req.raw, noQuery), registry);
      if (!found.ok) return rejectionResponse(found);
      if (!params.ok) return rejectionResponse(params);
      return seasonResponse(
        await endSeason(env.DB, params.value.board, params.value.season, now),
        registry,
        now,
      );
    }),
  );
  const methodNotAllowed = (allow: string) => () =>
    rejectionResponse(rejectHttp(405, "bad_action", `Method not allowed. Use ${allow}.`, { Allow: allow }));
  app.all("/:board/seasons", methodNotAllowed("GET, HEAD"));
  app.all("/:board/seasons/:season", methodNotAllowed("PUT, DELETE"));
  return app;
}

type Parsed<T> = { ok: true; value: T } | HttpRejection;

function findSeasonBoard(
  params: Parsed<{ board: string }>,
  query: Parsed<unknown>,
  registry: BoardRegistry,
): { ok: true; rules: BoardRules } | HttpRejection {
  if (!params.ok) return params;
  if (!query.ok) return query;
  const rules = registry.all.find(({ name }) => name === params.value.board);
  if (!rules) return boardNotFound();
  return rules.periods.includes("season") ? { ok: true, rules } : rejectHttp(404, "not_found", NO_SEASONS);
}

const NO_SEASONS = "This board is declared without seasons.";

async function seasonResponse(result: SeasonResult, registry: BoardRegistry, now: number): Promise<Response> {
  if (result.ok) {
    await invalidateSeasons(now);
    await invalidateBoards(registry, [result.season.board], now);
    return uncachedJson(
      result.isRemoved ? { season: result.season.season, removed: true } : toJson(result.season),
    );
  }
  switch (result.why) {
    case "bad":
      return rejectionResponse(rejectData(result.message));
    case "conflict":
      return rejectionResponse(rejectHttp(409, "conflict", result.message));
    case "unknown":
      return rejectionResponse(rejectHttp(404, "not_found", result.message));
  }
}

function toJson({ board: _, ...season }: Season) {
  return season;
}
