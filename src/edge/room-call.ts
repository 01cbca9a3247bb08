import { isForAllRooms } from "../identity/room-pattern";
import type { RoomRef } from "../lib/room-ref";
import { decode } from "../protocol/codec";
import type { Do } from "../protocol/messages";
import type { Caller } from "../room/room";
import { checkAdmission } from "./admission";
import { readBearerToken } from "./bearer-token";
import type { EdgeContext } from "./edge-context";
import { type EdgeRejection, rejectAccess, toHttpRejection } from "./edge-rejection";
import { readJsonBody } from "./http/http-body";
import { type HttpRejection, rejectHttp } from "./http/http-rejection";
import { checkRequestOrigin } from "./origin";
import { parseDrainUrl, parseRoomUrl } from "./room-url";
import { checkToken } from "./token-check";

/** A host's request for the room's members, after the one at a cursor. */
export interface ListAsk {
  caller: Caller;
  after: number;
}

/** A request that may be forwarded to its room. */
export type RoomCall =
  | { ok: true; kind: string; id: string; method: "GET"; list?: ListAsk }
  | { ok: true; kind: string; id: string; method: "DELETE"; caller: Caller }
  | { ok: true; kind: string; id: string; method: "DRAIN"; caller: Caller }
  | { ok: true; kind: string; id: string; method: "POST"; caller: Caller; action: Do; ipHash?: string };

export async function authorizeCall(
  request: Request,
  context: EdgeContext,
  now: number,
): Promise<RoomCall | HttpRejection> {
  const url = new URL(request.url);
  const drainUrl = parseDrainUrl(url);
  const parsed = parseRoomUrl(drainUrl ?? url, context.kinds);
  if (!parsed.ok) {
    return parsed.tooLong
      ? rejectHttp(414, "too_large", parsed.reason)
      : rejectHttp(404, "not_found", parsed.reason);
  }
  const { room } = parsed;
  const { method } = request;
  const rejected = checkRequestOrigin(request, context.config);
  if (rejected) return toHttpRejection(rejected);
  const ipHash = await context.ipHashOf(request);
  if (drainUrl) return authorizeDrain(request, room, ipHash, context, now);
  if (method === "GET") {
    const rejection = await context.ipLimiter.consume(ipHash, [{ rule: "read" }]);
    if (rejection) return toHttpRejection(rejection);
    const list = await authorizeList(request, url, room, ipHash, context, now);
    if (list && "status" in list) return list;
    return { ok: true, ...room, method, ...(list ? { list } : {}) };
  }
  if (method !== "POST" && method !== "DELETE") {
    return rejectHttp(405, "bad_action", "Method not allowed. Use GET, POST or DELETE.", {
      Allow: "GET, POST, DELETE",
    });
  }
  const host = await authorizeHost(request, room, ipHash, context, now);
  if (!host.ok) return toHttpRejection(host.rejection);
  const { caller } = host;
  if (method === "DELETE") return { ok: true, ...room, method, caller };
  const action = await readAction(request);
  if (!action.ok) return action;
  return {
    ok: true,
    ...room,
    method,
    caller,
    action: action.action,
    ...(ipHash === undefined ? {} : { ipHash }),
  };
}

/** Anyone may look at a room. A host's token also shows its members; any other token changes nothing. */
async function authorizeList(
  request: Request,
  { searchParams }: URL,
  room: RoomRef,
  ipHash: string | undefined,
  context: EdgeContext,
  now: number,
): Promise<ListAsk | HttpRejection | undefined> {
  if (readBearerToken(request) === undefined) return undefined;
  const host = await authorizeHost(request, room, ipHash, context, now);
  if (!host.ok) return undefined;
  const cursor = searchParams.get("cursor") ?? "0";
  if (!/^\d{1,15}$/.test(cursor)) {
    return rejectHttp(400, "bad_data", "cursor must be the `cursor` of an earlier response.");
  }
  return { caller: host.caller, after: Number(cursor) };
}

/** A drain has no body. */
async function authorizeDrain(
  request: Request,
  room: RoomRef,
  ipHash: string | undefined,
  context: EdgeContext,
  now: number,
): Promise<RoomCall | HttpRejection> {
  if (request.method !== "POST") {
    return rejectHttp(405, "bad_action", "Method not allowed. Use POST.", { Allow: "POST" });
  }
  const host = await authorizeHost(request, room, ipHash, context, now);
  if (!host.ok) return toHttpRejection(host.rejection);
  const { caller } = host;
  if (caller.role !== "admin") return toHttpRejection(rejectAccess("Only an admin may drain a room."));
  return { ok: true, ...room, method: "DRAIN", caller };
}

/** Runs before the body is read, so that an unauthorized client cannot make us read one. */
async function authorizeHost(
  request: Request,
  room: RoomRef,
  ipHash: string | undefined,
  context: EdgeContext,
  now: number,
): Promise<{ ok: true; caller: Caller } | { ok: false; rejection: EdgeRejection }> {
  const identity = await checkToken(readBearerToken(request), ipHash, context, now);
  if (!identity.ok) return identity;
  const { who } = identity;
  const rejection = await checkAdmission(
    { who, ...room, ...(ipHash === undefined ? {} : { ipHash }), now },
    context,
  );
  if (rejection) return { ok: false, rejection };
  const { user, name, role, rooms } = who;
  if (role === "player") return { ok: false, rejection: rejectAccess(ONLY_HOSTS) };
  return { ok: true, caller: { user, name, role, ...(isForAllRooms(rooms) ? { allRooms: true } : {}) } };
}

const ONLY_HOSTS = "Only a host of this room or an admin may do that.";

/** Decodes the action by the same code as on a socket. */
async function readAction(request: Request): Promise<{ ok: true; action: Do } | HttpRejection> {
  const read = await readJsonBody(request);
  if (!read.ok) return read;
  const decoded = decode(JSON.stringify({ ...read.body, t: "do" }));
  if (decoded.ok && decoded.message.t === "do") return { ok: true, action: decoded.message };
  if (decoded.ok) throw new Error("An action was decoded as another message.");
  return decoded.tooLarge
    ? rejectHttp(413, "too_large", decoded.problem)
    : rejectHttp(400, "bad_message", decoded.problem);
}
