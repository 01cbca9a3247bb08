import type { Checksums } from "../../protocol/messages";
import { LONG_AGO, NEVER } from "./never";
import type { Slices } from "./slices";

/** What a comparison with the room has shown. */
export interface Verdict {
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
const AGAIN_MS = 1_000;
/** A state that differs again and again is not fetched more often. */
const FRESH_EVERY_MS = 60_000;

/** Compares checksums in the background, and says when the state has to be fetched anew. */
export class Checks {
  #dueAt = NEVER;
  #isAsked = false;
  #notBefore = LONG_AGO;
  #freshAt = LONG_AGO;
  #isFreshWanted = false;

  constructor(private readonly chance: () => number) {}

  /** A welcome. What was asked on another connection is not answered on this one. */
  greeted(): void {
    const waited = this.#isAsked;
    this.#isAsked = false;
    if (waited) this.#dueAt = LONG_AGO;
  }

  /** Something happened that could have gone wrong. */
  folded(now: number): void {
    if (this.#dueAt !== NEVER || this.#isAsked) return;
    this.#dueAt = Math.max(this.#notBefore, now + (0.2 + 0.8 * this.chance()) * FIRST_WITHIN_MS);
  }

  ask(): void {
    this.#dueAt = LONG_AGO;
  }

  /** Whether to ask now. */
  takeAsk(now: number): boolean {
    if (this.#isAsked || now < this.#dueAt) return false;
    this.#dueAt = NEVER;
    this.#isAsked = true;
    return true;
  }

  /** Asked too often: later, then. */
  refused(until: number): void {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    this.#dueAt = until;
  }

  /** The room's sums, compared where both run the same code. Nothing to say where they are of another number. */
  judge(
    { seq, sums }: Checksums,
    at: number,
    versions: Readonly<Record<string, string>>,
    slices: Slices,
    now: number,
  ): Verdict | undefined {
    this.#isAsked = false;
    this.#notBefore = now + (0.5 + this.chance()) * EVERY_MS;
    if (seq !== at) {
      this.#dueAt = now + AGAIN_MS;
      return undefined;
    }
    const features = Object.keys(sums).filter(
      (name) => slices.version(name) !== undefined && slices.version(name) === versions[name],
    );
    const differing = features.filter((name) => slices.sum(name) !== sums[name]);
    if (differing.length > 0) this.#isFreshWanted = true;
    return { seq, features, differing };
  }

  /** A reducer could not go on: the room's own word is needed. */
  wantFresh(): void {
    this.#isFreshWanted = true;
  }

  /** Whether to fetch the state anew now. */
  takeFresh(now: number): boolean {
    if (!this.#isFreshWanted || now < this.#freshAt + FRESH_EVERY_MS) return false;
    this.#isFreshWanted = false;
    this.#freshAt = now;
    return true;
  }

  /** When to ask for sums. */
  askAt(): number {
    return this.#isAsked ? NEVER : this.#dueAt;
  }

  /** When to fetch the state anew. */
  freshAt(): number {
    return this.#isFreshWanted ? this.#freshAt + FRESH_EVERY_MS : NEVER;
  }
}
