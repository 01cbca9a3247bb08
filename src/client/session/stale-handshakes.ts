/** A handshake that was given up may still arrive this much later. */
const STALE_HANDSHAKE_MS = 120_000;

/**
 * Handshakes that were given up and may still reach the room. Each can replace a later socket of this tab, once. A socket that
 * was replaced by one of them connects again; one that was replaced by another tab does not, so that two tabs do not take turns.
 */
export class StaleHandshakes {
  #times: number[] = [];

  add(at: number): void {
    this.#times.push(at);
  }

  /** Whether there is one that may have arrived by now. It is taken out, because it can arrive only once. */
  takeRecent(now: number): boolean {
    this.#times = this.#times.filter((at) => now - at < STALE_HANDSHAKE_MS);
    return this.#times.shift() !== undefined;
  }
}
