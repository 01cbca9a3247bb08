import type { Action } from "../room/actions";
import type { Caller, RoomCall } from "./room-call";

/** What reaches a room of a request that the edge let through. */
export type ForwardedCall =
  | { method: "GET" }
  | { method: "DELETE"; caller: Caller }
  | { method: "POST"; caller: Caller; action: Action };

/** A request of our own making: what the edge has checked, and nothing else of the client's. */
export function sendCall(call: RoomCall): Request {
  const url = `http://room/parties/${call.kind}/${call.id}`;
  if (call.method === "GET") return new Request(url);
  const { caller, method } = call;
  const body = method === "POST" ? { caller, action: call.action } : { caller };
  return new Request(url, { method, body: JSON.stringify(body) });
}

/** Only `sendCall` writes what this reads: no request from outside gets past the edge. */
export async function readCall(request: Request): Promise<ForwardedCall> {
  const method = request.method === "POST" || request.method === "DELETE" ? request.method : "GET";
  if (method === "GET") return { method };
  return { method, ...((await request.json()) as { caller: Caller; action: Action }) };
}
