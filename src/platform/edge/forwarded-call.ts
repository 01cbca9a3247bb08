import { base64urlToText, textToBase64url } from "../../identity/base64url";
import type { Json } from "../../protocol/messages";
import type { Action } from "../../room/actions";
import type { Caller } from "../../room/room";
import { NOWHERE } from "../addresses/address-hash";
import type { Reader } from "./answer-headers";
import { BEGINS_HEADER } from "./new-room";
import type { ListAsk, RoomCall } from "./room-call";

/** What reaches a room of a request that the edge let through. */
export type ForwardedCall =
  | { method: "GET"; list?: ListAsk }
  | { method: "DELETE"; caller: Caller }
  | { method: "DRAIN"; caller: Caller }
  | { method: "POST"; caller: Caller; action: Action }
  | { method: "PUT"; feature: string; word: Json };

/** The page that may read the answer, where the answer does not come by the edge again (PartyKit). */
const READER_HEADER = "x-tallyroom-reader";
/** Who is shown a room's members. A look has no body, and a name is more than a header's ASCII. */
const LIST_HEADER = "x-tallyroom-list";

/** A request of our own making: what the edge has checked, and nothing else of the client's. */
export function sendCall(call: RoomCall, reader: string | undefined): Request {
  const url = `http://room/parties/${call.kind}/${call.id}`;
  const headers: Record<string, string> = reader === undefined ? {} : { [READER_HEADER]: reader };
  if (call.method === "GET") {
    if (call.list) headers[LIST_HEADER] = textToBase64url(JSON.stringify(call.list));
    return new Request(url, { headers });
  }
  const { caller } = call;
  // No method of HTTP says it.
  if (call.method === "DRAIN") {
    return new Request(url, { method: "POST", headers, body: JSON.stringify({ caller, method: "DRAIN" }) });
  }
  const { method } = call;
  if (method === "POST" && caller.role !== "admin") headers[BEGINS_HEADER] = call.from ?? NOWHERE;
  const body = method === "POST" ? { caller, action: call.action } : { caller };
  return new Request(url, { method, headers, body: JSON.stringify(body) });
}

export function readReader({ headers }: Request): Reader {
  const origin = headers.get(READER_HEADER);
  return origin === null ? { isSecure: false } : { origin, isSecure: false };
}

/** A word of the platform's own for a feature of a room. */
export function sendWord(kind: string, id: string, feature: string, word: object): Request {
  return new Request(`http://room/parties/${kind}/${id}`, {
    method: "PUT",
    body: JSON.stringify({ feature, word }),
  });
}

/** Only `sendCall` and `sendWord` write what this reads: no request from outside gets past the edge. */
export async function readCall(request: Request): Promise<ForwardedCall> {
  const { method } = request;
  if (method === "PUT") return { method, ...((await request.json()) as { feature: string; word: Json }) };
  if (method !== "POST" && method !== "DELETE") {
    const list = base64urlToText(request.headers.get(LIST_HEADER) ?? "");
    return { method: "GET", ...(list ? { list: JSON.parse(list) as ListAsk } : {}) };
  }
  return { method, ...((await request.json()) as { caller: Caller; action: Action }) };
}
