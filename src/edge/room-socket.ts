import { issueGuest, toGuestId } from "../identity/guest";
import { isForAllRooms } from "../identity/room-pattern";
import type { UserIdentity } from "../identity/user-identity";
import { digestId, randomId } from "../lib/ids";
import { type CloseCode, closeCodes } from "../protocol/codes";
import type { JoinTicket } from "../room/inbound/join-ticket";
import { cleanName, cutName } from "../text/display-name";
import { checkAdmission } from "./admission";
import type { EdgeContext } from "./edge-context";
import { type EdgeRejection, rejectForNow, rejectToken, toSocketRejection } from "./edge-rejection";
import { GUESTS_ARE_OFF, NO_SECRET, NO_SECRET_RETRY_MS } from "./messages";
import { checkOrigin } from "./origin";
import { parseRoomUrl, parseSocketQuery, type SocketQuery } from "./room-url";
import type { SocketRejection } from "./socket-rejection";
import { checkSigningKeys, verifyBearerToken } from "./token-check";

/** `token`: made for a guest who came without one, and sent in the welcome. */
type SocketIdentity =
  | { ok: true; who: UserIdentity; token?: string }
  | { ok: false; rejection: EdgeRejection };

/** Checks URL, origin, IP limits and token, then admission: the cheap checks first. */
export async function authorizeSocket(
  request: Request,
  context: EdgeContext,
  now: number,
): Promise<{ ok: true; kind: string; id: string; ticket: JoinTicket } | SocketRejection> {
  const url = new URL(request.url);
  const parsed = parseRoomUrl(url, context.kinds);
  if (!parsed.ok)
    return toRejection(parsed.tooLong ? closeCodes.badAddress : closeCodes.notFound, parsed.reason);
  const read = parseSocketQuery(url);
  if (!read.ok) return toRejection(closeCodes.badAddress, read.reason);
  const { query } = read;
  const rejected = checkOrigin(request, context.config);
  if (rejected) return toSocketRejection(rejected);
  const ipHash = await context.ipHashOf(request);
  const identity = await identifySocket(query, ipHash, context, now);
  if (!identity.ok) return toSocketRejection(identity.rejection);
  const { who, token } = identity;
  const rejection = await checkAdmission(
    { who, ...parsed.room, ...(ipHash === undefined ? {} : { ipHash }), now },
    context,
  );
  if (rejection) return toSocketRejection(rejection);
  const ticket: JoinTicket = {
    conn: randomId(),
    user: who.user,
    name: who.name,
    role: who.role,
    guest: who.guest,
    expiresAt: who.expiresAt,
    tab: query.tabKey === undefined ? randomId() : await digestId(query.tabKey),
    ...(who.role !== "player" && isForAllRooms(who.rooms) ? { allRooms: true } : {}),
    ...(query.epoch === undefined ? {} : { epoch: query.epoch }),
    ...(query.since === undefined ? {} : { since: query.since }),
    ...(token === undefined ? {} : { token }),
    ...(ipHash === undefined ? {} : { from: ipHash }),
  };
  return { ok: true, ...parsed.room, ticket };
}

/** Checks all limits of the address in one call. */
async function identifySocket(
  query: SocketQuery,
  ipHash: string | undefined,
  context: EdgeContext,
  now: number,
): Promise<SocketIdentity> {
  const { token } = query;
  if (token === undefined) return identifyGuest(query, ipHash, context, now);
  const rejected = checkSigningKeys(context);
  if (rejected) return { ok: false, rejection: rejected };
  const isKnown = await context.verifier.hasVerified(token, now);
  const rejection = await context.ipLimiter.consume(ipHash, [connectRule], isKnown ? [] : ["failedToken"]);
  return rejection ? { ok: false, rejection } : verifyBearerToken(token, ipHash, context, now);
}

/** Every attempt counts, also a rejected one. */
const connectRule = { rule: "connect", always: true } as const;

/** For a socket without a `token` parameter. The same tab is the same guest, and receives the token in the welcome. */
async function identifyGuest(
  { tabKey, name = "" }: SocketQuery,
  ipHash: string | undefined,
  { config, ipLimiter }: EdgeContext,
  now: number,
): Promise<SocketIdentity> {
  const { authSecret: secret, guests } = config;
  if (secret === undefined) return { ok: false, rejection: rejectForNow(NO_SECRET, NO_SECRET_RETRY_MS) };
  if (!guests) return { ok: false, rejection: rejectToken(GUESTS_ARE_OFF) };
  const user = await toGuestId(tabKey, secret);
  const rejection = await ipLimiter.consume(ipHash, [connectRule, { rule: "guest", once: user }]);
  if (rejection) return { ok: false, rejection };
  const guest = await issueGuest(user, cutName(cleanName(name)), secret, now);
  const { expiresAt } = guest;
  return {
    ok: true,
    who: { user, name: guest.name, role: "player", guest: true, expiresAt },
    token: guest.token,
  };
}

function toRejection(code: CloseCode, reason: string): SocketRejection {
  return { ok: false, closeCode: code, reason };
}
