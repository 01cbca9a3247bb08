import { guardJson } from "../protocol/json-guard";
import { MAX_MESSAGE_BYTES } from "../protocol/limits";
import { type HttpRefusal, refuseHttp } from "./http-refusal";

export type BodyResult = { ok: true; body: Readonly<Record<string, unknown>> } | HttpRefusal;

/** One JSON object, no larger than a message on a socket. An absent body is the empty object. */
export async function readBody(request: Request): Promise<BodyResult> {
  const bytes = await readBytes(request);
  if (bytes === undefined) {
    return refuseHttp(413, "too_large", `A request's body may have ${MAX_MESSAGE_BYTES} bytes at most.`);
  }
  let body: unknown;
  try {
    body =
      bytes.length === 0
        ? {}
        : JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return refuseHttp(400, "bad_message", "The request's body is not JSON in UTF-8.");
  }
  if (!isObject(body)) return refuseHttp(400, "bad_message", "The request's body must be one JSON object.");
  const problem = guardJson(body);
  return problem ? refuseHttp(400, "bad_message", problem) : { ok: true, body };
}

/** Stops reading at the cap, whatever `Content-Length` claimed. `undefined`: there was more. */
async function readBytes({ body, headers }: Request): Promise<Uint8Array | undefined> {
  if (Number(headers.get("Content-Length")) > MAX_MESSAGE_BYTES) return undefined;
  const bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  if (!body) return bytes.subarray(0, 0);
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytes.subarray(0, length);
    if (length + value.length > MAX_MESSAGE_BYTES) {
      await reader.cancel();
      return undefined;
    }
    bytes.set(value, length);
    length += value.length;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
