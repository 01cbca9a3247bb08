import { type Context, Hono } from "hono";
import { findBoard, nextReset, readPeriod } from "../boards/board-address";
import type { BoardBook, BoardRules } from "../boards/board-book";
import { type Ranking, readPage } from "../boards/read-board";
import { lifetimeOf, topKey } from "../platform/answer-kinds";
import { liveRequest } from "../platform/board-object";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/door";
import { boardAnswers } from "../platform/held-answers";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/http-refusal";
import { comeBackStream } from "../platform/live-stream";
import { type MayRead, TooManyMisses } from "./may-read";

type Ctx = Context<{ Bindings: CloudflareEnv }>;

/** As many as the object tells; the page is one that everybody reads. */
const PAGE = 100;
/** A stream ends by itself after an hour, less up to a tenth of it by chance, so that those who came together do not come back together. */
const HOUR_MS = 3_600_000;
const SPREAD = 0.1;
const AWAY_RETRY_MS = 5_000;
/** After a reset, within so long. */
const RESET_SPREAD_MS = 5_000;

/** `GET /v1/boards/<board>/live`: a ranking's top as it changes, as server-sent events. */
export function liveRoutes(book: BoardBook, mayRead: MayRead) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();

  app.get("/:board/live", async (c) => {
    const now = Date.now();
    const asked = judge(c, book, now);
    if (!asked.ok) return refusalResponse(asked);
    const { env, req } = c;
    if (!env.BOARDS) return refusalResponse(refuseHttp(503, "unavailable", NO_OBJECTS));
    const refusal = await mayRead(env, req.raw, "live");
    if (refusal) return refusalResponse(refusal);
    const { ranking, isDeclared, endsAt } = asked;
    if (!isDeclared) {
      const missing = await whetherThere(c, ranking, mayRead, now);
      if (missing) return missing;
    }
    const knows = /^\d{1,16}-[0-9a-f]{8}$/.exec(req.header("Last-Event-ID") ?? "")?.[0];
    const ask = { ranking, endsAt, ...(knows === undefined ? {} : { knows }) };
    return env.BOARDS.getByName(`${ranking.board}\n${ranking.period}`).fetch(liveRequest(ask));
  });
  return app;
}

const NO_OBJECTS = "This worker tells no boards live: it has no BOARDS binding.";

interface LiveAddress {
  ok: true;
  ranking: Ranking;
  /** It is there by declaration: nobody can make up another. */
  isDeclared: boolean;
  endsAt: number;
}

function judge(c: Ctx, book: BoardBook, now: number): LiveAddress | HttpRefusal {
  const address = findBoard(book, c.req.param("board") ?? "");
  if (!address) return refuseHttp(404, "not_found", "No kind of room has a board of that name.");
  const { period: given = [], ...others } = c.req.queries();
  const [unknown] = Object.keys(others);
  if (unknown !== undefined || given.length > 1) {
    return refuseHttp(400, "bad_data", "Only period may be given here, and once.");
  }
  const { rules, board, room } = address;
  const asked = given[0] ?? rules.periods[0] ?? "all";
  const read = readPeriod(rules, asked, now);
  if (!read.ok) return refuseHttp(400, "bad_data", `${read.problem}.`);
  if (read.isClosed) return refuseHttp(400, "bad_data", "That period has ended: it is told no more.");
  const ranking: Ranking = {
    board,
    period: read.period,
    turn: rules.order === "highest" ? -1 : 1,
    ...(room === undefined ? {} : { room }),
  };
  const isDeclared = room === undefined && !asked.startsWith("season");
  return { ok: true, ranking, isDeclared, endsAt: endOf(read.period, rules, now) };
}

/** When its period is over a stream is over too: whoever comes back is told the next. */
function endOf(period: string, { timeZone }: BoardRules, now: number): number {
  const anHour = now + HOUR_MS * (1 - SPREAD * Math.random());
  const [sort] = period.split(":");
  if (sort !== "day" && sort !== "week") return anHour;
  return Math.min(anHour, nextReset(sort, now, timeZone) + RESET_SPREAD_MS * Math.random());
}

/** A room's own board, or a season, is there when somebody has scored on it: an answer like any other, from the cache. */
async function whetherThere(
  c: Ctx,
  ranking: Ranking,
  mayRead: MayRead,
  now: number,
): Promise<Response | undefined> {
  const { board, period } = ranking;
  try {
    const { value } = await boardAnswers.top.get(
      {
        board,
        key: topKey(board, period),
        lifetime: lifetimeOf("open", Door.config(c.env)),
        fetch: () => readPage(c.env.DB, ranking, { limit: PAGE }, now),
        keepAlive: (work) => c.executionCtx.waitUntil(work),
        admit: async () => {
          const refusal = await mayRead(c.env, c.req.raw, "readMiss");
          if (refusal) throw new TooManyMisses(refusal);
        },
      },
      now,
    );
    if (value.updatedAt !== null) return undefined;
    return refusalResponse(refuseHttp(404, "not_found", "Nobody has scored on that board yet."));
  } catch (error) {
    if (error instanceof TooManyMisses) return refusalResponse(error.refusal);
    console.error(`The board ${board} could not be read:`, error);
    return comeBackStream("database-away", AWAY_RETRY_MS);
  }
}
