import type { Config } from "../config/config";
import { isAllowedOrigin } from "./origin";

/** How long a browser may cache a preflight response. Some cache it for ten minutes at most. */
const PREFLIGHT_SECONDS = 600;

/** For every response but pages, whose headers are in `web/_headers`. */
const securityHeaders: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  // A socket's URL contains a token, so no other site may see it.
  "Referrer-Policy": "no-referrer",
  // Responses are data. Opened as a page, one may load nothing and not be framed.
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
};

/** Who may read a response: the origin of the page that asked, if it is allowed. `isSecure`: the request came over TLS. */
export interface CorsContext {
  origin?: string;
  isSecure: boolean;
}

export function corsContextOf(request: Request, config: Config | undefined): CorsContext {
  const origin = request.headers.get("Origin");
  const isSecure = request.url.startsWith("https:");
  const isAllowed = origin !== null && config !== undefined && isAllowedOrigin(origin, request.url, config);
  return isAllowed ? { origin, isSecure } : { isSecure };
}

/** Adds CORS and security headers, except to the response of a socket. */
export function withHeaders(response: Response, { origin, isSecure }: CorsContext): Response {
  if (response.status === 101) return response;
  const mutable = toMutable(response);
  const { headers } = mutable;
  for (const [name, value] of Object.entries(securityHeaders))
    if (!headers.has(name)) headers.set(name, value);
  if (isSecure) headers.set("Strict-Transport-Security", "max-age=31536000");
  // Also for origins that are not allowed: a cache must not give one origin's response to another.
  if (!/(^|[\s,])(origin|\*)($|[\s,])/i.test(headers.get("Vary") ?? "")) headers.append("Vary", "Origin");
  if (origin === undefined) return mutable;
  headers.set("Access-Control-Allow-Origin", origin);
  headers.set("Access-Control-Expose-Headers", "Retry-After, ETag, Age, Cache-Status");
  return mutable;
}

/** The headers of a fetched response are immutable, so it is copied. Copying our own would cost as much as making it. */
function toMutable(response: Response): Response {
  try {
    response.headers.set("X-Content-Type-Options", "nosniff");
    return response;
  } catch {
    return new Response(response.body, response);
  }
}

/** `undefined` if the request is no preflight. */
export function answerPreflight(request: Request, config: Config | undefined): Response | undefined {
  const { method, headers } = request;
  if (method !== "OPTIONS" || !headers.has("Origin") || !headers.has("Access-Control-Request-Method")) {
    return undefined;
  }
  const cors = corsContextOf(request, config);
  if (cors.origin === undefined) return withHeaders(new Response(null, { status: 403 }), cors);
  return withHeaders(new Response(null, { status: 204, headers: preflightHeaders }), cors);
}

const preflightHeaders = {
  "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
  "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match",
  "Access-Control-Max-Age": String(PREFLIGHT_SECONDS),
};
