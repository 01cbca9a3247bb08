import { issueGuest, toGuestId, verifyOldGuest } from "../identity/guest";
import { MAX_NAME_CHARS } from "../protocol/limits";
import { cleanName, isDisplayName } from "../text/display-name";
import { readBearerToken } from "./bearer-token";
import type { EdgeContext } from "./edge-context";
import { rejectForNow, rejectToken, toHttpRejection } from "./edge-rejection";
import { readJsonBody } from "./http/http-body";
import { type HttpRejection, rejectHttp, rejectionResponse } from "./http/http-rejection";
import { GUESTS_ARE_OFF, NO_SECRET, NO_SECRET_RETRY_MS } from "./messages";
import { checkOrigin } from "./origin";

/** `POST /auth/guest` `{name}`: a token for a new guest. With a guest's old `token`, a new token for the same guest. */
export async function answerGuest(request: Request, context: EdgeContext, now: number): Promise<Response> {
  const grant = await authorizeGuest(request, context, now);
  if (!grant.ok) return rejectionResponse(grant);
  const { secret, openedAt } = grant;
  const { token, user, name, expiresAt } = await issueGuest(grant.user, grant.name, secret, now, openedAt);
  // A token is a secret: no cache may store it.
  return Response.json({ token, user, name, expiresAt }, { headers: { "Cache-Control": "no-store" } });
}

type GuestGrant = { ok: true; user: string; name: string; secret: string; openedAt: number | undefined };

async function authorizeGuest(
  request: Request,
  context: EdgeContext,
  now: number,
): Promise<GuestGrant | HttpRejection> {
  if (request.method !== "POST") {
    return rejectHttp(405, "bad_action", "Method not allowed. Use POST.", { Allow: "POST" });
  }
  const { config } = context;
  const rejected = checkOrigin(request, config);
  if (rejected) return toHttpRejection(rejected);
  if (!config.guests) return rejectHttp(403, "not_allowed", GUESTS_ARE_OFF);
  const secret = config.authSecret;
  if (secret === undefined) return toHttpRejection(rejectForNow(NO_SECRET, NO_SECRET_RETRY_MS));
  const read = await readJsonBody(request);
  if (!read.ok) return read;
  const { name = "", token = readBearerToken(request) } = read.body;
  const requestedName = typeof name === "string" ? cleanName(name) : undefined;
  if (requestedName === undefined || (requestedName !== "" && !isDisplayName(requestedName))) {
    return rejectHttp(400, "bad_data", `name must be text of 1 to ${MAX_NAME_CHARS} characters.`);
  }
  const ipHash = await context.ipHashOf(request);
  if (token === undefined) {
    const rejection = await context.ipLimiter.consume(ipHash, [{ rule: "guest" }]);
    if (rejection) return toHttpRejection(rejection);
    return {
      ok: true,
      user: await toGuestId(undefined, secret),
      name: requestedName,
      secret,
      openedAt: undefined,
    };
  }
  if (typeof token !== "string") return rejectHttp(400, "bad_data", "token must be text.");
  // A returning guest counts as a read, because issuing the token costs a signature.
  const limited = await context.ipLimiter.consume(ipHash, [{ rule: "read" }], ["failedToken"]);
  if (limited) return toHttpRejection(limited);
  const old = await verifyOldGuest(token, secret, now);
  if (!old.ok) {
    if (old.cause === "bad") await context.ipLimiter.consume(ipHash, [{ rule: "failedToken" }]);
    return toHttpRejection(rejectToken(old.reason));
  }
  const { user, openedAt } = old.who;
  return { ok: true, user, name: requestedName || old.who.name, secret, openedAt };
}
