import { withDeadline } from "../lib/deadline";
import { boardCounters } from "../services/boards/counters";
import { countDeadLetters } from "../services/boards/store/count-dead-letters";

export interface DatabaseHealth {
  ok: boolean;
  /** How long its answer took. */
  ms?: number;
  problem?: string;
  /** Entries of batches that wait for an operator; past the most that are counted it is that. */
  aside?: number;
}

/** However often somebody looks, the database is asked no more often than this … */
const CACHE_MS = 5_000;
/** … and whoever looks is answered within this. */
const DEADLINE_MS = 2_000;
/** Enough to know that there is a lot to do: they are counted one by one. */
const MAX_DEAD_LETTERS = 1_000;

/** Whether the database answers, for whoever looks what is wrong. */
export class DatabaseProbe {
  #last: { at: number; state: Promise<DatabaseHealth> } | undefined;

  constructor(
    private readonly db: D1Database,
    private readonly clock: () => number = Date.now,
  ) {}

  check(): Promise<DatabaseHealth> {
    const now = this.clock();
    if (!this.#last || now - this.#last.at >= CACHE_MS) this.#last = { at: now, state: this.#query(now) };
    // Whoever asked first may be gone, and the answer with them.
    return withDeadline(this.#last.state, DEADLINE_MS + 500, "D1 gave no answer").catch(toUnavailable);
  }

  async #query(startedAt: number): Promise<DatabaseHealth> {
    try {
      const aside = await withDeadline(
        countDeadLetters(this.db, MAX_DEAD_LETTERS),
        DEADLINE_MS,
        "D1 gave no answer",
      );
      boardCounters.database.add({ for: "health", outcome: "ok" });
      return { ok: true, ms: this.clock() - startedAt, aside };
    } catch (error) {
      boardCounters.database.add({ for: "health", outcome: "failed" });
      return toUnavailable(error);
    }
  }
}

function toUnavailable(error: unknown): DatabaseHealth {
  return { ok: false, problem: error instanceof Error ? error.message : String(error) };
}
