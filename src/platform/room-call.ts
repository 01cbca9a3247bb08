import { matchesRoom } from "../identity/room-pattern";
import { verifyToken } from "../identity/token";
import { decode } from "../protocol/codec";
import type { Role } from "../protocol/codes";
import type { Do } from "../protocol/messages";
import { bearerToken } from "./bearer-token";
import type { Config } from "./config";
import { readBody } from "./http-body";
import { type HttpRefusal, refuseHttp, refuseUnknown, refuseWithoutSecret } from "./http-refusal";
import { NOT_THIS_ROOM } from "./identity-refusals";
import { type RoomAddress, readAddress } from "./room-address";

export interface Caller {
  user: string;
  name: string;
  role: Role;
}
/** A request to a room that may go on to it. */
export type RoomCall =
  | { ok: true; kind: string; id: string; method: "GET" }
  | { ok: true; kind: string; id: string; method: "DELETE"; caller: Caller }
  | { ok: true; kind: string; id: string; method: "POST"; caller: Caller; action: Do };

export async function judgeCall(
  request: Request,
  config: Config,
  kinds: ReadonlySet<string>,
  now: number,
): Promise<RoomCall | HttpRefusal> {
  const place = readAddress(new URL(request.url), kinds);
  if (!place.ok) {
    return place.tooLong
      ? refuseHttp(414, "too_large", place.reason)
      : refuseHttp(404, "not_found", place.reason);
  }
  const { address } = place;
  const { method } = request;
  if (method === "GET") return { ok: true, ...address, method };
  if (method !== "POST" && method !== "DELETE") {
    return refuseHttp(405, "bad_action", "A room answers GET, POST and DELETE.", {
      Allow: "GET, POST, DELETE",
    });
  }
  const leader = await whoLeads(request, address, config, now);
  if (!leader.ok) return leader;
  const { caller } = leader;
  if (method === "DELETE") return { ok: true, ...address, method, caller };
  const action = await readAction(request);
  return action.ok ? { ok: true, ...address, method, caller, action: action.action } : action;
}

/** Before the body is read: nobody has us read for a stranger. */
async function whoLeads(
  request: Request,
  { kind, id }: RoomAddress,
  { authSecret }: Config,
  now: number,
): Promise<{ ok: true; caller: Caller } | HttpRefusal> {
  if (authSecret === undefined) return refuseWithoutSecret();
  const token = bearerToken(request);
  if (token === undefined) {
    return refuseUnknown(
      "This needs a token of the room's host or of an admin: Authorization: Bearer <token>.",
    );
  }
  const read = await verifyToken(token, authSecret, now);
  if (!read.ok) return refuseUnknown(read.reason);
  const { user, name, role, rooms } = read.who;
  if (rooms && !matchesRoom(rooms, kind, id)) return refuseHttp(403, "not_allowed", NOT_THIS_ROOM);
  if (role === "player") {
    return refuseHttp(403, "not_allowed", "Only a host of this room or an admin may do that.");
  }
  return { ok: true, caller: { user, name, role } };
}

/** By the same rules as on a socket, and by the same code. */
async function readAction(request: Request): Promise<{ ok: true; action: Do } | HttpRefusal> {
  const read = await readBody(request);
  if (!read.ok) return read;
  const decoded = decode(JSON.stringify({ ...read.body, t: "do" }));
  if (decoded.ok && decoded.message.t === "do") return { ok: true, action: decoded.message };
  if (decoded.ok) throw new Error("an action was read as another message");
  return decoded.tooLarge
    ? refuseHttp(413, "too_large", decoded.problem)
    : refuseHttp(400, "bad_message", decoded.problem);
}
