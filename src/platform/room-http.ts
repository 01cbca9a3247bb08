import type { ErrorCode } from "../protocol/codes";
import type { MemberPage } from "../room/member-list";
import type { Refused } from "../room/refusals";
import type { Room, RoomSummary } from "../room/room";
import type { ForwardedCall } from "./edge/forwarded-call";
import { type HttpRefusal, refusalResponse, refuseHttp } from "./edge/http-refusal";
import type { ListAsk } from "./edge/room-call";

const statuses: Record<ErrorCode, number> = {
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

/** A room answers a request that the edge has let through. */
export function answerCall(room: Room | undefined, call: ForwardedCall, now: number): Response {
  if (call.method === "GET") return room?.exists ? fresh(look(room, call.list, now)) : noSuchRoom();
  if (!room) return noSuchRoom();
  if (call.method === "DELETE") {
    if (!room.exists) return noSuchRoom();
    const unwelcome = room.turnsAway(call.caller, now);
    if (unwelcome) return refusal(unwelcome);
    room.end(now);
    return fresh({ closed: true });
  }
  if (call.method === "DRAIN") return room.exists ? fresh(room.drain(now)) : noSuchRoom();
  if (call.method === "PUT") {
    if (!room.exists) return noSuchRoom();
    return fresh({ heard: room.heard(call.feature, call.word, now) });
  }
  const answer = room.act(call.action, call.caller, now);
  if (!answer.ok) return refusal(answer.refused);
  const { seq, d } = answer;
  return fresh(seq === undefined ? { d } : { seq, ...(d === undefined ? {} : { d }) });
}

/** Whoever may not come in is not shown who is in it. */
function look(room: Room, list: ListAsk | undefined, now: number): RoomSummary & Partial<MemberPage> {
  const summary = room.summary(now);
  if (!list || room.turnsAway(list.caller, now)) return summary;
  return { ...summary, ...room.members(list.after, now) };
}

function refusal({ code, message, retryAfterMs, info }: Refused): Response {
  const body = {
    code,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(info ? { info } : {}),
  };
  return refusalResponse({ ok: false, status: statuses[code], body });
}

export function noSuchRoom(): Response {
  const refusal: HttpRefusal = refuseHttp(
    404,
    "not_found",
    "There is no such room. It begins when somebody joins it.",
  );
  return refusalResponse(refusal);
}

function fresh(body: unknown): Response {
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
