import { cleanName, cutName } from "../identity/display-name";
import { guestId, openGuest } from "../identity/guest";
import { matchesRoom } from "../identity/room-pattern";
import { digestId, randomId } from "../identity/short-id";
import { verifyToken } from "../identity/token";
import type { Who } from "../identity/who";
import { type CloseCode, closeCodes } from "../protocol/codes";
import type { Hello } from "../room/hello";
import type { Config } from "./config";
import { GUESTS_ARE_OFF, NO_SECRET, NO_SECRET_RETRY_MS, NOT_THIS_ROOM } from "./identity-refusals";
import type { SocketRefusal } from "./refusal";
import { type RoomAddress, readAddress, readQuery, type SocketQuery } from "./room-address";

type Speaker = { ok: true; who: Who; token?: string } | SocketRefusal;

export async function judgeSocket(
  request: Request,
  config: Config,
  kinds: ReadonlySet<string>,
  now: number,
): Promise<{ ok: true; kind: string; id: string; hello: Hello } | SocketRefusal> {
  const url = new URL(request.url);
  const place = readAddress(url, kinds);
  if (!place.ok) return refuse(place.tooLong ? closeCodes.badAddress : closeCodes.notFound, place.reason);
  const read = readQuery(url);
  if (!read.ok) return refuse(closeCodes.badAddress, read.reason);
  const { address } = place;
  const { query } = read;
  const speaker = await whoSpeaks(query, address, config, now);
  if (!speaker.ok) return speaker;
  const { who, token } = speaker;
  const hello: Hello = {
    conn: randomId(),
    user: who.user,
    name: who.name,
    role: who.role,
    guest: who.guest,
    expiresAt: who.expiresAt,
    tab: query.tabKey === undefined ? randomId() : await digestId(query.tabKey),
    ...(query.epoch === undefined ? {} : { epoch: query.epoch }),
    ...(query.since === undefined ? {} : { since: query.since }),
    ...(token === undefined ? {} : { token }),
  };
  return { ok: true, ...address, hello };
}

async function whoSpeaks(
  query: SocketQuery,
  { kind, id }: RoomAddress,
  config: Config,
  now: number,
): Promise<Speaker> {
  // Not the client's fault and not for ever, so not 4401, after which nobody comes back.
  if (config.authSecret === undefined) {
    return { ...refuse(closeCodes.draining, NO_SECRET), retryAfterMs: NO_SECRET_RETRY_MS };
  }
  if (query.token === undefined) return bareGuest(query, config.authSecret, config, now);
  const read = await verifyToken(query.token, config.authSecret, now);
  if (!read.ok) return refuse(closeCodes.badToken, read.reason);
  const { who } = read;
  if (who.guest && !config.guests) return refuse(closeCodes.badToken, GUESTS_ARE_OFF);
  if (who.rooms && !matchesRoom(who.rooms, kind, id)) return refuse(closeCodes.notAllowed, NOT_THIS_ROOM);
  return { ok: true, who };
}

/** A socket without a `token` parameter: whoever comes with the same tab is the same guest, and is told the token. */
async function bareGuest(query: SocketQuery, secret: string, config: Config, now: number): Promise<Speaker> {
  if (!config.guests) return refuse(closeCodes.badToken, GUESTS_ARE_OFF);
  const user = await guestId(query.tabKey, secret);
  const { token, name, expiresAt } = await openGuest(user, cutName(cleanName(query.name ?? "")), secret, now);
  return { ok: true, who: { user, name, role: "player", guest: true, expiresAt }, token };
}

function refuse(code: CloseCode, reason: string): SocketRefusal {
  return { ok: false, code, reason };
}
