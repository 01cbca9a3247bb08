import { isForAllRooms } from "../../identity/room-pattern";
import { decode } from "../../protocol/codec";
import type { Do } from "../../protocol/messages";
import type { Caller } from "../../room/room";
import { bearerToken } from "./bearer-token";
import { asHttpRefusal, type Denial, deny } from "./denial";
import type { Gate } from "./gate";
import { readBody } from "./http-body";
import { type HttpRefusal, refuseHttp } from "./http-refusal";
import { judgeVisit } from "./judgements";
import { judgeRequestOrigin } from "./origin";
import { type RoomAddress, readAddress, readDrain } from "./room-address";
import { checkToken } from "./token-check";

/** Somebody who leads the room and is shown its members, after the one at a cursor. */
export interface ListAsk {
  caller: Caller;
  after: number;
}

/** A request to a room that may go on to it. */
export type RoomCall =
  | { ok: true; kind: string; id: string; method: "GET"; list?: ListAsk }
  | { ok: true; kind: string; id: string; method: "DELETE"; caller: Caller }
  | { ok: true; kind: string; id: string; method: "DRAIN"; caller: Caller }
  | { ok: true; kind: string; id: string; method: "POST"; caller: Caller; action: Do; from?: string };

export async function judgeCall(request: Request, gate: Gate, now: number): Promise<RoomCall | HttpRefusal> {
  const url = new URL(request.url);
  const drains = readDrain(url);
  const place = readAddress(drains ?? url, gate.kinds);
  if (!place.ok) {
    return place.tooLong
      ? refuseHttp(414, "too_large", place.reason)
      : refuseHttp(404, "not_found", place.reason);
  }
  const { address } = place;
  const { method } = request;
  const stranger = judgeRequestOrigin(request, gate.config);
  if (stranger) return asHttpRefusal(stranger);
  const from = await gate.from(request);
  if (drains) return judgeDrain(request, address, from, gate, now);
  if (method === "GET") {
    const denial = await gate.desk.take(from, [{ rule: "read" }]);
    if (denial) return asHttpRefusal(denial);
    const list = await judgeList(request, url, address, from, gate, now);
    if (list && "status" in list) return list;
    return { ok: true, ...address, method, ...(list ? { list } : {}) };
  }
  if (method !== "POST" && method !== "DELETE") {
    return refuseHttp(405, "bad_action", "A room answers GET, POST and DELETE.", {
      Allow: "GET, POST, DELETE",
    });
  }
  const leader = await whoLeads(request, address, from, gate, now);
  if (!leader.ok) return asHttpRefusal(leader.denial);
  const { caller } = leader;
  if (method === "DELETE") return { ok: true, ...address, method, caller };
  const action = await readAction(request);
  if (!action.ok) return action;
  return {
    ok: true,
    ...address,
    method,
    caller,
    action: action.action,
    ...(from === undefined ? {} : { from }),
  };
}

/** Anybody may look at a room, whatever token they bring: one that leads it shows more, and no other shows less. */
async function judgeList(
  request: Request,
  { searchParams }: URL,
  address: RoomAddress,
  from: string | undefined,
  gate: Gate,
  now: number,
): Promise<ListAsk | HttpRefusal | undefined> {
  if (bearerToken(request) === undefined) return undefined;
  const leader = await whoLeads(request, address, from, gate, now);
  if (!leader.ok) return undefined;
  const cursor = searchParams.get("cursor") ?? "0";
  if (!/^\d{1,15}$/.test(cursor)) {
    return refuseHttp(400, "bad_data", "A cursor is what an answer before gave as `cursor`.");
  }
  return { caller: leader.caller, after: Number(cursor) };
}

/** It says nothing, so its body is not read. */
async function judgeDrain(
  request: Request,
  address: RoomAddress,
  from: string | undefined,
  gate: Gate,
  now: number,
): Promise<RoomCall | HttpRefusal> {
  if (request.method !== "POST") {
    return refuseHttp(405, "bad_action", "A room is drained with POST.", { Allow: "POST" });
  }
  const leader = await whoLeads(request, address, from, gate, now);
  if (!leader.ok) return asHttpRefusal(leader.denial);
  const { caller } = leader;
  if (caller.role !== "admin") return asHttpRefusal(deny("Only an admin may drain a room."));
  return { ok: true, ...address, method: "DRAIN", caller };
}

/** Before the body is read: nobody has us read for a stranger. */
async function whoLeads(
  request: Request,
  address: RoomAddress,
  from: string | undefined,
  gate: Gate,
  now: number,
): Promise<{ ok: true; caller: Caller } | { ok: false; denial: Denial }> {
  const known = await checkToken(bearerToken(request), from, gate, now);
  if (!known.ok) return known;
  const { who } = known;
  const denial = await judgeVisit({ who, ...address, ...(from === undefined ? {} : { from }), now }, gate);
  if (denial) return { ok: false, denial };
  const { user, name, role, rooms } = who;
  if (role === "player") return { ok: false, denial: deny(ONLY_LEADERS) };
  return { ok: true, caller: { user, name, role, ...(isForAllRooms(rooms) ? { allRooms: true } : {}) } };
}

const ONLY_LEADERS = "Only a host of this room or an admin may do that.";

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
