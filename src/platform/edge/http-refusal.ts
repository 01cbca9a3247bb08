import type { ErrorCode } from "../../protocol/codes";
import type { Nack } from "../../protocol/messages";

export interface HttpRefusal {
  ok: false;
  status: number;
  body: { code: ErrorCode; message: string; retryAfterMs?: number; info?: Nack["info"] };
  headers?: Readonly<Record<string, string>>;
}

export function refuseHttp(
  status: number,
  code: ErrorCode,
  message: string,
  headers?: Readonly<Record<string, string>>,
): HttpRefusal {
  return { ok: false, status, body: { code, message }, ...(headers === undefined ? {} : { headers }) };
}

export function refusalResponse({ status, body, headers }: HttpRefusal): Response {
  const wait = body.retryAfterMs;
  return Response.json(body, {
    status,
    headers: {
      ...headers,
      ...(wait === undefined ? {} : { "Retry-After": String(Math.ceil(wait / 1000)) }),
      "Cache-Control": "no-store",
    },
  });
}
