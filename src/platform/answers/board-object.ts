import { DurableObject } from "cloudflare:workers";
import { z } from "zod";
import { readVersion } from "../../boards/board-version";
import { type Ranking, readPage } from "../../boards/read-board";
import type { LiveTop } from "../../protocol/live";
import type { CloudflareEnv } from "../cloudflare";
import { Door } from "../edge/door";
import { refusalResponse } from "../edge/http-refusal";
import { counts } from "../watch/counts";
import { lifetimeOf } from "./answer-kinds";
import { LiveBoard } from "./live-board";
import { liveHeaders } from "./live-stream";

/** A page of the most that is ever told. */
const TOP = 100;
const FULL_RETRY_MS = 30_000;
/** A database that is read for nobody else's sake is read as often as this at the least. */
const LEAST_REFRESH_MS = 1_000;

/** What the worker asks, which has judged it. Only a binding reaches an object: nothing from outside does. */
const liveAsk = z.object({
  ranking: z.object({
    board: z.string(),
    period: z.string(),
    room: z.string().exactOptional(),
    turn: z.union([z.literal(1), z.literal(-1)]),
  }),
  knows: z.string().exactOptional(),
  endsAt: z.number(),
});

/** A request and not a call: whoever listens goes away, and only a request's body tells so. */
export function liveRequest(ask: z.infer<typeof liveAsk>): Request {
  return new Request("http://board/live", { method: "POST", body: JSON.stringify(ask) });
}

/**
 * One ranking that is told live: an object for each (board, period). It stores nothing: what it is about comes with whoever
 * listens, and with nobody left there is nothing that would wake it.
 */
export class BoardObject extends DurableObject<CloudflareEnv> {
  #board: LiveBoard | undefined;

  override async fetch(request: Request): Promise<Response> {
    const { ranking, knows, endsAt } = liveAsk.parse(JSON.parse(await request.text()));
    this.#board ??= this.#open(ranking);
    const body = this.#board.listen(knows, endsAt);
    if (body) return new Response(body, { headers: liveHeaders });
    counts.live.add({ was: "refused" });
    const message = "Too many listen to this board already.";
    return refusalResponse({
      ok: false,
      status: 503,
      body: { code: "full", message, retryAfterMs: FULL_RETRY_MS },
    });
  }

  #open(ranking: Ranking): LiveBoard {
    const { DB } = this.env;
    const config = Door.config(this.env);
    if (config.debugRooms) console.log(`restored board ${ranking.board} ${ranking.period}`);
    const top = async (): Promise<LiveTop> => {
      const { version, updatedAt, entries } = await readPage(DB, ranking, { limit: TOP }, Date.now());
      return { version, updatedAt, entries: entries.map(({ place: _, ...entry }) => entry) };
    };
    const { board, period } = ranking;
    return new LiveBoard(
      { board, period, version: () => readVersion(DB, board, period), top },
      Math.max(LEAST_REFRESH_MS, lifetimeOf("open", config).refreshMs),
    );
  }
}
