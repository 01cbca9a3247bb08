import type { ClockAnswer } from "../../protocol/messages";
import { LONG_AGO, NEVER } from "./never";
import { RoomClock } from "./room-clock";

/** A burst when one arrives: the quickest of a few is near the truth. */
const BURST_AFTER_MS = [0, 300, 700, 1_500, 3_000];
/** Later ones follow the drift of two clocks, while something happens in the room: a probe would wake one that sleeps. */
const EVERY_MS = 60_000;

/** When to ask the room what time it is. */
export class Probes {
  readonly clock = new RoomClock();
  #dueAt: number[] = [];
  #lastAt = LONG_AGO;

  greeted(at: number, askedAt: number, now: number): void {
    this.clock.told(at, askedAt, now);
    this.#dueAt = BURST_AFTER_MS.map((afterMs) => now + afterMs);
  }

  answered(answer: ClockAnswer, now: number): void {
    this.clock.probed(answer, now);
  }

  /** Something happened: the room is awake. */
  active(now: number): void {
    if (this.#dueAt.length === 0 && now - this.#lastAt >= EVERY_MS) this.#dueAt = [now];
  }

  /** Somebody is back who may have slept. */
  wanted(now: number): void {
    if (this.#dueAt.length === 0) this.#dueAt = [now];
  }

  take(now: number): boolean {
    if (this.nextAt() > now) return false;
    this.#dueAt = this.#dueAt.filter((at) => at > now);
    this.#lastAt = now;
    return true;
  }

  nextAt(): number {
    return this.#dueAt[0] ?? NEVER;
  }
}
