import { NEVER } from "./never";

/** Kept probes: a burst's worth, and what came after. */
const KEPT = 8;
/** Two good quartz clocks part by a tenth of a millisecond a second at most: so much an old sample is worth less. */
const DRIFT = 0.0001;

interface Sample {
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
export class RoomClock {
  #samples: Sample[] = [];
  #best: Sample | undefined;

  /** A welcome tells the time too; how long it was under way is known only by when the socket was asked for. */
  told(at: number, askedAt: number, now: number): void {
    const error = Math.max(0, now - askedAt) / 2;
    this.#add({ offset: at + error - now, error, at: now });
  }

  probed({ t0, t1, t2 }: { t0: number; t1: number; t2: number }, now: number): void {
    const error = (now - t0 - (t2 - t1)) / 2;
    // Not one of ours, or one from before our clock was set.
    if (!(error >= 0)) return;
    this.#add({ offset: (t1 - t0 + t2 - now) / 2, error, at: now });
  }

  get isSet(): boolean {
    return this.#best !== undefined;
  }

  get offsetMs(): number {
    return this.#best?.offset ?? 0;
  }

  /** How far off it may be; unknown before the first welcome. */
  get errorMs(): number {
    return this.#best?.error ?? NEVER;
  }

  /** The room's time at a time of ours. */
  at(now: number): number {
    return now + this.offsetMs;
  }

  #add(sample: Sample): void {
    this.#samples = [...this.#samples.slice(1 - KEPT), sample];
    const worth = (held: Sample) => held.error + (sample.at - held.at) * DRIFT;
    this.#best = this.#samples.reduce((best, held) => (worth(held) <= worth(best) ? held : best));
  }
}
