import { Hono } from "hono";
import type { Ban } from "../boards/bans";
import type { BanKeeper } from "../platform/bans/ban-keeper";
import { keeperOf } from "../platform/bans/banned-address";
import type { CloudflareEnv } from "../platform/cloudflare";
import type { Door } from "../platform/edge/door";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { tell } from "./admin-route";
import { badData, readJson, readParams, readQuery } from "./api/asked";
import { noQuery } from "./api/boards";
import { userParams } from "./api/by-hand";
import { banBody, bansQuery } from "./api/upkeep";

const AWAY_RETRY_MS = 5_000;

/** For whoever deploys: what is missing. */
export const NO_KEEPER = "This worker keeps no bans: it has no DB and USERS bindings.";
type Context = { Bindings: CloudflareEnv };

/** Bans everywhere, for admins. A room's own are its hosts' business, by actions. */
export function bansRoutes(doorOf: (env: CloudflareEnv) => Door) {
  const app = new Hono<Context>();

  async function asAdmin(
    request: Request,
    env: CloudflareEnv,
    work: (bans: BanKeeper, by: string, now: number) => Promise<Response>,
  ): Promise<Response> {
    const now = Date.now();
    const admin = await doorOf(env).admin(request);
    if (!admin.ok) return refusalResponse(admin);
    const bans = keeperOf(env);
    if (!bans) return refusalResponse(refuseHttp(503, "unavailable", NO_KEEPER));
    try {
      return await work(bans, admin.user, now);
    } catch (error) {
      console.error("Bans could not be reached:", error);
      const body = {
        code: "unavailable" as const,
        message: "Bans cannot be reached right now. Nothing may have been changed.",
        retryAfterMs: AWAY_RETRY_MS,
      };
      return refusalResponse({ ok: false, status: 503, body });
    }
  }

  app.get("/", ({ req, env }) =>
    asAdmin(req.raw, env, async (bans, _, now) => {
      const query = readQuery(req.raw, bansQuery);
      if (!query.ok) return refusalResponse(query);
      const { limit, cursor = "", user } = query.value;
      if (user !== undefined) {
        const ban = await bans.find(user, now);
        return tell({ bans: ban ? [told(ban)] : [] });
      }
      const found = await bans.list(cursor, limit + 1, now);
      const shown = found.slice(0, limit);
      const last = found.length > limit ? shown.at(-1) : undefined;
      return tell({ bans: shown.map(told), ...(last ? { cursor: last.user } : {}) });
    }),
  );
  app.get("/:user", ({ req, env }) =>
    asAdmin(req.raw, env, async (bans, _, now) => {
      const asked = readUser(req.raw);
      if (!asked.ok) return refusalResponse(asked);
      const ban = await bans.find(asked.user, now);
      return ban ? tell(told(ban)) : notBanned();
    }),
  );
  // `.` and `..` are no names in an address: such a user, and any other, is named by a parameter as well.
  app.on("PUT", ["/", "/:user"], ({ req, env }) =>
    asAdmin(req.raw, env, async (bans, by, now) => {
      const asked = readUser(req.raw);
      if (!asked.ok) return refusalResponse(asked);
      const body = await readJson(req.raw, banBody);
      if (!body.ok) return refusalResponse(body);
      const { user } = asked;
      const { reason, untilMs } = body.value;
      if (untilMs !== undefined && untilMs <= now) {
        return refusalResponse(badData("untilMs must be later than now: it has passed."));
      }
      const ban = { user, by, at: now, reason: reason ?? null, untilMs: untilMs ?? null };
      if (user === by || !(await bans.put(ban))) {
        return refusalResponse(refuseHttp(403, "not_allowed", "Nobody moderates an equal or higher role."));
      }
      return tell(told(ban));
    }),
  );
  app.on("DELETE", ["/", "/:user"], ({ req, env }) =>
    asAdmin(req.raw, env, async (bans, by, now) => {
      const asked = readUser(req.raw);
      if (!asked.ok) return refusalResponse(asked);
      return (await bans.lift(asked.user, by, now)) ? tell({ lifted: true }) : notBanned();
    }),
  );
  app.all("*", () => {
    const allow = { Allow: "GET, PUT, DELETE" };
    return refusalResponse(refuseHttp(405, "bad_action", "Bans answer GET, PUT and DELETE.", allow));
  });
  return app;
}

function told({ user, reason, by, at, untilMs }: Omit<Ban, "scope">) {
  return {
    user,
    ...(reason === null ? {} : { reason }),
    by,
    at,
    ...(untilMs === null ? {} : { untilMs }),
  };
}

/** From the address or the parameter, percent-decoded; what cannot be is nobody's id. */
function readUser(request: Request): { ok: true; user: string } | HttpRefusal {
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

function notBanned(): Response {
  return refusalResponse(refuseHttp(404, "not_found", "That user is not banned everywhere."));
}
