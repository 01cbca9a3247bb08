import type { RateInfo } from "../../protocol/messages";
import { NEVER } from "./time";

/**
 * Signals on their way out: only the newest of each is worth sending, and no more often than the room takes them. What
 * cannot go is dropped, as signals may be.
 */
export class OutgoingSignals {
  readonly #byPath = new Map<string, { nextAt: number; everyMs: number; waiting?: string }>();

  /** Takes the place of the one before, if that still waits. */
  offer(name: string, text: string, rate: RateInfo | undefined): void {
    const everyMs = rate ? rate.perMs / rate.count : 0;
    this.#byPath.set(name, { nextAt: this.#byPath.get(name)?.nextAt ?? 0, everyMs, waiting: text });
  }

  /** One whose turn it is, taken out. */
  take(now: number): string | undefined {
    for (const path of this.#byPath.values()) {
      const { waiting } = path;
      if (waiting === undefined || path.nextAt > now) continue;
      delete path.waiting;
      path.nextAt = now + path.everyMs;
      return waiting;
    }
    return undefined;
  }

  clear(): void {
    this.#byPath.clear();
  }

  nextAt(): number {
    let next = NEVER;
    for (const { waiting, nextAt } of this.#byPath.values()) if (waiting) next = Math.min(next, nextAt);
    return next;
  }
}
