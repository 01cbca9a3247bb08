import { Hono } from "hono";
import { type AuthorizeAdmin, uncachedJson } from "../../edge/http/admin-route";
import { noQuery, userParams } from "../../edge/http/fields";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../../edge/http/http-rejection";
import { readJson, readParams, readQuery, rejectData } from "../../edge/http/validate";
import { banBody, bansQuery } from "./api";
import type { BanService } from "./ban-service";
import type { Ban } from "./store";

const AWAY_RETRY_MS = 5_000;

export const NO_BAN_SERVICE = "This worker has no ban service, because it has no DB or USERS binding.";
/** `undefined` in a worker without a ban service. */
export type OpenBans = () => BanService | undefined;

/** Bans everywhere, for admins. Hosts manage the bans of a room by actions in that room. */
export function banRoutes(authorizeAdmin: AuthorizeAdmin, openBans: OpenBans) {
  const app = new Hono();

  async function withBans(
    request: Request,
    work: (bans: BanService, by: string, now: number) => Promise<Response>,
  ): Promise<Response> {
    const now = Date.now();
    const admin = await authorizeAdmin(request);
    if (!admin.ok) return rejectionResponse(admin);
    const bans = openBans();
    if (!bans) return rejectionResponse(rejectHttp(503, "unavailable", NO_BAN_SERVICE));
    try {
      return await work(bans, admin.user, now);
    } catch (error) {
      console.error("The ban service could not be reached:", error);
      const body = {
        code: "unavailable" as const,
        message: "The ban service did not answer. The change may have been made, or not.",
        retryAfterMs: AWAY_RETRY_MS,
      };
      return rejectionResponse({ ok: false, status: 503, body });
    }
  }

  app.get("/", ({ req }) =>
    withBans(req.raw, async (bans, _, now) => {
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
  app.get("/:user", ({ req }) =>
    withBans(req.raw, async (bans, _, now) => {
      const parsed = readBannedUser(req.raw);
      if (!parsed.ok) return rejectionResponse(parsed);
      const ban = await bans.findBan(parsed.user, now);
      return ban ? uncachedJson(toJson(ban)) : banNotFound();
    }),
  );
  // A URL path cannot contain `.` or `..` as a name, so a user can also be named by a query parameter.
  app.on("PUT", ["/", "/:user"], ({ req }) =>
    withBans(req.raw, async (bans, by, now) => {
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
  app.on("DELETE", ["/", "/:user"], ({ req }) =>
    withBans(req.raw, async (bans, by, now) => {
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

function toJson({ user, reason, by, at, untilMs }: Omit<Ban, "scope" | "rank">) {
  return {
    user,
    ...(reason === null ? {} : { reason }),
    by,
    at,
    ...(untilMs === null ? {} : { untilMs }),
  };
}

/** The user in the path or in the query parameter. A path that cannot be percent-decoded names no user. */
function readBannedUser(request: Request): { ok: true; user: string } | HttpRejection {
  let user = "";
  try {
    user = decodeURIComponent(new URL(request.url).pathname.slice("/v1/bans/".length));
    if (user === "") {
      const query = readQuery(request, userParams);
      return query.ok ? { ok: true, user: query.value.user } : query;
    }
  } catch {
    // The id stays empty, which is invalid.
  }
  const params = readParams({ user }, userParams);
  if (!params.ok) return params;
  const query = readQuery(request, noQuery);
  return query.ok ? { ok: true, user } : query;
}

function banNotFound(): Response {
  return rejectionResponse(rejectHttp(404, "not_found", "That user is not banned everywhere."));
}
