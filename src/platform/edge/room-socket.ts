import { cleanName, cutName } from "../../identity/display-name";
import { guestId, openGuest } from "../../identity/guest";
import { isForAllRooms } from "../../identity/room-pattern";
import { digestId, randomId } from "../../identity/short-id";
import type { Who } from "../../identity/who";
import { type CloseCode, closeCodes } from "../../protocol/codes";
import type { Hello } from "../../room/hello";
import { asSocketRefusal, type Denial, denyForNow, denyToken } from "./denial";
import type { Gate } from "./gate";
import { GUESTS_ARE_OFF, NO_SECRET, NO_SECRET_RETRY_MS } from "./identity-refusals";
import { judgeVisit } from "./judgements";
import { judgeOrigin } from "./origin";
import type { SocketRefusal } from "./refusal";
import { readAddress, readQuery, type SocketQuery } from "./room-address";
import { noTrust, readToken } from "./token-check";

/** `token`: made for a bare guest, to be told in the welcome. */
type Speaker = { ok: true; who: Who; token?: string } | { ok: false; denial: Denial };

/** Address, origin, limits, token, and then what `judgements.ts` lists: the cheap and certain first. */
export async function judgeSocket(
  request: Request,
  gate: Gate,
  now: number,
): Promise<{ ok: true; kind: string; id: string; hello: Hello } | SocketRefusal> {
  const url = new URL(request.url);
  const place = readAddress(url, gate.kinds);
  if (!place.ok) return refuse(place.tooLong ? closeCodes.badAddress : closeCodes.notFound, place.reason);
  const read = readQuery(url);
  if (!read.ok) return refuse(closeCodes.badAddress, read.reason);
  const { query } = read;
  const stranger = judgeOrigin(request, gate.config);
  if (stranger) return asSocketRefusal(stranger);
  const from = await gate.from(request);
  const speaker = await whoSpeaks(query, from, gate, now);
  if (!speaker.ok) return asSocketRefusal(speaker.denial);
  const { who, token } = speaker;
  const denial = await judgeVisit(
    { who, ...place.address, ...(from === undefined ? {} : { from }), now },
    gate,
  );
  if (denial) return asSocketRefusal(denial);
  const hello: Hello = {
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
    ...(from === undefined ? {} : { from }),
    ...(who.openedAt === undefined ? {} : { openedAt: who.openedAt }),
  };
  return { ok: true, ...place.address, hello };
}

/** The address is asked about once, for all that this socket needs. */
async function whoSpeaks(
  query: SocketQuery,
  from: string | undefined,
  gate: Gate,
  now: number,
): Promise<Speaker> {
  const { token } = query;
  if (token === undefined) return bareGuest(query, from, gate, now);
  const denied = noTrust(gate);
  if (denied) return { ok: false, denial: denied };
  const isKnown = await gate.verifier.knows(token, now);
  const denial = await gate.desk.take(from, [connect], isKnown ? [] : ["failedToken"]);
  return denial ? { ok: false, denial } : readToken(token, from, gate, now);
}

/** Every attempt is one, whatever becomes of it. */
const connect = { rule: "connect", always: true } as const;

/** A socket without a `token` parameter: whoever comes with the same tab is the same guest, and is told the token. */
async function bareGuest(
  { tabKey, name = "" }: SocketQuery,
  from: string | undefined,
  { config, desk }: Gate,
  now: number,
): Promise<Speaker> {
  const { authSecret: secret, guests } = config;
  if (secret === undefined) return { ok: false, denial: denyForNow(NO_SECRET, NO_SECRET_RETRY_MS) };
  if (!guests) return { ok: false, denial: denyToken(GUESTS_ARE_OFF) };
  const user = await guestId(tabKey, secret);
  const denial = await desk.take(from, [connect, { rule: "guest", once: user }]);
  if (denial) return { ok: false, denial };
  const guest = await openGuest(user, cutName(cleanName(name)), secret, now);
  const { expiresAt } = guest;
  return {
    ok: true,
    who: { user, name: guest.name, role: "player", guest: true, expiresAt },
    token: guest.token,
  };
}

function refuse(code: CloseCode, reason: string): SocketRefusal {
  return { ok: false, code, reason };
}
