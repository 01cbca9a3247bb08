/** A room of unknown size is taken to be full (1,000). */
const UNKNOWN_MEMBERS = 1_000;
/** With this much per member, 1,000 clients that are cut off at once come back at fewer than 100 in any 250 ms. */
const MS_PER_MEMBER = 4.5;
const SHORTEST_WINDOW_MS = 500;
/** A restarted room keeps seats for three times as long, so that the last client is still in time. */
const LONGEST_WINDOW_MS = 10_000;
/** The random delay may be near zero. A server that rejects at once would then be asked without a pause. */
const MIN_DELAY_MS = 50;

/**
 * The delay before the next attempt: random within a window (full jitter). The window starts as wide as the room is large and
 * doubles with each failure, so two clients are back at once and a thousand are spread out. Each window begins where the one
 * before ends; otherwise second attempts would fall among first ones.
 *
 *     cut ├── everybody's first try ──┼──────────── everybody's second ────────────┼─ …
 */
export class Backoff {
  #failures = 0;
  /** What is left of the last attempt's window after that attempt. */
  #windowLeftMs = 0;

  constructor(private readonly random: () => number) {}

  nextMs(members: number | undefined): number {
    const first = clamp((members ?? UNKNOWN_MEMBERS) * MS_PER_MEMBER, SHORTEST_WINDOW_MS, LONGEST_WINDOW_MS);
    const window = Math.min(LONGEST_WINDOW_MS, first * 2 ** this.#failures);
    this.#failures++;
    const delayMs = clamp(this.#windowLeftMs + this.random() * window, MIN_DELAY_MS, LONGEST_WINDOW_MS);
    // Windows of the greatest width may overlap.
    this.#windowLeftMs = window < LONGEST_WINDOW_MS ? Math.max(0, this.#windowLeftMs + window - delayMs) : 0;
    return delayMs;
  }

  /**
   * The delay for a time that the room named. A room that drains gives each client its own time, which is kept exactly. Other
   * rejections name the same time to all, so a random part is added.
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
