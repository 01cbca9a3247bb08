import type { ErrorCode } from "../../protocol/codes";
import type { Nack } from "../../protocol/messages";

export interface HttpRejection {
  ok: false;
  status: number;
  body: { code: ErrorCode; message: string; retryAfterMs?: number; info?: Nack["info"] };
  headers?: Readonly<Record<string, string>>;
}

export function rejectHttp(
  status: number,
  code: ErrorCode,
  message: string,
  headers?: Readonly<Record<string, string>>,
): HttpRejection {
  return { ok: false, status, body: { code, message }, ...(headers === undefined ? {} : { headers }) };
}

export function rejectionResponse({ status, body, headers }: HttpRejection): Response {
  const retryAfterMs = body.retryAfterMs;
  return Response.json(body, {
    status,
    headers: {
      ...headers,
      ...(retryAfterMs === undefined ? {} : { "Retry-After": String(Math.ceil(retryAfterMs / 1000)) }),
      "Cache-Control": "no-store",
    },
  });
}
