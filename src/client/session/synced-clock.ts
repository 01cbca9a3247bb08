import { NEVER } from "./time";

/** Kept probes: a burst's worth, and what came after. */
const MAX_SAMPLES = 8;
/** Two good quartz clocks part by a tenth of a millisecond a second at most: so much an old sample is worth less. */
const DRIFT_PER_MS = 0.0001;

interface ClockSample {
  /** Room's time less ours. */
  offset: number;
  /** It may be wrong by so much either way: half of the way there and back. */
  error: number;
  at: number;
}

/**
 * The room's clock, from probes that travel there and back. The quickest one says most: it had the least time to be
 * delayed on only one of the two ways.
 *
 *     ours    t0 ─────╮                 ╭───► t3        offset = ((t1 − t0) + (t2 − t3)) / 2
 *     room's          ╰──► t1 ··· t2 ───╯               error  = ((t3 − t0) − (t2 − t1)) / 2
 */
export class SyncedClock {
  #samples: ClockSample[] = [];
  #best: ClockSample | undefined;

  /** A welcome tells the time too; how long it was under way is known only by when the socket was asked for. */
  addWelcome(at: number, requestedAt: number, now: number): void {
    const error = Math.max(0, now - requestedAt) / 2;
    this.#add({ offset: at + error - now, error, at: now });
  }

  addProbe({ t0, t1, t2 }: { t0: number; t1: number; t2: number }, now: number): void {
    const error = (now - t0 - (t2 - t1)) / 2;
    // Not one of ours, or one from before our clock was set.
    if (!(error >= 0)) return;
    this.#add({ offset: (t1 - t0 + t2 - now) / 2, error, at: now });
  }

  /** How far off it may be; unknown before the first welcome. */
  get errorMs(): number {
    return this.#best?.error ?? NEVER;
  }

  /** The room's time at a time of ours. */
  roomTime(now: number): number {
    return now + (this.#best?.offset ?? 0);
  }

  #add(sample: ClockSample): void {
    this.#samples = [...this.#samples.slice(1 - MAX_SAMPLES), sample];
    const errorNow = (held: ClockSample) => held.error + (sample.at - held.at) * DRIFT_PER_MS;
    this.#best = this.#samples.reduce((best, held) => (errorNow(held) <= errorNow(best) ? held : best));
  }
}
