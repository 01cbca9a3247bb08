import { base64urlToText, textToBase64url } from "../lib/base64url";
import type { Json } from "../protocol/messages";
import type { Action } from "../room/inbound/actions";
import type { Caller } from "../room/room";
import { UNKNOWN_IP } from "./ip-limits/ip-hash";
import { NEW_ROOM_HEADER } from "./new-room";
import type { ListAsk, RoomCall } from "./room-call";

/** An admitted HTTP request, as the room reads it. */
export type ForwardedCall =
  | { method: "GET"; list?: ListAsk }
  | { method: "DELETE"; caller: Caller }
  | { method: "DRAIN"; caller: Caller }
  | { method: "POST"; caller: Caller; action: Action }
  | { method: "PUT"; feature: string; message: Json };

/** Who asks for a room's members. A GET has no body, and a name may have characters that no header can. */
const LIST_HEADER = "x-tallyroom-list";

/** Makes the request that the room receives: what the edge has checked, and nothing else of the client's. */
export function forwardCall(call: RoomCall): Request {
  const url = `http://room/parties/${call.kind}/${call.id}`;
  const headers: Record<string, string> = {};
  if (call.method === "GET") {
    if (call.list) headers[LIST_HEADER] = textToBase64url(JSON.stringify(call.list));
    return new Request(url, { headers });
  }
  const { caller } = call;
  // HTTP has no such method.
  if (call.method === "DRAIN") {
    return new Request(url, { method: "POST", headers, body: JSON.stringify({ caller, method: "DRAIN" }) });
  }
  const { method } = call;
  if (method === "POST" && caller.role !== "admin") headers[NEW_ROOM_HEADER] = call.ipHash ?? UNKNOWN_IP;
  const body = method === "POST" ? { caller, action: call.action } : { caller };
  return new Request(url, { method, headers, body: JSON.stringify(body) });
}

/** Trusts the request: only `forwardCall` and `createServiceMessage` make one, and none from outside passes the edge. */
export async function readForwardedCall(request: Request): Promise<ForwardedCall> {
  const { method } = request;
  if (method === "PUT") return { method, ...((await request.json()) as { feature: string; message: Json }) };
  if (method !== "POST" && method !== "DELETE") {
    const list = base64urlToText(request.headers.get(LIST_HEADER) ?? "");
    return { method: "GET", ...(list ? { list: JSON.parse(list) as ListAsk } : {}) };
  }
  return { method, ...((await request.json()) as { caller: Caller; action: Action }) };
}
