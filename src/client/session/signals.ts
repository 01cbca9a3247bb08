import type { RateInfo } from "../../protocol/messages";
import { NEVER } from "./time";

/**
 * Outgoing signals. Only the newest signal of each name is kept, and it is sent no more often than the room's rate allows.
 * The others are dropped, as signals may be.
 */
export class OutgoingSignals {
  readonly #byPath = new Map<string, { nextAt: number; everyMs: number; waiting?: string }>();

  /** Replaces the signal of this name that still waits. */
  offer(name: string, text: string, rate: RateInfo | undefined): void {
    const everyMs = rate ? rate.perMs / rate.count : 0;
    this.#byPath.set(name, { nextAt: this.#byPath.get(name)?.nextAt ?? 0, everyMs, waiting: text });
  }

  /** Takes out one signal that may be sent now. */
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
