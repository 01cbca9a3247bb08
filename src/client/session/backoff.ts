/** The first pause of a room nobody knows the size of: what a full one (1,000) would need. */
const UNKNOWN_MEMBERS = 1_000;
/** So much a member that a thousand who were cut off at once come back fewer than a hundred in any 250 ms. */
const MS_PER_MEMBER = 4.5;
const SHORTEST_WINDOW_MS = 500;
/** A room's grace after a restart is three times as long: who waits the longest is still in time. */
const LONGEST_WINDOW_MS = 10_000;
/** Chance may say "at once"; a server that refuses at once would then be asked without a pause. */
const LEAST_MS = 50;

/**
 * How long to stay away: anywhere in a window that doubles with each failure (full jitter), and that starts as wide as the
 * room is large, so that two people are back within a blink and a thousand do not come in step. A window begins where the
 * one before ends: else those who come again would come among those who come for the first time.
 *
 *     cut ├── everybody's first try ──┼──────────── everybody's second ────────────┼─ …
 */
export class Backoff {
  #failures = 0;
  /** Of the window in which the last try was, what is left after it. */
  #restMs = 0;

  constructor(private readonly chance: () => number) {}

  next(members: number | undefined): number {
    const first = clamp((members ?? UNKNOWN_MEMBERS) * MS_PER_MEMBER, SHORTEST_WINDOW_MS, LONGEST_WINDOW_MS);
    const window = Math.min(LONGEST_WINDOW_MS, first * 2 ** this.#failures);
    this.#failures++;
    const pauseMs = clamp(this.#restMs + this.chance() * window, LEAST_MS, LONGEST_WINDOW_MS);
    // The widest are wide enough.
    this.#restMs = window < LONGEST_WINDOW_MS ? Math.max(0, this.#restMs + window - pauseMs) : 0;
    return pauseMs;
  }

  /**
   * To come back at a time that the room named. A room that moves gives each its own, which is kept to; other refusals
   * say the same to everybody, and chance is added to them.
   */
  after(retryAfterMs: number, isOwn: boolean): number {
    const spread = isOwn ? 0 : this.chance() * Math.max(SHORTEST_WINDOW_MS, retryAfterMs / 5);
    return Math.max(LEAST_MS, retryAfterMs + spread);
  }

  restart(): void {
    this.#failures = 0;
    this.#restMs = 0;
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
