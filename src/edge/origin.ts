import type { Config } from "../config/config";
import { type EdgeRejection, rejectAccess } from "./edge-rejection";

const ORIGIN_NOT_ALLOWED = "Pages of this origin may not come in here: ALLOWED_ORIGINS does not name it.";

/**
 * A browser tells which page asks; what is no browser tells nothing, and could tell anything. So this protects the people
 * in front of browsers, and nobody else: a page of a stranger's may not act or listen in their name.
 */
export function checkOrigin(request: Request, config: Config): EdgeRejection | undefined {
  const origin = request.headers.get("Origin");
  return origin === null || isAllowedOrigin(origin, request.url, config)
    ? undefined
    : rejectAccess(ORIGIN_NOT_ALLOWED);
}

/** Only what carries somebody's name or changes something: whoever asks for a public page is told, wherever from. */
export function checkRequestOrigin(request: Request, config: Config): EdgeRejection | undefined {
  const { headers, method } = request;
  const isPublic = (method === "GET" || method === "HEAD") && !headers.has("Authorization");
  return isPublic ? undefined : checkOrigin(request, config);
}

/** Our own pages, those of ALLOWED_ORIGINS, and on somebody's own machine every page of that machine. */
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

/** Nobody but this machine is reached under these names (RFC 6761, RFC 5735). */
function isLocalHost(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
