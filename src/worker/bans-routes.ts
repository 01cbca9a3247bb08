import { Hono } from "hono";
import { z } from "zod";
import type { Ban } from "../boards/bans";
import { isUserId } from "../identity/user-id";
import type { BanKeeper } from "../platform/ban-keeper";
import { keeperOf } from "../platform/banned-address";
import type { CloudflareEnv } from "../platform/cloudflare";
import type { Door } from "../platform/door";
import { readBody } from "../platform/http-body";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../platform/http-refusal";
import { text } from "../protocol/schema/fields";

const MAX_PAGE = 100;
const DEFAULT_PAGE = 50;
const AWAY_RETRY_MS = 5_000;

const wanted = z.strictObject({
  reason: text(1, 200).optional(),
  untilMs: z.int().positive().max(8_640_000_000_000_000).optional(),
});
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
      const page = readPage(new URL(req.url).searchParams);
      if (!page.ok) return refusalResponse(page);
      const found = await bans.list(page.after, page.limit + 1, now);
      const shown = found.slice(0, page.limit);
      const last = found.length > page.limit ? shown.at(-1) : undefined;
      return tell({ bans: shown.map(told), ...(last ? { cursor: last.user } : {}) });
    }),
  );
  app.get("/:user", ({ req, env }) =>
    asAdmin(req.raw, env, async (bans, _, now) => {
      const ban = await bans.find(userOf(req.url), now);
      return ban ? tell(told(ban)) : notBanned();
    }),
  );
  app.put("/:user", ({ req, env }) =>
    asAdmin(req.raw, env, async (bans, by, now) => {
      const user = userOf(req.url);
      if (!isUserId(user)) return refusalResponse(refuseHttp(400, "bad_data", "That is no user id."));
      const body = await readBody(req.raw);
      if (!body.ok) return refusalResponse(body);
      const read = wanted.safeParse(body.body);
      if (!read.success) {
        const [issue] = read.error.issues;
        const where = issue?.path.join(".");
        return refusalResponse(refuseHttp(400, "bad_data", `${where || "The body"}: ${issue?.message}.`));
      }
      const { reason, untilMs } = read.data;
      if (untilMs !== undefined && untilMs <= now) {
        return refusalResponse(refuseHttp(400, "bad_data", "A ban ends later than now: untilMs has passed."));
      }
      if (user === by || !(await bans.mayModerate("admin", user))) {
        return refusalResponse(refuseHttp(403, "not_allowed", "Nobody moderates an equal or higher role."));
      }
      const ban = { user, by, at: now, reason: reason ?? null, untilMs: untilMs ?? null };
      await bans.put(ban);
      return tell(told(ban));
    }),
  );
  app.delete("/:user", ({ req, env }) =>
    asAdmin(req.raw, env, async (bans, by, now) => {
      return (await bans.lift(userOf(req.url), by, now)) ? tell({ lifted: true }) : notBanned();
    }),
  );
  app.all("*", () => {
    const allow = { Allow: "GET, PUT, DELETE" };
    return refusalResponse(refuseHttp(405, "bad_action", "Bans answer GET, PUT and DELETE.", allow));
  });
  return app;
}

/** Who asks is judged first; a database that is away is told as such. */
function readPage(query: URLSearchParams): { ok: true; after: string; limit: number } | HttpRefusal {
  const unknown = [...query.keys()].find((name) => name !== "limit" && name !== "cursor");
  if (unknown !== undefined) return refuseHttp(400, "bad_data", "Only limit and cursor are asked here.");
  const limit = query.get("limit") ?? String(DEFAULT_PAGE);
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > MAX_PAGE) {
    return refuseHttp(400, "bad_data", `limit is a whole number from 1 to ${MAX_PAGE}.`);
  }
  return { ok: true, after: query.get("cursor") ?? "", limit: Number(limit) };
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

/** Percent-decoded; what cannot be is nobody's id. */
function userOf(url: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname.slice("/v1/bans/".length));
  } catch {
    return "";
  }
}

function notBanned(): Response {
  return refusalResponse(refuseHttp(404, "not_found", "That user is not banned everywhere."));
}

function tell(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
