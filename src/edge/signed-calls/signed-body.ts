import type { CallSecrets } from "../../config/config";
import { readBytes } from "../http/http-body";
import { type HttpRejection, rejectHttp } from "../http/http-rejection";
import { parseSignature, SIGNATURE_HEADER, verifySignature } from "./signed-call";

/** A service message, or an effect for some forty users, is far smaller. */
const MAX_CALL_BYTES = 256 * 1024;

/** Reads the body of a signed call between our own servers. The signature is over the bytes, and verified before they are decoded. */
export async function readSignedBody(
  request: Request,
  secrets: CallSecrets | undefined,
  now: number,
  maxBytes = MAX_CALL_BYTES,
): Promise<{ ok: true; text: string } | HttpRejection> {
  if (!secrets) {
    return rejectHttp(503, "unavailable", "This server has no BATCH_SECRET, so it accepts no signed calls.");
  }
  const header = await parseSignature(request.headers.get(SIGNATURE_HEADER), secrets, now);
  if (!header.ok) return rejectHttp(401, "not_allowed", header.reason);
  const body = await readBytes(request, maxBytes);
  if (body === undefined)
    return rejectHttp(413, "too_large", `A signed call may have ${maxBytes} bytes at most.`);
  const { pathname, search } = new URL(request.url);
  const verified = await verifySignature({ method: request.method, path: pathname + search, body }, header);
  if (!verified.ok) return rejectHttp(401, "not_allowed", verified.reason);
  try {
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body) };
  } catch {
    return rejectHttp(400, "bad_message", "The call is not UTF-8.");
  }
}
