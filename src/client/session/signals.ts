import type { Json, RateTold, Sig } from "../../protocol/messages";

/**
 * Signals on their way out: only the newest of each is worth sending, and no more often than the room takes them. What
 * cannot go is dropped, as signals may be.
 */
export class OutgoingSignals {
  readonly #paths = new Map<string, { nextAt: number; waiting?: Sig }>();

  /** Answers the message if it may go at once; otherwise it waits for its turn, or for a newer one. */
  offer(f: string, n: string, d: Json, rate: RateTold | undefined, now: number): Sig | undefined {
    const signal: Sig = { t: "sig", f, n, d };
    const key = `${f}.${n}`;
    const path = this.#paths.get(key) ?? { nextAt: 0 };
    this.#paths.set(key, path);
    if (path.nextAt > now) {
      path.waiting = signal;
      return undefined;
    }
    delete path.waiting;
    path.nextAt = rate ? now + rate.perMs / rate.count : now;
    return signal;
  }

  /** Those whose turn it is, taken out. */
  take(now: number): Sig[] {
    const due: Sig[] = [];
    for (const path of this.#paths.values()) {
      if (!path.waiting || path.nextAt > now) continue;
      due.push(path.waiting);
      delete path.waiting;
    }
    return due;
  }

  drop(): void {
    this.#paths.clear();
  }

  nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { waiting, nextAt } of this.#paths.values()) if (waiting) next = Math.min(next, nextAt);
    return next;
  }
}
