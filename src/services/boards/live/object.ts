import { DurableObject } from "cloudflare:workers";
import { z } from "zod";
import { configOf } from "../../../config/config";
import { eventStreamHeaders } from "../../../edge/http/event-stream";
import { rejectionResponse } from "../../../edge/http/http-rejection";
import type { LiveTop } from "../../../protocol/live";
import { lifetimeOf } from "../cache/cache-kinds";
import { boardCounters } from "../counters";
import type { BoardsEnv } from "../env";
import { readVersion } from "../store/board-version";
import { type Ranking, readPage } from "../store/read-board";
import { LiveBoard } from "./live-board";

/** The most entries of a live board. */
const MAX_ENTRIES = 100;
const FULL_RETRY_MS = 30_000;
/** The shortest interval between unconditional reads. */
const MIN_REFRESH_MS = 1_000;

/** A request of the worker, which has validated it. Only a binding reaches an object. */
const liveRequestSchema = z.object({
  ranking: z.object({
    board: z.string(),
    period: z.string(),
    room: z.string().exactOptional(),
    sign: z.union([z.literal(1), z.literal(-1)]),
  }),
  lastEventId: z.string().exactOptional(),
  endsAt: z.number(),
});

/** A request and not an RPC call, because only the body of a response shows that the client has gone. */
export function createLiveRequest(request: z.infer<typeof liveRequestSchema>): Request {
  return new Request("http://board/live", { method: "POST", body: JSON.stringify(request) });
}

/** One live ranking: an object for each (board, period). It stores nothing, because each request names the ranking. */
export class LiveBoardObject extends DurableObject<BoardsEnv> {
  #board: LiveBoard | undefined;

  override async fetch(request: Request): Promise<Response> {
    const { ranking, lastEventId, endsAt } = liveRequestSchema.parse(JSON.parse(await request.text()));
    this.#board ??= this.#open(ranking);
    const body = this.#board.subscribe(lastEventId, endsAt);
    if (body) return new Response(body, { headers: eventStreamHeaders });
    boardCounters.liveStreams.add({ was: "refused" });
    const message = "This board has too many live streams. Please try again later.";
    return rejectionResponse({
      ok: false,
      status: 503,
      body: { code: "full", message, retryAfterMs: FULL_RETRY_MS },
    });
  }

  #open(ranking: Ranking): LiveBoard {
    const { DB } = this.env;
    const config = configOf(this.env);
    if (config.debugRooms) console.log(`restored board ${ranking.board} ${ranking.period}`);
    const top = async (): Promise<LiveTop> => {
      const { version, updatedAt, entries } = await readPage(DB, ranking, { limit: MAX_ENTRIES }, Date.now());
      return { version, updatedAt, entries: entries.map(({ place: _, ...entry }) => entry) };
    };
    const { board, period } = ranking;
    return new LiveBoard(
      { board, period, version: () => readVersion(DB, board, period), top },
      Math.max(MIN_REFRESH_MS, lifetimeOf("open", config).refreshMs),
    );
  }
}
