import { withDeadline } from "../lib/deadline";

export interface DatabaseHealth {
  ok: boolean;
  /** How long its answer took. */
  ms?: number;
  problem?: string;
  /** Dead letters that wait for an operator. Counted up to a maximum. */
  aside?: number;
}

/** What the rest of the deployment says about itself. Everything in `details` is part of the answer. */
export interface HealthSources {
  /** What keeps the deployment from working, beside the keys and the database. */
  problems: readonly string[];
  /** Absent while the configuration has an error. */
  details?: { keys?: { known: number; problem?: string } | undefined } | undefined;
  database?: DatabaseHealth | undefined;
}

/** The database is called no more often than this, however often health is requested. */
const CACHE_MS = 5_000;
/** The longest that a request for health waits for the database. */
const DEADLINE_MS = 2_000;
/** Dead letters are counted one by one; this many are enough to know that there is a lot to do. */
const MAX_DEAD_LETTERS = 1_000;

/** `GET /health`: what an operator has to correct. */
export function answerHealth({ problems: found, details, database }: HealthSources): Response {
  const problems = [...found];
  // While some keys are known, a failing issuer keeps no user out.
  if (details?.keys?.problem !== undefined && details.keys.known === 0) problems.push(details.keys.problem);
  if (database?.ok === false) problems.push(`The database is away: ${database.problem}`);
  const { aside, ...state } = database ?? {};
  const warnings = aside ? [`Dead letters: ${aside}. \`npm run dead-letters\` lists them.`] : [];
  const ok = problems.length === 0;
  return Response.json(
    { ok, problems, warnings, ...details, ...(database ? { database: state, aside } : {}) },
    { status: ok ? 200 : 503, headers: { "Cache-Control": "no-store" } },
  );
}

/** Checks whether the database answers, by counting the dead letters in it. */
export class DatabaseProbe {
  #last: { at: number; health: Promise<DatabaseHealth> } | undefined;

  constructor(
    private readonly countDeadLetters: (max: number) => Promise<number>,
    private readonly onAnswer: (outcome: "ok" | "failed") => void,
    private readonly clock: () => number = Date.now,
  ) {}

  check(): Promise<DatabaseHealth> {
    const now = this.clock();
    if (!this.#last || now - this.#last.at >= CACHE_MS) this.#last = { at: now, health: this.#query(now) };
    const last = this.#last.health;
    // A second deadline: the request that began the query may be gone, and then its timer never fires.
    return withDeadline(() => last, DEADLINE_MS + 500, "D1 gave no answer").catch(toUnavailable);
  }

  async #query(startedAt: number): Promise<DatabaseHealth> {
    try {
      const aside = await withDeadline(
        () => this.countDeadLetters(MAX_DEAD_LETTERS),
        DEADLINE_MS,
        "D1 gave no answer",
      );
      this.onAnswer("ok");
      return { ok: true, ms: this.clock() - startedAt, aside };
    } catch (error) {
      this.onAnswer("failed");
      return toUnavailable(error);
    }
  }
}

function toUnavailable(error: unknown): DatabaseHealth {
  return { ok: false, problem: error instanceof Error ? error.message : String(error) };
}
