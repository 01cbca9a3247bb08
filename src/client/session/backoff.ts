/** The first pause of a room nobody knows the size of: what a full one (1,000) would need. */
const UNKNOWN_MEMBERS = 1_000;
/** So much a member that a thousand who were cut off at once come back fewer than a hundred in any 250 ms. */
const MS_PER_MEMBER = 4.5;
const SHORTEST_WINDOW_MS = 500;
/** A room's grace after a restart is three times as long: who waits the longest is still in time. */
const LONGEST_WINDOW_MS = 10_000;
/** Chance may say "at once"; a server that refuses at once would then be asked without a pause. */
const MIN_DELAY_MS = 50;

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
  #windowLeftMs = 0;

  constructor(private readonly random: () => number) {}

  nextMs(members: number | undefined): number {
    const first = clamp((members ?? UNKNOWN_MEMBERS) * MS_PER_MEMBER, SHORTEST_WINDOW_MS, LONGEST_WINDOW_MS);
    const window = Math.min(LONGEST_WINDOW_MS, first * 2 ** this.#failures);
    this.#failures++;
    const delayMs = clamp(this.#windowLeftMs + this.random() * window, MIN_DELAY_MS, LONGEST_WINDOW_MS);
    // The widest are wide enough.
    this.#windowLeftMs = window < LONGEST_WINDOW_MS ? Math.max(0, this.#windowLeftMs + window - delayMs) : 0;
    return delayMs;
  }

  /**
   * To come back at a time that the room named. A room that moves gives each its own, which is kept to; other refusals
   * say the same to everybody, and chance is added to them.
   */
  delayMs(retryAfterMs: number, isOwn: boolean): number {
    const spread = isOwn ? 0 : this.random() * Math.max(SHORTEST_WINDOW_MS, retryAfterMs / 5);
    return Math.max(MIN_DELAY_MS, retryAfterMs + spread);
  }

  reset(): void {
    this.#failures = 0;
    this.#windowLeftMs = 0;
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
