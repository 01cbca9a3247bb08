import type { Checksums } from "../../protocol/messages";
import type { Slices } from "./slices";
import { LONG_AGO, NEVER } from "./time";

/** What a comparison with the room has shown. */
export interface Verification {
  seq: number;
  /** Compared: those of the same version here and there. */
  features: readonly string[];
  /** Those whose states differ: none, ever, unless somebody's reducer is not pure. */
  differing: readonly string[];
}

/** After a state has begun to grow, the first comparison comes within this … */
const FIRST_WITHIN_MS = 15_000;
/** … and later ones about so often, while anything happens: sums cost the room milliseconds. */
const EVERY_MS = 120_000;
/** After sums of another moment, which say nothing. */
const RETRY_MS = 1_000;
/** Compares checksums in the background, and says when the state has to be fetched anew. */
export class StateVerifier {
  #dueAt = NEVER;
  #isInFlight = false;
  #notBefore = LONG_AGO;

  constructor(private readonly random: () => number) {}

  /** A welcome. What was asked on another connection is not answered on this one. */
  onWelcome(): void {
    const wasInFlight = this.#isInFlight;
    this.#isInFlight = false;
    if (wasInFlight) this.#dueAt = LONG_AGO;
  }

  /** Something happened that could have gone wrong. */
  onEvents(now: number): void {
    if (this.#dueAt !== NEVER || this.#isInFlight) return;
    this.#dueAt = Math.max(this.#notBefore, now + (0.2 + 0.8 * this.random()) * FIRST_WITHIN_MS);
  }

  request(): void {
    this.#dueAt = LONG_AGO;
  }

  /** Whether to ask now. */
  takeRequest(now: number): boolean {
    if (this.#isInFlight || now < this.#dueAt) return false;
    this.#dueAt = NEVER;
    this.#isInFlight = true;
    return true;
  }

  /** Asked too often: later, then. */
  postpone(until: number): void {
    if (!this.#isInFlight) return;
    this.#isInFlight = false;
    this.#dueAt = until;
  }

  /** The room's sums, compared where both run the same code. Nothing to say where they are of another number. */
  compare(
    { seq, sums }: Checksums,
    ownSeq: number,
    versions: Readonly<Record<string, string>>,
    slices: Slices,
    now: number,
  ): Verification | undefined {
    this.#isInFlight = false;
    this.#notBefore = now + (0.5 + this.random()) * EVERY_MS;
    if (seq !== ownSeq) {
      this.#dueAt = now + RETRY_MS;
      return undefined;
    }
    const features = Object.keys(sums).filter(
      (name) => slices.version(name) !== undefined && slices.version(name) === versions[name],
    );
    const differing = features.filter((name) => slices.checksum(name) !== sums[name]);
    return { seq, features, differing };
  }

  /** When to ask for sums. */
  requestAt(): number {
    return this.#isInFlight ? NEVER : this.#dueAt;
  }
}
