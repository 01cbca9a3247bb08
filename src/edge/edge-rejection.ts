import { type CloseCode, closeCodes, type ErrorCode } from "../protocol/codes";
import type { Rate } from "../protocol/rates";
import type { HttpRejection } from "./http/http-rejection";
import { rejectSocket, type SocketRejection } from "./socket-rejection";

/** Why somebody is not let in, before it matters whether a socket or a request asked. */
export interface EdgeRejection {
  closeCode: CloseCode;
  status: number;
  code: ErrorCode;
  message: string;
  /** Where coming back as one is helps. */
  retryAfterMs?: number;
  info?: { rule: string; limit: Rate };
}

/** The token is missing or bad: another one would help. */
export function rejectToken(message: string): EdgeRejection {
  return { closeCode: closeCodes.badToken, status: 401, code: "not_allowed", message };
}

export function rejectAccess(message: string): EdgeRejection {
  return { closeCode: closeCodes.notAllowed, status: 403, code: "not_allowed", message };
}

/** Not the client's fault and not for ever, so not 4401, after which nobody comes back. */
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
