import type { VerifierState } from "../../identity/verifier";
import type { DeskState } from "../addresses/address-desk";
import { answerKindNames } from "../answers/answer-kinds";
import { boardAnswers } from "../answers/held-answers";
import { liveStreams } from "../answers/live-streams";
import { counts } from "./counts";
import type { DatabaseState } from "./database-watch";

/** What of it is counted elsewhere than in `counts`. */
export interface MetricsState extends VerifierState {
  addresses: DeskState;
  database?: DatabaseState;
}

interface Family {
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
  return [...Object.values(counts).map(counted), ...told(state)].map(familyText).join("");
}

function counted({ name, help, counts: samples }: (typeof counts)[keyof typeof counts]): Family {
  return { name, type: "counter", help: `${help} ${OF_PROCESS}`, samples };
}

const OF_PROCESS = "Of one process, since it began.";

function told({ tokens, addresses, database }: MetricsState): Family[] {
  const sizes = answerKindNames.map((kind) => ({ kind, ...boardAnswers[kind].size }));
  const counter = (name: string, help: string, value: number): Family => {
    return {
      name: `tallyroom_${name}`,
      type: "counter",
      help: `${help} ${OF_PROCESS}`,
      samples: [["", value]],
    };
  };
  const gauge = (name: string, help: string, samples: Family["samples"]): Family => {
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

function familyText({ name, type, help, samples }: Family): string {
  const lines = [...samples].flatMap(([labels, value]) =>
    value === undefined ? [] : [`${name}${labels} ${value}\n`],
  );
  if (lines.length === 0) return "";
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}
