import { NEVER } from "./time";

/** How many samples are kept: those of a burst, and the ones after it. */
const MAX_SAMPLES = 8;
/** Two quartz clocks drift apart by at most 0.1 ms per second. An old sample's error grows by that much. */
const DRIFT_PER_MS = 0.0001;

interface ClockSample {
  /** The room's time minus ours. */
  offset: number;
  /** The largest error of the offset: half of the round trip. */
  error: number;
  at: number;
}

/**
 * The room's clock, estimated from probes. The probe with the shortest round trip is the most exact, because a delay on only
 * one of the two ways is what makes an estimate wrong.
 *
 *     ours    t0 ─────╮                 ╭───► t3        offset = ((t1 − t0) + (t2 − t3)) / 2
 *     room's          ╰──► t1 ··· t2 ───╯               error  = ((t3 − t0) − (t2 − t1)) / 2
 */
export class SyncedClock {
  #samples: ClockSample[] = [];
  #best: ClockSample | undefined;

  /** A welcome carries the time too. It was sent at some moment since the socket was requested. */
  addWelcome(at: number, requestedAt: number, now: number): void {
    const error = Math.max(0, now - requestedAt) / 2;
    this.#add({ offset: at + error - now, error, at: now });
  }

  addProbe({ t0, t1, t2 }: { t0: number; t1: number; t2: number }, now: number): void {
    const error = (now - t0 - (t2 - t1)) / 2;
    // A negative round trip: our clock was set meanwhile, or this is not the answer to our probe.
    if (!(error >= 0)) return;
    this.#add({ offset: (t1 - t0 + t2 - now) / 2, error, at: now });
  }

  /** The largest error of `roomTime`; infinite before the first welcome. */
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
