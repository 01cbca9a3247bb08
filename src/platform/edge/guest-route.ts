import { cleanName, isDisplayName } from "../../identity/display-name";
import { guestId, openGuest, readOldGuest } from "../../identity/guest";
import { MAX_NAME_CHARS } from "../../protocol/limits";
import { bearerToken } from "./bearer-token";
import { asHttpRefusal, denyForNow, denyToken } from "./denial";
import type { Gate } from "./gate";
import { readBody } from "./http-body";
import { type HttpRefusal, refusalResponse, refuseHttp } from "./http-refusal";
import { GUESTS_ARE_OFF, NO_SECRET, NO_SECRET_RETRY_MS } from "./identity-refusals";
import { judgeOrigin } from "./origin";

/** `POST /auth/guest` `{name}`: a guest, or with a guest's old token the same guest again for another week. */
export async function answerGuest(request: Request, gate: Gate, now: number): Promise<Response> {
  const opened = await judgeGuest(request, gate, now);
  if (!opened.ok) return refusalResponse(opened);
  const { secret, openedAt } = opened;
  const { token, user, name, expiresAt } = await openGuest(opened.user, opened.name, secret, now, openedAt);
  // What opens a door is for one reader.
  return Response.json({ token, user, name, expiresAt }, { headers: { "Cache-Control": "no-store" } });
}

type Opened = { ok: true; user: string; name: string; secret: string; openedAt: number | undefined };

async function judgeGuest(request: Request, gate: Gate, now: number): Promise<Opened | HttpRefusal> {
  if (request.method !== "POST") {
    return refuseHttp(405, "bad_action", "Guests are opened by POST.", { Allow: "POST" });
  }
  const { config } = gate;
  const stranger = judgeOrigin(request, config);
  if (stranger) return asHttpRefusal(stranger);
  if (!config.guests) return refuseHttp(403, "not_allowed", GUESTS_ARE_OFF);
  const secret = config.authSecret;
  if (secret === undefined) return asHttpRefusal(denyForNow(NO_SECRET, NO_SECRET_RETRY_MS));
  const read = await readBody(request);
  if (!read.ok) return read;
  const { name = "", token = bearerToken(request) } = read.body;
  const wanted = typeof name === "string" ? cleanName(name) : undefined;
  if (wanted === undefined || (wanted !== "" && !isDisplayName(wanted))) {
    return refuseHttp(400, "bad_data", `A name is a text of 1 to ${MAX_NAME_CHARS} characters.`);
  }
  const from = await gate.from(request);
  if (token === undefined) {
    const denial = await gate.desk.take(from, [{ rule: "guest" }]);
    if (denial) return asHttpRefusal(denial);
    return { ok: true, user: await guestId(undefined, secret), name: wanted, secret, openedAt: undefined };
  }
  if (typeof token !== "string") return refuseHttp(400, "bad_data", "A token is a text.");
  // Who comes back is no new guest, and costs a signature all the same.
  const tooMany = await gate.desk.take(from, [{ rule: "read" }], ["failedToken"]);
  if (tooMany) return asHttpRefusal(tooMany);
  const old = await readOldGuest(token, secret, now);
  if (!old.ok) {
    if (old.cause === "bad") await gate.desk.take(from, [{ rule: "failedToken" }]);
    return asHttpRefusal(denyToken(old.reason));
  }
  const { user, openedAt } = old.who;
  return { ok: true, user, name: wanted || old.who.name, secret, openedAt };
}
