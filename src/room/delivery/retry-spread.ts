import { MAX_RETRY_MS, RETRY_MS_PER_PEER } from "../../protocol/limits";

/** Successive multiples of it, without their whole part, are spread evenly however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Times to come back, told to many at once or one after the other: no two are the same and no stretch is crowded, so that
 * who is sent away together does not return together.
 */
export class RetrySpread {
  #place: number;

  constructor(chance: () => number) {
    this.#place = chance();
  }

  /** Somewhere within `spreadMs` after `fromMs`. */
  nextMs(fromMs: number, spreadMs: number): number {
    this.#place = (this.#place + GOLDEN) % 1;
    return Math.ceil(fromMs + this.#place * spreadMs);
  }

  /** For one of so many who are all sent away now: a few are back at once, a crowd comes as fast as a room can take it. */
  forCrowdMs(peers: number): number {
    return this.nextMs(0, Math.min(peers * RETRY_MS_PER_PEER, MAX_RETRY_MS));
  }
}
