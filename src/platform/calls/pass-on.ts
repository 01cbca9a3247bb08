import { MAX_BATCH_BYTES } from "../../protocol/limits";
import { tellAddress } from "../addresses/told-address";
import { comeBackStream } from "../answers/live-stream";
import type { Config } from "../config";
import { readBytes } from "../edge/http-body";
import { type HttpRefusal, refusalResponse, refuseHttp } from "../edge/http-refusal";

/** So long the worker may take to begin its answer. */
const DEADLINE_MS = 10_000;
const AWAY_RETRY_MS = 2_000;
const UNSET_RETRY_MS = 30_000;

/** What the worker reads of a request, and nothing more: no cookie, no header that could pose as the platform's. */
const HEADERS = [
  "Accept",
  "Authorization",
  "Content-Type",
  "If-None-Match",
  "Last-Event-ID",
  "Origin",
  "Tallyroom-Signature",
];
/** Says that the request has been here: an address that leads back to us would go round for ever. */
const PASSED_HEADER = "Tallyroom-Passed-On";

/** What is the worker's, wherever it is asked. */
export function isWorkers(pathname: string): boolean {
  return pathname.startsWith("/v1/") || pathname === "/docs";
}

/** A rooms' origin that has no boards of its own asks the worker at SCOREBOARD_URL, and answers with what it says. */
export async function passOn(
  request: Request,
  { scoreboardUrl, batchSecret }: Config,
  address: string | undefined,
): Promise<Response> {
  if (scoreboardUrl === undefined) return refusalResponse(away(503, UNSET, UNSET_RETRY_MS));
  if (request.headers.has(PASSED_HEADER)) return refusalResponse(away(502, ROUND, UNSET_RETRY_MS));
  const { pathname, search } = new URL(request.url);
  const body = await readBytes(request, MAX_BATCH_BYTES);
  if (body === undefined) {
    return refusalResponse(refuseHttp(413, "too_large", `A body may have ${MAX_BATCH_BYTES} bytes at most.`));
  }
  const url = new URL(`${scoreboardUrl}${pathname}${search}`);
  const call = { method: request.method, path: url.pathname + url.search };
  const headers = new Headers({
    [PASSED_HEADER]: "1",
    ...(await tellAddress(call, address, batchSecret, Date.now())),
  });
  for (const name of HEADERS) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), DEADLINE_MS);
  try {
    const { method } = request;
    const init = { method, headers, redirect: "manual" as const, signal: ending.signal };
    return answered(await fetch(url, body.length === 0 ? init : { ...init, body: new Uint8Array(body) }));
  } catch (error) {
    console.warn("The worker at SCOREBOARD_URL could not be reached:", error);
    // After a refusal an `EventSource` never comes back.
    if (pathname.endsWith("/live")) return comeBackStream("scoreboard-away", AWAY_RETRY_MS);
    return refusalResponse(away(502, AWAY, AWAY_RETRY_MS));
  } finally {
    clearTimeout(timer);
  }
}

/** Who may read it is said anew, by this origin. */
function answered(response: Response): Response {
  const passed = new Response(response.body, response);
  for (const name of [...passed.headers.keys()]) {
    if (name.toLowerCase().startsWith("access-control-")) passed.headers.delete(name);
  }
  return passed;
}

function away(status: number, message: string, retryAfterMs: number): HttpRefusal {
  return { ok: false, status, body: { code: "unavailable", message, retryAfterMs } };
}

const UNSET = "This server was not told where the scoreboards are: SCOREBOARD_URL is not set.";
const ROUND = "SCOREBOARD_URL leads back to the rooms: it has to be the worker's address.";
const AWAY = "The scoreboards cannot be reached right now. Please try again soon.";
