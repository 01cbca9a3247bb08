import { Hono } from "hono";
import { askCall, errandCall } from "../platform/bans/ban-calls";
import { keeperOf } from "../platform/bans/banned-address";
import { readSigned } from "../platform/calls/signed-body";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/edge/door";
import { refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { NO_KEEPER } from "./bans-routes";

/** What PartyKit's rooms and their edge ask, signed: the same that rooms here ask in process. */
export function errandRoutes() {
  const app = new Hono<{ Bindings: CloudflareEnv }>();
  app.post("/moderation/:what", async ({ req, env }) => {
    const read = await readSigned(req.raw, Door.secrets(env), Date.now());
    if (!read.ok) return refusalResponse(read);
    const bans = keeperOf(env);
    if (!bans) return refusalResponse(refuseHttp(503, "unavailable", NO_KEEPER));
    const body = json(read.text);
    const what = req.param("what");
    const asked = askCall.safeParse(body);
    if (what === "ask" && asked.success) return answer(await bans.ask(asked.data.user, asked.data.room));
    const errand = errandCall.safeParse(body);
    if (errand.success) {
      const { room, ask } = errand.data;
      if (what === "places") return answer(await bans.places("partykit", room, ask));
      if (what === "bans") return answer(await bans.writes(room, ask));
    }
    return refusalResponse(refuseHttp(400, "bad_data", "That is nothing that rooms ask."));
  });
  return app;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function answer(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
