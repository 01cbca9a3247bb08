import type { Context } from "hono";
import { rejectionResponse } from "../../../edge/http/http-rejection";
import { crc32 } from "../../../protocol/checksum";
import type { CachedValue } from "../cache/board-cache";

const AWAY_RETRY_MS = 2_000;

const encoder = new TextEncoder();

/** A body as it is sent, with its ETag. */
export class RenderedBody {
  readonly tag: string;
  /** Encoded once for all readers. */
  readonly bytes: Uint8Array;

  constructor(text: string) {
    this.bytes = encoder.encode(text);
    this.tag = `"${crc32(text).toString(16).padStart(8, "0")}-${text.length.toString(36)}"`;
  }
}

const lastRendered = new WeakMap<object, { shape: string; body: RenderedBody }>();

/** Renders a cached value once for all requests of the same shape: rendering is most of the work of a response. */
export function renderOnce(value: object, shape: string, make: () => unknown): RenderedBody {
  const known = lastRendered.get(value);
  if (known?.shape === shape) return known.body;
  const body = new RenderedBody(JSON.stringify(make()));
  lastRendered.set(value, { shape, body });
  return body;
}

/** A board's response with headers about its age, or 304 if the client has it already. */
export function boardResponse(
  { req }: Context,
  { readAt, status }: CachedValue<unknown>,
  body: unknown,
  now: number,
  maxMs: number,
): Response {
  const { bytes, tag } = body instanceof RenderedBody ? body : new RenderedBody(JSON.stringify(body));
  const ageMs = Math.max(0, now - readAt);
  const headers = {
    "Content-Type": "application/json; charset=UTF-8",
    ETag: tag,
    Age: String(Math.floor(ageMs / 1000)),
    "Cache-Status": cacheStatusHeader(status, Math.ceil((maxMs - ageMs) / 1000)),
    // A batch changes it at once, so clients revalidate. Most get a 304.
    "Cache-Control": "public, max-age=0, must-revalidate",
  };
  const known = req.header("If-None-Match");
  if (known !== undefined && matchesTag(known, tag)) return new Response(null, { status: 304, headers });
  return new Response(bytes, { headers });
}

/** The database does not answer, and nothing is cached. */
export function boardsUnavailable(): Response {
  const message = "The scoreboards cannot be read right now. Please try again soon.";
  return rejectionResponse({
    ok: false,
    status: 503,
    body: { code: "unavailable", message, retryAfterMs: AWAY_RETRY_MS },
  });
}

/** RFC 9211. */
function cacheStatusHeader(status: CachedValue<unknown>["status"], ttl: number): string {
  switch (status) {
    case "hit":
      return `tallyroom; hit; ttl=${ttl}`;
    case "miss":
      return "tallyroom; fwd=miss; stored";
    case "coalesced":
      return "tallyroom; fwd=miss; collapsed";
    case "stale":
      return `tallyroom; hit; ttl=${Math.min(ttl, -1)}; detail=database-away`;
  }
}

function matchesTag(known: string, tag: string): boolean {
  return known.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === tag);
}
