import { type CloseCode, closeCodes, type ErrorCode } from "../protocol/codes";
import type { Rate } from "../protocol/rates";
import type { HttpRejection } from "./http/http-rejection";
import { rejectSocket, type SocketRejection } from "./socket-rejection";

/** Why a client is not let in, in a form for both sockets and HTTP. */
export interface EdgeRejection {
  closeCode: CloseCode;
  status: number;
  code: ErrorCode;
  message: string;
  /** Present if it helps to try again unchanged. */
  retryAfterMs?: number;
  info?: { rule: string; limit: Rate };
}

/** The token is missing or invalid. Another token would help. */
export function rejectToken(message: string): EdgeRejection {
  return { closeCode: closeCodes.badToken, status: 401, code: "not_allowed", message };
}

export function rejectAccess(message: string): EdgeRejection {
  return { closeCode: closeCodes.notAllowed, status: 403, code: "not_allowed", message };
}

/** A temporary failure of the server. Not 4401, because clients do not reconnect after that. */
export function rejectForNow(message: string, retryAfterMs: number): EdgeRejection {
  return { closeCode: closeCodes.draining, status: 503, code: "unavailable", message, retryAfterMs };
}

export function toSocketRejection({ closeCode, message, retryAfterMs }: EdgeRejection): SocketRejection {
  return { ok: false, closeCode, reason: message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

export function rejectSocketWith({ closeCode, message, retryAfterMs }: EdgeRejection): Response {
  return rejectSocket(closeCode, message, retryAfterMs);
}

export function toHttpRejection({ status, code, message, retryAfterMs, info }: EdgeRejection): HttpRejection {
  const body = {
    code,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(info === undefined ? {} : { info }),
  };
  return {
    ok: false,
    status,
    body,
    ...(status === 401 ? { headers: { "WWW-Authenticate": "Bearer" } } : {}),
  };
}
