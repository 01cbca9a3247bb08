import type { ClockAnswer } from "../../protocol/messages";
import { SyncedClock } from "./synced-clock";
import { LONG_AGO, NEVER } from "./time";

/** A burst of probes after each welcome: the quickest of a few is close to the truth. */
const BURST_AFTER_MS = [0, 300, 700, 1_500, 3_000];
/** Later probes follow the drift. They are sent only while something happens, because a probe wakes a sleeping room. */
const PROBE_EVERY_MS = 60_000;

/** When to ask the room what time it is. */
export class ClockSync {
  readonly clock = new SyncedClock();
  #dueAt: number[] = [];
  #lastAt = LONG_AGO;

  onWelcome(at: number, requestedAt: number, now: number): void {
    this.clock.addWelcome(at, requestedAt, now);
    this.#dueAt = BURST_AFTER_MS.map((afterMs) => now + afterMs);
  }

  onAnswer(answer: ClockAnswer, now: number): void {
    this.clock.addProbe(answer, now);
  }

  /** Something happened: the room is awake. */
  onActivity(now: number): void {
    if (this.#dueAt.length === 0 && now - this.#lastAt >= PROBE_EVERY_MS) this.#dueAt = [now];
  }

  /** The machine may have slept, so the offset is measured again. */
  request(now: number): void {
    if (this.#dueAt.length === 0) this.#dueAt = [now];
  }

  takeProbe(now: number): boolean {
    if (this.nextAt() > now) return false;
    this.#dueAt = this.#dueAt.filter((at) => at > now);
    this.#lastAt = now;
    return true;
  }

  nextAt(): number {
    return this.#dueAt[0] ?? NEVER;
  }
}
