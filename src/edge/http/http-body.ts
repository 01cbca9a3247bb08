import { guardJson } from "../../protocol/json-guard";
import { MAX_MESSAGE_BYTES } from "../../protocol/limits";
import { type HttpRejection, rejectHttp } from "./http-rejection";

export type BodyResult = { ok: true; body: Readonly<Record<string, unknown>> } | HttpRejection;

/** Reads one JSON object, no larger than a message on a socket. An absent body is the empty object. */
export async function readJsonBody(request: Request): Promise<BodyResult> {
  const bytes = await readBytes(request, MAX_MESSAGE_BYTES);
  if (bytes === undefined) {
    return rejectHttp(413, "too_large", `A request's body may have ${MAX_MESSAGE_BYTES} bytes at most.`);
  }
  let body: unknown;
  try {
    body =
      bytes.length === 0
        ? {}
        : JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return rejectHttp(400, "bad_message", "The request's body is not JSON in UTF-8.");
  }
  if (!isJsonObject(body))
    return rejectHttp(400, "bad_message", "The request's body must be one JSON object.");
  const problem = guardJson(body);
  return problem ? rejectHttp(400, "bad_message", problem) : { ok: true, body };
}

/** `undefined` if the body is larger. Stops reading at the limit, even if `Content-Length` promised less. */
export async function readBytes(
  { body, headers }: Request,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if (Number(headers.get("Content-Length")) > maxBytes) return undefined;
  if (!body) return new Uint8Array(0);
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatChunks(chunks, length);
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
}

function concatChunks(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
