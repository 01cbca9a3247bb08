import type { ForwardedCall } from "../edge/forwarded-call";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import type { ListAsk } from "../edge/room-call";
import type { ErrorCode } from "../protocol/codes";
import type { MemberPage } from "../room/delivery/member-list";
import type { Rejection } from "../room/inbound/rejections";
import type { Room, RoomSummary } from "../room/room";

const httpStatuses: Record<ErrorCode, number> = {
  bad_message: 400,
  bad_action: 400,
  bad_data: 400,
  not_allowed: 403,
  muted: 403,
  rate_limited: 429,
  too_large: 413,
  full: 503,
  draining: 503,
  unknown_user: 404,
  not_found: 404,
  duplicate: 409,
  conflict: 409,
  unavailable: 503,
  internal: 500,
};

/** The room's response to a request that the edge admitted. */
export function answerCall(room: Room | undefined, call: ForwardedCall, now: number): Response {
  if (call.method === "GET") return room?.exists ? uncachedJson(look(room, call.list, now)) : roomNotFound();
  if (!room) return roomNotFound();
  if (call.method === "DELETE") {
    if (!room.exists) return roomNotFound();
    const rejected = room.rejectCaller(call.caller, now);
    if (rejected) return rejectedResponse(rejected);
    room.close(now);
    return uncachedJson({ closed: true });
  }
  if (call.method === "DRAIN") return room.exists ? uncachedJson(room.drain(now)) : roomNotFound();
  if (call.method === "PUT") {
    if (!room.exists) return roomNotFound();
    return uncachedJson({ heard: room.receiveServiceMessage(call.feature, call.message, now) });
  }
  const answer = room.act(call.action, call.caller, now);
  if (!answer.ok) return rejectedResponse(answer.rejection);
  const { seq, d } = answer;
  return uncachedJson(seq === undefined ? { d } : { seq, ...(d === undefined ? {} : { d }) });
}

/** A caller who may not join is not shown the members. */
function look(room: Room, list: ListAsk | undefined, now: number): RoomSummary & Partial<MemberPage> {
  const summary = room.summary(now);
  if (!list || room.rejectCaller(list.caller, now)) return summary;
  return { ...summary, ...room.members(list.after, now) };
}

function rejectedResponse({ code, message, retryAfterMs, info }: Rejection): Response {
  const body = {
    code,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(info ? { info } : {}),
  };
  return rejectionResponse({ ok: false, status: httpStatuses[code], body });
}

export function roomNotFound(): Response {
  const rejection: HttpRejection = rejectHttp(
    404,
    "not_found",
    "There is no such room. A room is created when a user joins it.",
  );
  return rejectionResponse(rejection);
}

function uncachedJson(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
