import { type CloseCode, closeCodes, type ErrorCode } from "../../protocol/codes";
import type { Rate } from "../../room/settings";
import type { HttpRefusal } from "./http-refusal";
import type { SocketRefusal } from "./refusal";

/** Why somebody is not let in, before it matters whether a socket or a request asked. */
export interface Denial {
  close: CloseCode;
  status: number;
  code: ErrorCode;
  reason: string;
  /** Where coming back as one is helps. */
  retryAfterMs?: number;
  info?: { rule: string; limit: Rate };
}

/** The token is missing or bad: another one would help. */
export function denyToken(reason: string): Denial {
  return { close: closeCodes.badToken, status: 401, code: "not_allowed", reason };
}

export function deny(reason: string): Denial {
  return { close: closeCodes.notAllowed, status: 403, code: "not_allowed", reason };
}

/** Not the client's fault and not for ever, so not 4401, after which nobody comes back. */
export function denyForNow(reason: string, retryAfterMs: number): Denial {
  return { close: closeCodes.draining, status: 503, code: "unavailable", reason, retryAfterMs };
}

export function asSocketRefusal({ close, reason, retryAfterMs }: Denial): SocketRefusal {
  return { ok: false, code: close, reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

export function asHttpRefusal({ status, code, reason, retryAfterMs, info }: Denial): HttpRefusal {
  const body = {
    code,
    message: reason,
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
