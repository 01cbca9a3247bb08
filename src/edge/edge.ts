import type { JoinTicket } from "../room/inbound/join-ticket";
import type { EdgeContext } from "./edge-context";
import { answerGuest } from "./guest-route";
import type { HttpRejection } from "./http/http-rejection";
import { authorizeCall, type RoomCall } from "./room-call";
import { authorizeSocket } from "./room-socket";
import type { SocketRejection } from "./socket-rejection";

/** Judges whatever comes from outside before any room is touched, so that a refusal wakes nobody. */
export interface RequestChecks {
  /** A socket to a room: to be forwarded with its hello, or refused with a `bye`. */
  authorizeSocket(
    request: Request,
    now: number,
  ): Promise<{ ok: true; kind: string; id: string; ticket: JoinTicket } | SocketRejection>;
  /** A request to `/parties/<kind>/<room>`: to be forwarded, or answered with the refusal. */
  authorizeCall(request: Request, now: number): Promise<RoomCall | HttpRejection>;
  /** `POST /auth/guest`: answered here, no room has a part in it. */
  answerGuest(request: Request, now: number): Promise<Response>;
}

export function createRequestChecks(context: EdgeContext): RequestChecks {
  return {
    authorizeSocket: (request, now) => authorizeSocket(request, context, now),
    authorizeCall: (request, now) => authorizeCall(request, context, now),
    answerGuest: (request, now) => answerGuest(request, context, now),
  };
}
