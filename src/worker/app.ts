import { Hono } from "hono";
import { callSecretsOf, configOf } from "../config/config";
import { callRoom } from "../edge/call-room";
import { Gateway } from "../edge/gateway";
import type { AuthorizeAdmin, AuthorizeSelf } from "../edge/http/admin-route";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import { createIpLimitsCall, readCloudflareIp } from "../edge/ip-limits/cloudflare-ip";
import { verifyForwardedIp } from "../edge/ip-limits/forwarded-ip";
import { rejectSocket } from "../edge/socket-rejection";
import { isSocketRequest } from "../edge/socket-request";
import { DatabaseProbe } from "../ops/health";
import { closeCodes } from "../protocol/codes";
import { BanLookup } from "../services/bans/ban-lookup";
import type { BanService } from "../services/bans/ban-service";
import { banEffectRoutes } from "../services/bans/effect-routes";
import { banRoutes } from "../services/bans/routes";
import { EVERYWHERE, findBans } from "../services/bans/store";
import { boardCaches } from "../services/boards/cache/caches";
import { boardCounters } from "../services/boards/counters";
import { answerBatch } from "../services/boards/ingest/batch-route";
import { boardRoutes } from "../services/boards/routes/board-routes";
import { correctionRoutes } from "../services/boards/routes/correction-routes";
import { deadLetterRoutes } from "../services/boards/routes/dead-letter-routes";
import { liveRoutes } from "../services/boards/routes/live-routes";
import type { CheckReadLimit } from "../services/boards/routes/read-limit";
import { seasonRoutes } from "../services/boards/routes/season-routes";
import { userRoutes } from "../services/boards/routes/user-routes";
import type { BoardRegistry } from "../services/boards/store/board-registry";
import { countDeadLetters } from "../services/boards/store/count-dead-letters";
import type { AreBanned } from "../services/boards/store/dead-letters";
import type { CloudflareEnv } from "./env";
import { openBans } from "./open-bans";
import { openApiRoutes } from "./openapi/openapi-routes";
import { answerOps } from "./ops";

/** The worker's routes: rooms behind the gateway, the services, health and metrics. */
export function createApp(kinds: ReadonlySet<string>, registry: BoardRegistry) {
  const app = new Hono<{ Bindings: CloudflareEnv }>();
  let opened: Opened | undefined;
  /** One gateway for the life of the process, made of the bindings of its first request. */
  const open = (env: CloudflareEnv) => {
    if (opened) return opened;
    const bans = openBans(env);
    const database = env.DB && openDatabaseProbe(env.DB);
    opened = { bans, database, gateway: openGateway(env, kinds, bans) };
    return opened;
  };
  /** For routes: the first middleware has opened it. */
  const getOpened = () => {
    if (!opened) throw new Error("A route ran before the gateway was opened.");
    return opened;
  };

  app.use("*", async (context, next) => {
    const { req, env } = context;
    const { gateway } = open(env);
    const preflight = gateway.answerPreflight(req.raw);
    if (preflight) return preflight;
    await next();
    // Without the first assignment hono would mix the headers of both responses.
    const answer = gateway.withHeaders(context.res, req.raw);
    context.res = undefined;
    context.res = answer;
  });
  app.all("/parties/:kind/:room/:what{drain}?", async ({ req, env }) => {
    const isSocket = isSocketRequest(req.raw);
    const { rooms } = getOpened().gateway;
    const admitted = await (isSocket ? rooms.admitSocket(req.raw) : rooms.admitCall(req.raw));
    if (admitted instanceof Response) return admitted;
    const [, , kind, id] = new URL(admitted.url).pathname.split("/");
    return callRoom(env.ROOMS.getByName(`${kind}/${id}`), admitted, isSocket);
  });
  const authorizeAdmin: AuthorizeAdmin = (request) => getOpened().gateway.authorizeAdmin(request);
  const authorizeSelf: AuthorizeSelf = (request, user) => getOpened().gateway.authorizeSelf(request, user);
  const checkReadLimit: CheckReadLimit = (request, rule) => getOpened().gateway.checkReadLimit(request, rule);
  app.route(
    "/v1/bans",
    banRoutes(authorizeAdmin, () => getOpened().bans),
  );
  app.route("/v1/aside", deadLetterRoutes(authorizeAdmin, registry, areBannedIn));
  app.route("/v1/corrections", correctionRoutes(authorizeAdmin, registry));
  // The users' objects have copied the reasons of bans, and remember roles.
  const eraseFromBans = async (user: string) => getOpened().bans?.erase(user);
  app.route("/v1/users", userRoutes(authorizeAdmin, authorizeSelf, registry, eraseFromBans));
  app.route("/v1/boards", seasonRoutes(authorizeAdmin, registry, checkReadLimit));
  app.route("/v1/boards", liveRoutes(registry, checkReadLimit));
  app.route("/v1/boards", boardRoutes(registry, checkReadLimit));
  app.route(
    "/v1/errands",
    banEffectRoutes(() => getOpened().bans),
  );
  app.route("/", openApiRoutes());
  app.all("/v1/batches", ({ req, env, executionCtx }) => {
    const later = (work: Promise<unknown>) => executionCtx.waitUntil(work);
    return answerBatch(
      req.raw,
      { secrets: callSecretsOf(env), db: env.DB, registry, waitUntil: later },
      Date.now(),
    );
  });
  app.all("*", ({ req, env }) => {
    const { gateway, database } = open(env);
    return answerOps(req.raw, gateway, database) ?? gateway.answer(req.raw);
  });
  // A room that ends during a request (a release, a failed write) rejects. The client is told to come back.
  app.onError((error, { req }) => {
    console.error(`${req.method} ${req.path} failed:`, error);
    if (isSocketRequest(req.raw)) return rejectSocket(closeCodes.draining, FAILED, FAILED_RETRY_MS);
    return rejectionResponse(rejectHttp(500, "internal", FAILED));
  });
  return app;
}

/** What a process keeps between requests. */
interface Opened {
  gateway: Gateway;
  bans: BanService | undefined;
  database: DatabaseProbe | undefined;
}

function areBannedIn(db: D1Database): AreBanned {
  return async (users, room, now) => (await findBans(db, users, [EVERYWHERE, room], now)).length > 0;
}

function openGateway(env: CloudflareEnv, kinds: ReadonlySet<string>, bans: BanService | undefined): Gateway {
  boardCaches.platformCache.configure(configOf(env));
  const lookup = bans && new BanLookup((user, room) => bans.fetchBans(user, room));
  return new Gateway(env, {
    kinds,
    clientIpOf: async (request: Request) =>
      (await verifyForwardedIp(request, callSecretsOf(env), Date.now())) ?? readCloudflareIp(request),
    callIpLimits: createIpLimitsCall(env.ADDRESSES),
    checkBans: lookup && ((...query) => lookup.check(...query)),
  });
}

function openDatabaseProbe(db: D1Database): DatabaseProbe {
  return new DatabaseProbe(
    (max) => countDeadLetters(db, max),
    (outcome) => boardCounters.database.add({ for: "health", outcome }),
  );
}

const FAILED = "Something went wrong here. It has been noted.";
const FAILED_RETRY_MS = 2_000;
