import { Hono } from "hono";
import { callRoom } from "../edge/call-room";
import { Gateway } from "../edge/gateway";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import { createGuestBlocker } from "../edge/ip-limits/block-guests";
import { createIpLimitsCall, readCloudflareIp } from "../edge/ip-limits/cloudflare-ip";
import { verifyForwardedIp } from "../edge/ip-limits/forwarded-ip";
import { rejectSocket } from "../edge/socket-rejection";
import { isSocketRequest } from "../edge/socket-request";
import { DatabaseProbe } from "../ops/health";
import type { CloudflareEnv } from "../platforms/cloudflare";
import { closeCodes } from "../protocol/codes";
import { banEffectRoutes } from "../services/bans/effect-routes";
import { openBanService } from "../services/bans/open-ban-service";
import { banRoutes } from "../services/bans/routes";
import { EVERYWHERE, findBans } from "../services/bans/store";
import { boardCaches } from "../services/boards/cache/caches";
import { answerBatch } from "../services/boards/ingest/batch-route";
import { boardRoutes } from "../services/boards/routes/board-routes";
import { correctionRoutes } from "../services/boards/routes/correction-routes";
import { deadLetterRoutes } from "../services/boards/routes/dead-letter-routes";
import { liveRoutes } from "../services/boards/routes/live-routes";
import type { CheckReadLimit } from "../services/boards/routes/read-limit";
import { seasonRoutes } from "../services/boards/routes/season-routes";
import { userRoutes } from "../services/boards/routes/user-routes";
import type { BoardRegistry } from "../services/boards/store/board-registry";
import { openApiRoutes } from "./openapi/openapi-routes";

/** The worker's routes: rooms by way of the door, and what is no room's. */
export function createApp(kinds: ReadonlySet<string>, registry: BoardRegistry) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();
  const openBans = (env: CloudflareEnv) => {
    const { guest } = Gateway.readConfig(env).limits;
    return openBanService(env, createGuestBlocker(guest, createIpLimitsCall(env.ADDRESSES)));
  };
  const areBannedIn = (db: D1Database) => async (users: readonly string[], room: string, now: number) =>
    (await findBans(db, users, [EVERYWHERE, room], now)).length > 0;
  let gateway: Gateway | undefined;
  const gatewayOf = (env: CloudflareEnv) => {
    if (gateway) return gateway;
    boardCaches.platformCache.configure(Gateway.readConfig(env));
    const bans = openBans(env);
    gateway = new Gateway(env, {
      kinds,
      clientIpOf: async (request: Request) =>
        (await verifyForwardedIp(request, Gateway.readSecrets(env), Date.now())) ?? readCloudflareIp(request),
      callIpLimits: createIpLimitsCall(env.ADDRESSES),
      ...(env.DB ? { database: new DatabaseProbe(env.DB) } : {}),
      ...(bans ? { fetchBans: (user: string, room: string) => bans.fetchBans(user, room) } : {}),
    });
    return gateway;
  };

  app.use("*", async (context, next) => {
    const { req, env } = context;
    const preflight = gatewayOf(env).answerPreflight(req.raw);
    if (preflight) return preflight;
    await next();
    // Set twice, hono would mix the headers of both.
    const answer = gatewayOf(env).withHeaders(context.res, req.raw);
    context.res = undefined;
    context.res = answer;
  });
  app.all("/parties/:kind/:room/:what{drain}?", async ({ req, env }) => {
    const isSocket = isSocketRequest(req.raw);
    const admitted = await (isSocket
      ? gatewayOf(env).admitSocket(req.raw)
      : gatewayOf(env).admitCall(req.raw));
    if (admitted instanceof Response) return admitted;
    const [, , kind, id] = new URL(admitted.url).pathname.split("/");
    return callRoom(env.ROOMS.getByName(`${kind}/${id}`), admitted, isSocket);
  });
  app.route("/v1/bans", banRoutes(gatewayOf, openBans));
  app.route("/v1/aside", deadLetterRoutes(gatewayOf, registry, areBannedIn));
  const checkReadLimit: CheckReadLimit = (env, request, rule) => gatewayOf(env).checkReadLimit(request, rule);
  app.route("/v1/corrections", correctionRoutes(gatewayOf, registry));
  // An erasure removes the reasons of bans, which the users' objects have copied.
  const rereadBans = async (env: CloudflareEnv, user: string) => openBans(env)?.reread(user);
  app.route("/v1/users", userRoutes(gatewayOf, registry, rereadBans));
  app.route("/v1/boards", seasonRoutes(gatewayOf, registry, checkReadLimit));
  app.route("/v1/boards", liveRoutes(registry, checkReadLimit));
  app.route("/v1/boards", boardRoutes(registry, checkReadLimit));
  app.route("/v1/errands", banEffectRoutes(openBans));
  app.route("/", openApiRoutes());
  app.all("/v1/batches", ({ req, env, executionCtx }) => {
    const later = (work: Promise<unknown>) => executionCtx.waitUntil(work);
    return answerBatch(
      req.raw,
      { secrets: Gateway.readSecrets(env), db: env.DB, registry, waitUntil: later },
      Date.now(),
    );
  });
  app.all("*", ({ req, env }) => gatewayOf(env).answer(req.raw));
  // A room that was ended under way (a release, a write that failed) rejects: whoever waits is told to come back.
  app.onError((error, { req }) => {
    console.error(`${req.method} ${req.path} failed:`, error);
    if (isSocketRequest(req.raw)) return rejectSocket(closeCodes.draining, FAILED, FAILED_RETRY_MS);
    return rejectionResponse(rejectHttp(500, "internal", FAILED));
  });
  return app;
}

const FAILED = "Something went wrong here. It has been noted.";
const FAILED_RETRY_MS = 2_000;
