import { Hono } from "hono";
import type { BoardBook } from "../boards/board-book";
import { askAddressOf, cloudflareAddress } from "../platform/addresses/cloudflare-address";
import { toldAddress } from "../platform/addresses/told-address";
import { boardAnswers } from "../platform/answers/held-answers";
import { keeperOf } from "../platform/bans/banned-address";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/edge/door";
import { refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { refuseSocket } from "../platform/edge/refusal";
import { answerBatch } from "../platform/points/batch-route";
import { DatabaseWatch } from "../platform/watch/database-watch";
import { closeCodes } from "../protocol/codes";
import { asideRoutes } from "./aside-routes";
import { askRoom } from "./ask-room";
import { bansRoutes } from "./bans-routes";
import { boardRoutes } from "./board-routes";
import { correctionRoutes } from "./correction-routes";
import { documentRoutes } from "./document-routes";
import { errandRoutes } from "./errand-routes";
import { liveRoutes } from "./live-routes";
import type { MayRead } from "./may-read";
import { seasonRoutes } from "./season-routes";
import { userRoutes } from "./user-routes";

/** The worker's routes: rooms by way of the door, and what is no room's. */
export function appOf(kinds: ReadonlySet<string>, book: BoardBook) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();
  let door: Door | undefined;
  const doorOf = (env: CloudflareEnv) => {
    if (door) return door;
    boardAnswers.shared.enter(Door.config(env));
    const bans = keeperOf(env);
    door = new Door(env, {
      kinds,
      addressOf: async (request: Request) =>
        (await toldAddress(request, Door.secrets(env), Date.now())) ?? cloudflareAddress(request),
      askAddress: askAddressOf(env.ADDRESSES),
      ...(env.DB ? { database: new DatabaseWatch(env.DB) } : {}),
      ...(bans ? { askBans: (user: string, room: string) => bans.ask(user, room) } : {}),
    });
    return door;
  };

  app.use("*", async (context, next) => {
    const { req, env } = context;
    const preflight = doorOf(env).preflight(req.raw);
    if (preflight) return preflight;
    await next();
    // Set twice, hono would mix the headers of both.
    const answer = doorOf(env).dress(context.res, req.raw);
    context.res = undefined;
    context.res = answer;
  });
  app.all("/parties/:kind/:room/:what{drain}?", async ({ req, env }) => {
    const isSocket = asksForSocket(req.raw);
    const judged = await (isSocket ? doorOf(env).socket(req.raw) : doorOf(env).call(req.raw));
    if (judged instanceof Response) return judged;
    const [, , kind, id] = new URL(judged.url).pathname.split("/");
    return askRoom(env.ROOMS.getByName(`${kind}/${id}`), judged);
  });
  app.route("/v1/bans", bansRoutes(doorOf));
  app.route("/v1/aside", asideRoutes(doorOf, book));
  const mayRead: MayRead = (env, request, rule) => doorOf(env).mayRead(request, rule);
  app.route("/v1/corrections", correctionRoutes(doorOf, book));
  app.route("/v1/users", userRoutes(doorOf, book));
  app.route("/v1/boards", seasonRoutes(doorOf, book, mayRead));
  app.route("/v1/boards", liveRoutes(book, mayRead));
  app.route("/v1/boards", boardRoutes(book, mayRead));
  app.route("/v1/errands", errandRoutes());
  app.route("/", documentRoutes());
  app.all("/v1/batches", ({ req, env, executionCtx }) => {
    const later = (work: Promise<unknown>) => executionCtx.waitUntil(work);
    return answerBatch(req.raw, { secrets: Door.secrets(env), db: env.DB, book, later }, Date.now());
  });
  app.all("*", ({ req, env }) => doorOf(env).other(req.raw));
  // A room that was ended under way (a release, a write that failed) rejects: whoever waits is told to come back.
  app.onError((error, { req }) => {
    console.error(`${req.method} ${req.path} failed:`, error);
    if (asksForSocket(req.raw)) return refuseSocket(closeCodes.draining, FAILED, FAILED_RETRY_MS);
    return refusalResponse(refuseHttp(500, "internal", FAILED));
  });
  return app;
}

/** By RFC 6455 only a GET does: what else claims to is a request like any other. */
function asksForSocket({ method, headers }: Request): boolean {
  return method === "GET" && headers.get("Upgrade")?.toLowerCase() === "websocket";
}

const FAILED = "Something went wrong here. It has been noted.";
const FAILED_RETRY_MS = 2_000;
