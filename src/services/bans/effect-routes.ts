import { Hono } from "hono";
import { callSecretsOf } from "../../config/config";
import { uncachedJson } from "../../edge/http/admin-route";
import { rejectHttp, rejectionResponse } from "../../edge/http/http-rejection";
import { readSignedBody } from "../../edge/signed-calls/signed-body";
import { parseJson } from "../../lib/parse-json";
import type { BansEnv } from "./env";
import { NO_BAN_SERVICE, type OpenBans } from "./routes";
import { bansCall, effectCall } from "./worker-calls";

/** The signed calls of rooms on PartyKit and of their edge. Rooms in this worker call the ban service directly. */
export function banEffectRoutes(openBans: OpenBans) {
  const app = new Hono<{ Bindings: BansEnv }>();
  app.post("/moderation/:what", async ({ req, env }) => {
    const read = await readSignedBody(req.raw, callSecretsOf(env), Date.now());
    if (!read.ok) return rejectionResponse(read);
    const bans = openBans();
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
