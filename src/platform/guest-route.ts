import { cleanName, isDisplayName } from "../identity/display-name";
import { guestId, openGuest, readOldGuest } from "../identity/guest";
import { MAX_NAME_CHARS } from "../protocol/limits";
import { bearerToken } from "./bearer-token";
import type { Config } from "./config";
import { readBody } from "./http-body";
import {
  type HttpRefusal,
  refusalResponse,
  refuseHttp,
  refuseUnknown,
  refuseWithoutSecret,
} from "./http-refusal";
import { GUESTS_ARE_OFF } from "./identity-refusals";

/** `POST /auth/guest` `{name}`: a guest, or with a guest's old token the same guest again for another week. */
export async function answerGuest(request: Request, config: Config, now: number): Promise<Response> {
  const opened = await judgeGuest(request, config, now);
  if (!opened.ok) return refusalResponse(opened);
  const { token, user, name, expiresAt } = await openGuest(opened.user, opened.name, opened.secret, now);
  // What opens a door is for one reader.
  return Response.json({ token, user, name, expiresAt }, { headers: { "Cache-Control": "no-store" } });
}

type Opened = { ok: true; user: string; name: string; secret: string };

async function judgeGuest(request: Request, config: Config, now: number): Promise<Opened | HttpRefusal> {
  if (request.method !== "POST") {
    return refuseHttp(405, "bad_action", "Guests are opened by POST.", { Allow: "POST" });
  }
  if (!config.guests) return refuseHttp(403, "not_allowed", GUESTS_ARE_OFF);
  const secret = config.authSecret;
  if (secret === undefined) return refuseWithoutSecret();
  const read = await readBody(request);
  if (!read.ok) return read;
  const { name = "", token = bearerToken(request) } = read.body;
  const wanted = typeof name === "string" ? cleanName(name) : undefined;
  if (wanted === undefined || (wanted !== "" && !isDisplayName(wanted))) {
    return refuseHttp(400, "bad_data", `A name is a text of 1 to ${MAX_NAME_CHARS} characters.`);
  }
  if (token === undefined) return { ok: true, user: await guestId(undefined, secret), name: wanted, secret };
  if (typeof token !== "string") return refuseHttp(400, "bad_data", "A token is a text.");
  const old = await readOldGuest(token, secret, now);
  if (!old.ok) return refuseUnknown(old.reason);
  return { ok: true, user: old.who.user, name: wanted || old.who.name, secret };
}
