import type { CallSecrets } from "../../config/config";
import type { Json } from "../../protocol/messages";
import type { HttpRejection } from "../http/http-rejection";
import { rejectHttp } from "../http/http-rejection";
import { parseRoomUrl } from "../room-url";
import { readSignedBody } from "./signed-body";
import { SIGNATURE_HEADER } from "./signed-call";

/** Whether this is a message of a service on another platform, rather than a client's request. */
export function isServiceMessage(request: Request): boolean {
  return request.method === "PUT" && request.headers.has(SIGNATURE_HEADER);
}

/** A message of a service for a feature of a room. */
export function createServiceMessage(kind: string, id: string, feature: string, message: Json): Request {
  return new Request(`http://room/parties/${kind}/${id}`, {
    method: "PUT",
    body: JSON.stringify({ feature, message }),
  });
}

/** Verifies the signature, and makes the request that the room receives: the same body and nothing else. */
export async function authorizeServiceMessage(
  request: Request,
  secrets: CallSecrets | undefined,
  kinds: ReadonlySet<string>,
  now: number,
): Promise<{ ok: true; forwarded: Request } | HttpRejection> {
  const parsed = parseRoomUrl(new URL(request.url), kinds);
  if (!parsed.ok) return rejectHttp(404, "not_found", parsed.reason);
  const read = await readSignedBody(request, secrets, now);
  if (!read.ok) return read;
  const { kind, id } = parsed.room;
  return {
    ok: true,
    forwarded: new Request(`http://room/parties/${kind}/${id}`, { method: "PUT", body: read.text }),
  };
}
