import type { IpLimiterState } from "../edge/ip-limits/ip-limiter";
import type { VerifierState } from "../identity/verifier";
import { cacheKindNames } from "../services/boards/cache/cache-kinds";
import { boardCaches } from "../services/boards/cache/caches";
import { boardCounters } from "../services/boards/counters";
import { liveStreams } from "../services/boards/live/live-streams";
import type { DatabaseHealth } from "./health";

/** What of it is counted elsewhere than in `counts`. */
export interface MetricsState extends VerifierState {
  addresses: IpLimiterState;
  database?: DatabaseHealth;
}

interface MetricFamily {
  name: string;
  type: "counter" | "gauge";
  help: string;
  /** Label text, `{kind="top"}` or nothing, and the value. */
  samples: Iterable<readonly [labels: string, value: number | undefined]>;
}

/**
 * `GET /metrics`: Prometheus' text, version 0.0.4. No label holds anything that somebody sent, so anybody may see it, and it never has
 * more lines than these.
 */
export function metricsText(state: MetricsState): string {
  return [...Object.values(boardCounters).map(counterFamily), ...stateFamilies(state)]
    .map(formatFamily)
    .join("");
}

function counterFamily({
  name,
  help,
  counts: samples,
}: (typeof boardCounters)[keyof typeof boardCounters]): MetricFamily {
  return { name, type: "counter", help: `${help} ${OF_PROCESS}`, samples };
}

const OF_PROCESS = "Of one process, since it began.";

function stateFamilies({ tokens, addresses, database }: MetricsState): MetricFamily[] {
  const sizes = cacheKindNames.map((kind) => ({ kind, ...boardCaches[kind].size }));
  const counter = (name: string, help: string, value: number): MetricFamily => {
    return {
      name: `tallyroom_${name}`,
      type: "counter",
      help: `${help} ${OF_PROCESS}`,
      samples: [["", value]],
    };
  };
  const gauge = (name: string, help: string, samples: MetricFamily["samples"]): MetricFamily => {
    return { name: `tallyroom_${name}`, type: "gauge", help, samples };
  };
  return [
    gauge(
      "cache_entries",
      "Answers held in memory.",
      sizes.map(({ kind, entries }) => [`{kind="${kind}"}`, entries] as const),
    ),
    gauge(
      "cache_characters",
      "Characters of JSON of the answers held in memory.",
      sizes.map(({ kind, chars }) => [`{kind="${kind}"}`, chars] as const),
    ),
    counter("token_hits_total", "Tokens that were known to be good.", tokens.hits),
    counter("token_misses_total", "Tokens whose signature was checked.", tokens.misses),
    gauge("tokens_held", "Tokens that are known to be good now.", [["", tokens.held]]),
    counter("address_questions_total", "Questions to the objects of addresses.", addresses.asked),
    counter("address_refusals_total", "Refusals for a limit of an address.", addresses.refused),
    counter(
      "address_unanswered_total",
      "Questions judged by what this process has seen alone.",
      addresses.unanswered,
    ),
    gauge("live_listeners", "Live streams of boards that are open in this process.", [
      ["", liveStreams.open],
    ]),
    gauge("database_up", "Whether D1 answered when it was last asked (every 5 s at most).", [
      ["", database && Number(database.ok)],
    ]),
    gauge("database_answer_milliseconds", "How long D1 took then.", [["", database?.ms]]),
    gauge("set_aside_entries", "Entries of batches that wait for an operator, 1,000 at most.", [
      ["", database?.aside],
    ]),
  ];
}

function formatFamily({ name, type, help, samples }: MetricFamily): string {
  const lines = [...samples].flatMap(([labels, value]) =>
    value === undefined ? [] : [`${name}${labels} ${value}\n`],
  );
  if (lines.length === 0) return "";
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}
