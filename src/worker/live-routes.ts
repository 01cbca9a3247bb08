import { Hono } from "hono";
import { nextReset } from "../boards/board-address";
import type { BoardBook, BoardRules } from "../boards/board-book";
import { readPage } from "../boards/read-board";
import { topKey } from "../platform/answers/answer-kinds";
import { liveRequest } from "../platform/answers/board-object";
import { boardAnswers } from "../platform/answers/held-answers";
import { comeBackStream } from "../platform/answers/live-stream";
import type { CloudflareEnv } from "../platform/cloudflare";
import { refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { badData } from "./api/asked";
import { boardParams, liveQuery, PAGE } from "./api/boards";
import { type Asked, type Ctx, cached, onBoard } from "./asked-board";
import { type MayRead, TooManyMisses } from "./may-read";

/** A stream ends by itself after an hour, less up to a tenth of it by chance, so that those who came together do not come back together. */
const HOUR_MS = 3_600_000;
const SPREAD = 0.1;
const AWAY_RETRY_MS = 5_000;
/** After a reset, within so long. */
const RESET_SPREAD_MS = 5_000;

/** `GET /v1/boards/<board>/live`: a ranking's top as it changes, as server-sent events. */
export function liveRoutes(book: BoardBook, mayRead: MayRead) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  const schemas = { params: boardParams, query: liveQuery };
  app.get("/:board/live", (c) =>
    onBoard(c, book, schemas, mayRead, (asked, _, __, now) => follow(c, mayRead, asked, now), comeBack),
  );
  return app;
}

async function follow(c: Ctx, mayRead: MayRead, asked: Asked, now: number): Promise<Response> {
  const { env, req } = c;
  if (!env.BOARDS) return refusalResponse(refuseHttp(503, "unavailable", NO_OBJECTS));
  const { address, ranking, isClosed } = asked;
  if (isClosed) return refusalResponse(badData("That period has ended: it is told no more."));
  const refusal = await mayRead(env, req.raw, "live");
  if (refusal) return refusalResponse(refusal);
  // A kind's own board is there by declaration: nobody can make up another.
  const isDeclared = address.room === undefined && !ranking.period.startsWith("season");
  if (!isDeclared) {
    const missing = await whetherThere(c, asked, now);
    if (missing) return missing;
  }
  const knows = /^\d{1,16}-[0-9a-f]{8}$/.exec(req.header("Last-Event-ID") ?? "")?.[0];
  const endsAt = endOf(ranking.period, address.rules, now);
  const ask = { ranking, endsAt, ...(knows === undefined ? {} : { knows }) };
  return env.BOARDS.getByName(`${ranking.board}\n${ranking.period}`).fetch(liveRequest(ask));
}

/** Of a board that cannot be read right now: an `EventSource` that is refused does not ask again. */
const comeBack = () => comeBackStream("board-away", AWAY_RETRY_MS);

const NO_OBJECTS = "This worker tells no boards live: it has no BOARDS binding.";

/** When its period is over a stream is over too: whoever comes back is told the next. */
function endOf(period: string, { timeZone }: BoardRules, now: number): number {
  const anHour = now + HOUR_MS * (1 - SPREAD * Math.random());
  const [sort] = period.split(":");
  if (sort !== "day" && sort !== "week") return anHour;
  return Math.min(anHour, nextReset(sort, now, timeZone) + RESET_SPREAD_MS * Math.random());
}

/** A room's own board, or a season, is there when somebody has scored on it: an answer like any other, from the cache. */
async function whetherThere(c: Ctx, asked: Asked, now: number): Promise<Response | undefined> {
  const { ranking, lifetime, admit } = asked;
  const { board, period } = ranking;
  try {
    const question = { board, key: topKey(board, period), lifetime, admit };
    const { value } = await cached(c, boardAnswers.top, question, now, () =>
      readPage(c.env.DB, ranking, { limit: PAGE }, now),
    );
    if (value.updatedAt !== null) return undefined;
    return refusalResponse(refuseHttp(404, "not_found", "Nobody has scored on that board yet."));
  } catch (error) {
    if (error instanceof TooManyMisses) return refusalResponse(error.refusal);
    console.error(`The board ${board} could not be read:`, error);
    return comeBack();
  }
}
