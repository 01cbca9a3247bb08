import { countAside } from "../../boards/count-aside";
import { within } from "../within";
import { counts } from "./counts";

export interface DatabaseState {
  ok: boolean;
  /** How long its answer took. */
  ms?: number;
  problem?: string;
  /** Entries of batches that wait for an operator; past the most that are counted it is that. */
  aside?: number;
}

/** However often somebody looks, the database is asked no more often than this … */
const KEEP_MS = 5_000;
/** … and whoever looks is answered within this. */
const DEADLINE_MS = 2_000;
/** Enough to know that there is a lot to do: they are counted one by one. */
const MOST_ASIDE = 1_000;

/** Whether the database answers, for whoever looks what is wrong. */
export class DatabaseWatch {
  #asked: { at: number; state: Promise<DatabaseState> } | undefined;

  constructor(
    private readonly db: D1Database,
    private readonly clock: () => number = Date.now,
  ) {}

  state(): Promise<DatabaseState> {
    const now = this.clock();
    if (!this.#asked || now - this.#asked.at >= KEEP_MS) this.#asked = { at: now, state: this.#ask(now) };
    // Whoever asked first may be gone, and the answer with them.
    return within(this.#asked.state, DEADLINE_MS + 500, "D1 gave no answer").catch(away);
  }

  async #ask(startedAt: number): Promise<DatabaseState> {
    try {
      const aside = await within(countAside(this.db, MOST_ASIDE), DEADLINE_MS, "D1 gave no answer");
      counts.database.add({ for: "health", outcome: "ok" });
      return { ok: true, ms: this.clock() - startedAt, aside };
    } catch (error) {
      counts.database.add({ for: "health", outcome: "failed" });
      return away(error);
    }
  }
}

function away(error: unknown): DatabaseState {
  return { ok: false, problem: error instanceof Error ? error.message : String(error) };
}
