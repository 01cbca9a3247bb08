import { Hono } from "hono";
import { type AuthorizeAdmin, uncachedJson } from "../../edge/http/admin-route";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../../edge/http/http-rejection";
import { readJson, readParams, readQuery, rejectData } from "../../edge/http/validate";
import { banBody, bansQuery } from "../../worker/openapi/upkeep";
import { noQuery } from "../boards/routes/api/boards";
import { userParams } from "../boards/routes/api/corrections";
import type { BanService } from "./ban-service";
import type { BansEnv } from "./env";
import { openBanService } from "./open-ban-service";
import type { Ban } from "./store";

const AWAY_RETRY_MS = 5_000;

/** For whoever deploys: what is missing. */
export const NO_BAN_SERVICE = "This worker keeps no bans: it has no DB and USERS bindings.";
type Context = { Bindings: BansEnv };

/** Bans everywhere, for admins. A room's own are its hosts' business, by actions. */
export function banRoutes(authorizeAdmin: AuthorizeAdmin) {
  const app = new Hono<Context>();

  async function withBans(
    request: Request,
    env: BansEnv,
    work: (bans: BanService, by: string, now: number) => Promise<Response>,
  ): Promise<Response> {
    const now = Date.now();
    const admin = await authorizeAdmin(request);
    if (!admin.ok) return rejectionResponse(admin);
    const bans = openBanService(env);
    if (!bans) return rejectionResponse(rejectHttp(503, "unavailable", NO_BAN_SERVICE));
    try {
      return await work(bans, admin.user, now);
    } catch (error) {
      console.error("Bans could not be reached:", error);
      const body = {
        code: "unavailable" as const,
        message: "Bans cannot be reached right now. Nothing may have been changed.",
        retryAfterMs: AWAY_RETRY_MS,
      };
      return rejectionResponse({ ok: false, status: 503, body });
    }
  }

  app.get("/", ({ req, env }) =>
    withBans(req.raw, env, async (bans, _, now) => {
      const query = readQuery(req.raw, bansQuery);
      if (!query.ok) return rejectionResponse(query);
      const { limit, cursor = "", user } = query.value;
      if (user !== undefined) {
        const ban = await bans.findBan(user, now);
        return uncachedJson({ bans: ban ? [toJson(ban)] : [] });
      }
      const found = await bans.listBans(cursor, limit + 1, now);
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return uncachedJson({ bans: page.map(toJson), ...(last ? { cursor: last.user } : {}) });
    }),
  );
  app.get("/:user", ({ req, env }) =>
    withBans(req.raw, env, async (bans, _, now) => {
      const parsed = readBannedUser(req.raw);
      if (!parsed.ok) return rejectionResponse(parsed);
      const ban = await bans.findBan(parsed.user, now);
      return ban ? uncachedJson(toJson(ban)) : banNotFound();
    }),
  );
  // `.` and `..` are no names in an address: such a user, and any other, is named by a parameter as well.
  app.on("PUT", ["/", "/:user"], ({ req, env }) =>
    withBans(req.raw, env, async (bans, by, now) => {
      const parsed = readBannedUser(req.raw);
      if (!parsed.ok) return rejectionResponse(parsed);
      const body = await readJson(req.raw, banBody);
      if (!body.ok) return rejectionResponse(body);
      const { user } = parsed;
      const { reason, untilMs } = body.value;
      if (untilMs !== undefined && untilMs <= now) {
        return rejectionResponse(rejectData("untilMs must be later than now: it has passed."));
      }
      const ban = { user, by, at: now, reason: reason ?? null, untilMs: untilMs ?? null };
      if (user === by || !(await bans.setBan(ban))) {
        return rejectionResponse(rejectHttp(403, "not_allowed", "Nobody moderates an equal or higher role."));
      }
      return uncachedJson(toJson(ban));
    }),
  );
  app.on("DELETE", ["/", "/:user"], ({ req, env }) =>
    withBans(req.raw, env, async (bans, by, now) => {
      const parsed = readBannedUser(req.raw);
      if (!parsed.ok) return rejectionResponse(parsed);
      return (await bans.liftBan(parsed.user, by, now)) ? uncachedJson({ lifted: true }) : banNotFound();
    }),
  );
  app.all("*", () => {
    const allow = { Allow: "GET, PUT, DELETE" };
    return rejectionResponse(rejectHttp(405, "bad_action", "Bans answer GET, PUT and DELETE.", allow));
  });
  return app;
}

function toJson({ user, reason, by, at, untilMs }: Omit<Ban, "scope">) {
  return {
    user,
    ...(reason === null ? {} : { reason }),
    by,
    at,
    ...(untilMs === null ? {} : { untilMs }),
  };
}

/** From the address or the parameter, percent-decoded; what cannot be is nobody's id. */
function readBannedUser(request: Request): { ok: true; user: string } | HttpRejection {
  let user = "";
  try {
    user = decodeURIComponent(new URL(request.url).pathname.slice("/v1/bans/".length));
    if (user === "") {
      const query = readQuery(request, userParams);
      return query.ok ? { ok: true, user: query.value.user } : query;
    }
  } catch {
    // As it is: empty.
  }
  const params = readParams({ user }, userParams);
  if (!params.ok) return params;
  const query = readQuery(request, noQuery);
  return query.ok ? { ok: true, user } : query;
}

function banNotFound(): Response {
  return rejectionResponse(rejectHttp(404, "not_found", "That user is not banned everywhere."));
}
