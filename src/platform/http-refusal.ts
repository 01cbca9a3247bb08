import type { ErrorCode } from "../protocol/codes";
import { NO_SECRET, NO_SECRET_RETRY_MS } from "./identity-refusals";

export interface HttpRefusal {
  ok: false;
  status: number;
  body: { code: ErrorCode; message: string; retryAfterMs?: number };
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

/** The token is missing or bad: another one would help. */
export function refuseUnknown(message: string): HttpRefusal {
  return refuseHttp(401, "not_allowed", message, { "WWW-Authenticate": "Bearer" });
}

export function refuseWithoutSecret(): HttpRefusal {
  return {
    ok: false,
    status: 503,
    body: { code: "unavailable", message: NO_SECRET, retryAfterMs: NO_SECRET_RETRY_MS },
  };
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
