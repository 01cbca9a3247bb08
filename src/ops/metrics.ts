import type { DatabaseHealth } from "./health";

/** What a process counts. */
export interface MetricsSources {
  counters: readonly CounterSource[];
  tokens: { hits: number; misses: number; held: number };
  addresses: { asked: number; refused: number; unanswered: number };
  /** The caches of boards, by kind. */
  caches: readonly { kind: string; entries: number; chars: number }[];
  /** Live streams of boards that are open. */
  liveStreams: number;
  database?: DatabaseHealth | undefined;
}

interface CounterSource {
  name: string;
  help: string;
  /** By label text, `{kind="top"}`, or nothing if there are no labels. */
  counts: ReadonlyMap<string, number>;
}

interface MetricFamily {
  name: string;
  type: "counter" | "gauge";
  help: string;
  /** Label text and value. A sample without a value is left out. */
  samples: Iterable<readonly [labels: string, value: number | undefined]>;
}

/** `GET /metrics`, for Prometheus. */
export function answerMetrics(sources: MetricsSources): Response {
  return new Response(formatMetrics(sources), {
    headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store" },
  });
}

/**
 * Prometheus' text format, version 0.0.4. No label contains what a client sent, so the metrics are public, and their number of
 * lines is fixed.
 */
function formatMetrics(sources: MetricsSources): string {
  return [...sources.counters.map(counterFamily), ...stateFamilies(sources)].map(formatFamily).join("");
}

function counterFamily({ name, help, counts: samples }: CounterSource): MetricFamily {
  return { name, type: "counter", help: `${help} ${OF_PROCESS}`, samples };
}

const OF_PROCESS = "Of one process, since it began.";

function stateFamilies({ tokens, addresses, caches, liveStreams, database }: MetricsSources): MetricFamily[] {
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
      caches.map(({ kind, entries }) => [`{kind="${kind}"}`, entries] as const),
    ),
    gauge(
      "cache_characters",
      "Characters of JSON of the answers held in memory.",
      caches.map(({ kind, chars }) => [`{kind="${kind}"}`, chars] as const),
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
    gauge("live_listeners", "Live streams of boards that are open in this process.", [["", liveStreams]]),
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
