import { refusalResponse, refuseHttp } from "./http-refusal";
import { comeBackStream } from "./live-stream";
import { within } from "./within";

/** Until it begins to answer; a live stream then goes on for as long as it likes. */
const DEADLINE_MS = 8_000;
const RETRY_MS = 5_000;
/** What of a reader's request the worker has to know … */
const UP = ["Accept", "If-None-Match", "Last-Event-ID"];
/** … and what of its answer the reader. Who may read it is for the origin to say that was asked. */
const DOWN = [
  "Content-Type",
  "ETag",
  "Age",
  "Cache-Status",
  "Cache-Control",
  "Retry-After",
  "X-Accel-Buffering",
];

/** Whether boards are asked for: public reads, which rooms' own origin may be asked as well. */
export function isBoardRead({ method, url }: Request): boolean {
  return (method === "GET" || method === "HEAD") && /^\/v1\/boards(\/|$)/.test(new URL(url).pathname);
}

/** Asks the worker at this address in the reader's place, so that a page needs to know one origin. */
export async function forwardRead(request: Request, scoreboardUrl: string): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  try {
    const asked = fetch(`${scoreboardUrl}${pathname}${search}`, {
      method: request.method,
      headers: picked(request.headers, UP),
      // An answer is the worker's or nobody's.
      redirect: "manual",
    });
    const { status, body, headers } = await within(asked, DEADLINE_MS, "The worker gave no answer");
    return new Response(body, { status, headers: picked(headers, DOWN) });
  } catch (error) {
    console.error("A board could not be had of the worker:", error instanceof Error ? error.message : error);
    if (pathname.endsWith("/live")) return comeBackStream("scoreboard-away", RETRY_MS);
    const refusal = refuseHttp(503, "unavailable", "The scoreboards cannot be reached right now.");
    return refusalResponse({ ...refusal, body: { ...refusal.body, retryAfterMs: RETRY_MS } });
  }
}

function picked(from: Headers, names: readonly string[]): Headers {
  const headers = new Headers();
  for (const name of names) {
    const value = from.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}
