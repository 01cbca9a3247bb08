import { Hono } from "hono";
import type { BoardBook, BoardRules } from "../boards/board-book";
import { endSeason, putSeason, type Season, type SeasonResult } from "../boards/seasons";
import type { CloudflareEnv } from "../platform/cloudflare";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { asAdmin, type DoorOf, tell, whileReached } from "./admin-route";
import { badData, readJson, readParams, readQuery } from "./api/asked";
import { noQuery } from "./api/boards";
import { seasonBody, seasonParams, seasonsParams } from "./api/seasons";
import { admitted, heldSeasons, noSuchBoard } from "./asked-board";
import { changedBoards, changedSeasons } from "./changed-boards";
import type { MayRead } from "./may-read";

/** Spans that an admin opens and closes on a board; everybody may know of them. */
export function seasonRoutes(doorOf: DoorOf, book: BoardBook, mayRead: MayRead) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.get("/:board/seasons", async (c) => {
    const { req, env } = c;
    const denial = await mayRead(env, req.raw, "read");
    if (denial) return refusalResponse(denial);
    const found = judged(readParams(req.param(), seasonsParams), readQuery(req.raw, noQuery), book);
    if (!found.ok) return refusalResponse(found);
    return whileReached(async () => {
      const held = await heldSeasons(c, found.rules, Date.now(), () => admitted(c, mayRead));
      return tell({ board: found.rules.name, seasons: held.value.map(told) });
    });
  });
  app.put("/:board/seasons/:season", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async (_, now) => {
      const params = readParams(req.param(), seasonParams);
      const found = judged(params, readQuery(req.raw, noQuery), book);
      if (!found.ok) return refusalResponse(found);
      if (!params.ok) return refusalResponse(params);
      const body = await readJson(req.raw, seasonBody);
      if (!body.ok) return refusalResponse(body);
      const { board, season } = params.value;
      return answered(await putSeason(env.DB, { board, season, ...body.value }, now), book, now);
    }),
  );
  app.delete("/:board/seasons/:season", ({ req, env }) =>
    asAdmin(doorOf, env, req.raw, async (_, now) => {
      const params = readParams(req.param(), seasonParams);
      const found = judged(params, readQuery(req.raw, noQuery), book);
      if (!found.ok) return refusalResponse(found);
      if (!params.ok) return refusalResponse(params);
      return answered(await endSeason(env.DB, params.value.board, params.value.season, now), book, now);
    }),
  );
  const only = (allow: string) => () =>
    refusalResponse(refuseHttp(405, "bad_action", `Here is answered: ${allow}.`, { Allow: allow }));
  app.all("/:board/seasons", only("GET, HEAD"));
  app.all("/:board/seasons/:season", only("PUT, DELETE"));
  return app;
}

type Judged<T> = { ok: true; value: T } | HttpRefusal;

function judged(
  params: Judged<{ board: string }>,
  query: Judged<unknown>,
  book: BoardBook,
): { ok: true; rules: BoardRules } | HttpRefusal {
  if (!params.ok) return params;
  if (!query.ok) return query;
  const rules = book.all.find(({ name }) => name === params.value.board);
  if (!rules) return noSuchBoard();
  return rules.periods.includes("season") ? { ok: true, rules } : refuseHttp(404, "not_found", NO_SEASONS);
}

const NO_SEASONS = "This board is declared without seasons.";

async function answered(result: SeasonResult, book: BoardBook, now: number): Promise<Response> {
  if (result.ok) {
    await changedSeasons(now);
    await changedBoards(book, [result.season.board], now);
    return tell(result.isRemoved ? { season: result.season.season, removed: true } : told(result.season));
  }
  switch (result.why) {
    case "bad":
      return refusalResponse(badData(result.message));
    case "conflict":
      return refusalResponse(refuseHttp(409, "conflict", result.message));
    case "unknown":
      return refusalResponse(refuseHttp(404, "not_found", result.message));
  }
}

function told({ board: _, ...season }: Season) {
  return season;
}
