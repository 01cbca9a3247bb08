import type { Context } from "hono";
import type { Cached } from "../platform/answers/answer-cache";
import { refusalResponse } from "../platform/edge/http-refusal";
import { crc32 } from "../protocol/checksum";

const AWAY_RETRY_MS = 2_000;

const encoder = new TextEncoder();

/** A body as it is sent, with what tells it from others. */
export class Rendered {
  readonly tag: string;
  /** As it goes out: for each reader anew it would be encoded anew. */
  readonly bytes: Uint8Array;

  constructor(text: string) {
    this.bytes = encoder.encode(text);
    this.tag = `"${crc32(text).toString(16).padStart(8, "0")}-${text.length.toString(36)}"`;
  }
}

const lately = new WeakMap<object, { shape: string; body: Rendered }>();

/** Made once for all who ask for the same part of what is held: that is most of the work of an answer. */
export function rendered(value: object, shape: string, make: () => unknown): Rendered {
  const known = lately.get(value);
  if (known?.shape === shape) return known.body;
  const body = new Rendered(JSON.stringify(make()));
  lately.set(value, { shape, body });
  return body;
}

/** A board's answer with what tells how fresh it is; 304 where that is what the reader has. */
export function boardAnswer(
  { req }: Context,
  { readAt, told }: Cached<unknown>,
  body: unknown,
  now: number,
  maxMs: number,
): Response {
  const { bytes, tag } = body instanceof Rendered ? body : new Rendered(JSON.stringify(body));
  const ageMs = Math.max(0, now - readAt);
  const headers = {
    "Content-Type": "application/json; charset=UTF-8",
    ETag: tag,
    Age: String(Math.floor(ageMs / 1000)),
    "Cache-Status": cacheStatus(told, Math.ceil((maxMs - ageMs) / 1000)),
    // It is changed at once where a batch is applied: whoever holds it asks, and is mostly told 304.
    "Cache-Control": "public, max-age=0, must-revalidate",
  };
  const known = req.header("If-None-Match");
  if (known !== undefined && matches(known, tag)) return new Response(null, { status: 304, headers });
  return new Response(bytes, { headers });
}

/** The database gives no answer, and nothing is held that could be told instead. */
export function boardsAway(): Response {
  const message = "The scoreboards cannot be read right now. Please try again soon.";
  return refusalResponse({
    ok: false,
    status: 503,
    body: { code: "unavailable", message, retryAfterMs: AWAY_RETRY_MS },
  });
}

/** RFC 9211. */
function cacheStatus(told: Cached<unknown>["told"], ttl: number): string {
  switch (told) {
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

function matches(known: string, tag: string): boolean {
  return known.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === tag);
}
