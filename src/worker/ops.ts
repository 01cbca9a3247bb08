import type { Gateway } from "../edge/gateway";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import { answerHealth, type DatabaseProbe } from "../ops/health";
import { answerMetrics } from "../ops/metrics";
import { cacheKindNames } from "../services/boards/cache/cache-kinds";
import { boardCaches } from "../services/boards/cache/caches";
import { boardCounters } from "../services/boards/counters";
import { liveStreams } from "../services/boards/live/live-streams";

/** `GET /health` and `/metrics`; `undefined` for any other path. */
export function answerOps(
  request: Request,
  gateway: Gateway,
  database?: DatabaseProbe,
): Promise<Response> | undefined {
  const { pathname } = new URL(request.url);
  if (pathname === "/health") return health(gateway, database);
  return pathname === "/metrics" ? metrics(gateway, database) : undefined;
}

async function health({ problems, state }: Gateway, database?: DatabaseProbe): Promise<Response> {
  return answerHealth({ problems, details: state, database: state && (await database?.check()) });
}

async function metrics({ problems, state }: Gateway, database?: DatabaseProbe): Promise<Response> {
  if (!state) return rejectionResponse(rejectHttp(503, "unavailable", problems.join(" ")));
  return answerMetrics({
    counters: Object.values(boardCounters),
    tokens: state.tokens,
    addresses: state.addresses,
    caches: cacheKindNames.map((kind) => ({ kind, ...boardCaches[kind].size })),
    liveStreams: liveStreams.open,
    database: await database?.check(),
  });
}
