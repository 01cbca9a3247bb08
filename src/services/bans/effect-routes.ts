import { Hono } from "hono";
import { callSecretsOf } from "../../config/config";
import { rejectHttp, rejectionResponse } from "../../edge/http/http-rejection";
import { readSignedBody } from "../../edge/signed-calls/signed-body";
import type { BansEnv } from "./env";
import { openBanService } from "./open-ban-service";
import { NO_BAN_SERVICE } from "./routes";
import { bansCall, effectCall } from "./worker-calls";

/** What PartyKit's rooms and their edge ask, signed: the same that rooms here ask in process. */
export function banEffectRoutes() {
  const app = new Hono<{ Bindings: BansEnv }>();
  app.post("/moderation/:what", async ({ req, env }) => {
    const read = await readSignedBody(req.raw, callSecretsOf(env), Date.now());
    if (!read.ok) return rejectionResponse(read);
    const bans = openBanService(env);
    if (!bans) return rejectionResponse(rejectHttp(503, "unavailable", NO_BAN_SERVICE));
    const body = parseJson(read.text);
    const operation = req.param("what");
    const query = bansCall.safeParse(body);
    if (operation === "ask" && query.success)
      return uncachedJson(await bans.fetchBans(query.data.user, query.data.room));
    const effect = effectCall.safeParse(body);
    if (effect.success) {
      const { room, ask: request } = effect.data;
      if (operation === "places") return uncachedJson(await bans.recordPresence("partykit", room, request));
      if (operation === "bans") return uncachedJson(await bans.applyWrites(room, request));
    }
    return rejectionResponse(rejectHttp(400, "bad_data", "Unknown effect."));
  });
  return app;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function uncachedJson(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
