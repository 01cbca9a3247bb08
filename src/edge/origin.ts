import type { Config } from "../config/config";
import { type EdgeRejection, rejectAccess } from "./edge-rejection";

const ORIGIN_NOT_ALLOWED = "Pages of this origin are not allowed. ALLOWED_ORIGINS does not list it.";

/**
 * Protects users of browsers: a page of another site may not act or listen in their name. A client that is no browser can send any
 * `Origin`, or none, so this check does not restrict it.
 */
export function checkOrigin(request: Request, config: Config): EdgeRejection | undefined {
  const origin = request.headers.get("Origin");
  return origin === null || isAllowedOrigin(origin, request.url, config)
    ? undefined
    : rejectAccess(ORIGIN_NOT_ALLOWED);
}

/** Checks requests that carry a token or change something. A public page may be read from any origin. */
export function checkRequestOrigin(request: Request, config: Config): EdgeRejection | undefined {
  const { headers, method } = request;
  const isPublic = (method === "GET" || method === "HEAD") && !headers.has("Authorization");
  return isPublic ? undefined : checkOrigin(request, config);
}

/** Our own pages and those of ALLOWED_ORIGINS; on a local server, also every page of the same machine. */
export function isAllowedOrigin(origin: string, url: string, { allowedOrigins, roomsUrl }: Config): boolean {
  const requested = origin.toLowerCase();
  const self = new URL(url);
  if (requested === self.origin || allowedOrigins.includes(requested)) return true;
  if (roomsUrl !== undefined && requested === new URL(roomsUrl).origin) return true;
  return isLocalHost(self.hostname) && isLocalOrigin(requested);
}

function isLocalOrigin(origin: string): boolean {
  try {
    const { protocol, hostname } = new URL(origin);
    return /^https?:$/.test(protocol) && isLocalHost(hostname);
  } catch {
    return false;
  }
}

/** These names always mean the local machine (RFC 6761, RFC 5735). */
function isLocalHost(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
