import type { Config } from "../config/config";
import { isAllowedOrigin } from "./origin";

/** A browser may keep a preflight's answer this long; some keep no longer than ten minutes. */
const PREFLIGHT_SECONDS = 600;

/** On whatever we answer ourselves; pages bring their own in `web/_headers`. */
const securityHeaders: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  // A socket's address holds a token: it is told to nobody.
  "Referrer-Policy": "no-referrer",
  // What we answer is data: opened as a page it may do nothing, nor be framed.
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
};

/** For whom an answer is: the page that asked, if it may read it, and whether over TLS. */
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

/** The answer with what a browser has to know of it. A socket's answer stays what it is. */
export function withHeaders(response: Response, { origin, isSecure }: CorsContext): Response {
  if (response.status === 101) return response;
  const mutable = toMutable(response);
  const { headers } = mutable;
  for (const [name, value] of Object.entries(securityHeaders))
    if (!headers.has(name)) headers.set(name, value);
  if (isSecure) headers.set("Strict-Transport-Security", "max-age=31536000");
  // Whether allowed or not: a cache in between must not hand one origin's answer to another.
  if (!/(^|[\s,])(origin|\*)($|[\s,])/i.test(headers.get("Vary") ?? "")) headers.append("Vary", "Origin");
  if (origin === undefined) return mutable;
  headers.set("Access-Control-Allow-Origin", origin);
  headers.set("Access-Control-Expose-Headers", "Retry-After, ETag, Age, Cache-Status");
  return mutable;
}

/** What came from elsewhere may not be changed; copying what is our own would cost as much as making it. */
function toMutable(response: Response): Response {
  try {
    response.headers.set("X-Content-Type-Options", "nosniff");
    return response;
  } catch {
    return new Response(response.body, response);
  }
}

/** `undefined` where the browser does not ask beforehand. */
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
