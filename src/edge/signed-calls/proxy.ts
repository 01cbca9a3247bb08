import type { Config } from "../../config/config";
import { withDeadline } from "../../lib/deadline";
import { MAX_BATCH_BYTES } from "../../protocol/limits";
import { retryStream } from "../http/event-stream";
import { readBytes } from "../http/http-body";
import { type HttpRejection, rejectHttp, rejectionResponse } from "../http/http-rejection";
import { signForwardedIp } from "../ip-limits/forwarded-ip";

/** How long the worker may take to begin its response. */
const DEADLINE_MS = 10_000;
const AWAY_RETRY_MS = 2_000;
const UNSET_RETRY_MS = 30_000;

/** The headers that the worker reads. No others are forwarded: no cookie, and none that could pose as the platform's. */
const FORWARDED_HEADERS = [
  "Accept",
  "Authorization",
  "Content-Type",
  "If-None-Match",
  "Last-Event-ID",
  "Origin",
  "Tallyroom-Signature",
];
/** Marks a forwarded request, because a SCOREBOARD_URL that leads back here would forward it for ever. */
const LOOP_HEADER = "Tallyroom-Passed-On";

/** Whether the worker answers this path. */
export function isWorkerPath(pathname: string): boolean {
  return pathname.startsWith("/v1/") || pathname === "/docs";
}

/** Forwards a request to the worker at SCOREBOARD_URL, for a server of rooms that has no boards of its own. */
export async function proxyToWorker(
  request: Request,
  { scoreboardUrl, batchSecret }: Config,
  clientIp: string | undefined,
): Promise<Response> {
  if (scoreboardUrl === undefined)
    return rejectionResponse(unavailable(503, WORKER_URL_MISSING, UNSET_RETRY_MS));
  if (request.headers.has(LOOP_HEADER))
    return rejectionResponse(unavailable(502, WORKER_URL_LOOPS, UNSET_RETRY_MS));
  const { pathname, search } = new URL(request.url);
  const body = await readBytes(request, MAX_BATCH_BYTES);
  if (body === undefined) {
    return rejectionResponse(
      rejectHttp(413, "too_large", `A body may have ${MAX_BATCH_BYTES} bytes at most.`),
    );
  }
  const url = new URL(`${scoreboardUrl}${pathname}${search}`);
  const call = { method: request.method, path: url.pathname + url.search };
  const headers = new Headers({
    [LOOP_HEADER]: "1",
    ...(await signForwardedIp(call, clientIp, batchSecret, Date.now())),
  });
  for (const name of FORWARDED_HEADERS) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  try {
    const { method } = request;
    const init = { method, headers, redirect: "manual" as const };
    const withBody = body.length === 0 ? init : { ...init, body: new Uint8Array(body) };
    const work = (signal: AbortSignal) => fetch(url, { ...withBody, signal });
    return withoutCorsHeaders(await withDeadline(work, DEADLINE_MS, "The worker did not answer"));
  } catch (error) {
    console.warn("The worker at SCOREBOARD_URL could not be reached:", error);
    // An `EventSource` does not reconnect after an error response.
    if (pathname.endsWith("/live")) return retryStream("scoreboard-away", AWAY_RETRY_MS);
    return rejectionResponse(unavailable(502, WORKER_UNREACHABLE, AWAY_RETRY_MS));
  }
}

/** This server sets its own CORS headers. */
function withoutCorsHeaders(response: Response): Response {
  const mutable = new Response(response.body, response);
  for (const name of [...mutable.headers.keys()]) {
    if (name.toLowerCase().startsWith("access-control-")) mutable.headers.delete(name);
  }
  return mutable;
}

function unavailable(status: number, message: string, retryAfterMs: number): HttpRejection {
  return { ok: false, status, body: { code: "unavailable", message, retryAfterMs } };
}

const WORKER_URL_MISSING = "SCOREBOARD_URL is not set, so this server cannot reach the scoreboards.";
const WORKER_URL_LOOPS = "SCOREBOARD_URL leads back to the rooms. It must be the worker's address.";
const WORKER_UNREACHABLE = "The scoreboards cannot be reached right now. Please try again soon.";
