import { Hono } from "hono";
import { retryStream } from "../../../edge/http/event-stream";
import { rejectHttp, rejectionResponse } from "../../../edge/http/http-rejection";
import { RejectionError } from "../../../edge/http/rejection-error";
import { rejectData } from "../../../edge/http/validate";
import { topKey } from "../cache/cache-kinds";
import { boardCaches } from "../cache/caches";
import type { BoardsEnv } from "../env";
import { createLiveRequest } from "../live/object";
import type { BoardRegistry, BoardRules } from "../store/board-registry";
import { readPage } from "../store/read-board";
import { nextResetAt } from "../store/resolve";
import { boardParams, liveQuery, PAGE } from "./api/boards";
import type { CheckReadLimit } from "./read-limit";
import { type BoardRequest, type RouteContext, readThrough, withBoard } from "./with-board";

/** A stream ends after an hour, minus a random part of a tenth, so that clients that came together do not come back together. */
const HOUR_MS = 3_600_000;
const SPREAD = 0.1;
const AWAY_RETRY_MS = 5_000;
/** After a reset of the period, streams end within this time. */
const RESET_SPREAD_MS = 5_000;

/** `GET /v1/boards/<board>/live`: a ranking's top as it changes, as server-sent events. */
export function liveRoutes(registry: BoardRegistry, checkReadLimit: CheckReadLimit) {
  const app = new Hono<{ Bindings: BoardsEnv }>();

  const schemas = { params: boardParams, query: liveQuery };
  app.get("/:board/live", (c) =>
    withBoard(
      c,
      registry,
      schemas,
      checkReadLimit,
      (boardRequest, _, __, now) => followBoard(c, checkReadLimit, boardRequest, now),
      retryLater,
    ),
  );
  return app;
}

async function followBoard(
  c: RouteContext,
  checkReadLimit: CheckReadLimit,
  boardRequest: BoardRequest,
  now: number,
): Promise<Response> {
  const { env, req } = c;
  if (!env.BOARDS) return rejectionResponse(rejectHttp(503, "unavailable", NO_LIVE_BOARDS));
  const { resolved, ranking, isClosed } = boardRequest;
  if (isClosed) return rejectionResponse(rejectData("That period has ended: it is told no more."));
  const rejection = await checkReadLimit(req.raw, "live");
  if (rejection) return rejectionResponse(rejection);
  // A kind's own board exists by declaration, so its name cannot be invented.
  const isDeclared = resolved.room === undefined && !ranking.period.startsWith("season");
  if (!isDeclared) {
    const missing = await checkHasScores(c, boardRequest, now);
    if (missing) return missing;
  }
  const lastEventId = /^\d{1,16}-[0-9a-f]{8}$/.exec(req.header("Last-Event-ID") ?? "")?.[0];
  const endsAt = streamEndsAt(ranking.period, resolved.rules, now);
  const liveRequest = { ranking, endsAt, ...(lastEventId === undefined ? {} : { lastEventId }) };
  return env.BOARDS.getByName(`${ranking.board}\n${ranking.period}`).fetch(createLiveRequest(liveRequest));
}

/** For a board that cannot be read now: an `EventSource` does not reconnect after an error status. */
const retryLater = () => retryStream("board-away", AWAY_RETRY_MS);

const NO_LIVE_BOARDS = "This worker tells no boards live: it has no BOARDS binding.";

/** A stream ends with its period. A client that reconnects gets the next period. */
function streamEndsAt(period: string, { timeZone }: BoardRules, now: number): number {
  const inAnHour = now + HOUR_MS * (1 - SPREAD * Math.random());
  const [periodKind] = period.split(":");
  if (periodKind !== "day" && periodKind !== "week") return inAnHour;
  return Math.min(inAnHour, nextResetAt(periodKind, now, timeZone) + RESET_SPREAD_MS * Math.random());
}

/** A room's own board, or a season, exists once a player has scored on it. Read through the cache like any page. */
async function checkHasScores(
  c: RouteContext,
  boardRequest: BoardRequest,
  now: number,
): Promise<Response | undefined> {
  const { ranking, lifetime, admit } = boardRequest;
  const { board, period } = ranking;
  try {
    const query = { board, key: topKey(board, period), lifetime, admit };
    const { value } = await readThrough(c, boardCaches.top, query, now, () =>
      readPage(c.env.DB, ranking, { limit: PAGE }, now),
    );
    if (value.updatedAt !== null) return undefined;
    return rejectionResponse(rejectHttp(404, "not_found", "Nobody has scored on that board yet."));
  } catch (error) {
    if (error instanceof RejectionError) return rejectionResponse(error.rejection);
    console.error(`The board ${board} could not be read:`, error);
    return retryLater();
  }
}
