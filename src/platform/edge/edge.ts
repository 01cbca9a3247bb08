import type { Hello } from "../../room/hello";
import type { Gate } from "./gate";
import { answerGuest } from "./guest-route";
import type { HttpRefusal } from "./http-refusal";
import type { SocketRefusal } from "./refusal";
import { judgeCall, type RoomCall } from "./room-call";
import { judgeSocket } from "./room-socket";

/** Judges whatever comes from outside before any room is touched, so that a refusal wakes nobody. */
export interface Edge {
  /** A socket to a room: to be forwarded with its hello, or refused with a `bye`. */
  socket(
    request: Request,
    now: number,
  ): Promise<{ ok: true; kind: string; id: string; hello: Hello } | SocketRefusal>;
  /** A request to `/parties/<kind>/<room>`: to be forwarded, or answered with the refusal. */
  http(request: Request, now: number): Promise<RoomCall | HttpRefusal>;
  /** `POST /auth/guest`: answered here, no room has a part in it. */
  guest(request: Request, now: number): Promise<Response>;
}

export function openEdge(gate: Gate): Edge {
  return {
    socket: (request, now) => judgeSocket(request, gate, now),
    http: (request, now) => judgeCall(request, gate, now),
    guest: (request, now) => answerGuest(request, gate, now),
  };
}
