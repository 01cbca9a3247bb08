import { Counter } from "../../lib/counter";
import { cacheKindNames } from "./cache/cache-kinds";

/**
 * What this process has counted since it started. A deployment has many processes, which come and go, and a Durable Object may
 * run in another one than the worker that calls it: `GET /metrics` shows one process.
 */
export const boardCounters = {
  cacheReads: new Counter(
    "tallyroom_cache_answers_total",
    "Boards, players' places and lists that were told: held, waited for, fetched, or stale while the database was away.",
    { kind: cacheKindNames, told: ["hit", "miss", "stale", "coalesced"] },
  ),
  cacheFetches: new Counter(
    "tallyroom_cache_fetches_total",
    "Answers that were not held in memory, by where they came from.",
    { from: ["platform", "database", "nowhere"] },
  ),
  database: new Counter("tallyroom_database_calls_total", "Calls of D1, each one transaction.", {
    for: ["read", "batch", "live", "health"],
    outcome: ["ok", "failed"],
  }),
  batches: new Counter("tallyroom_batches_total", "Batches of points by what became of them.", {
    outcome: ["applied", "duplicate", "gap", "failed"],
  }),
  rejectedPlayers: new Counter(
    "tallyroom_batch_refused_players_total",
    "Players whose points were not written because they were banned.",
    {},
  ),
  liveStreams: new Counter(
    "tallyroom_live_streams_total",
    "Live streams of boards, by how they began and ended.",
    {
      was: ["opened", "resumed", "refused", "closed", "dropped"],
    },
  ),
  liveEvents: new Counter("tallyroom_live_events_total", "Events sent on live streams.", {
    event: ["board", "change"],
  }),
} as const;
