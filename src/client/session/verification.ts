import type { Checksums } from "../../protocol/messages";
import type { Slices } from "./slices";
import { LONG_AGO, NEVER } from "./time";

/** The result of a comparison with the room. */
export interface Verification {
  seq: number;
  /** The features that were compared: those with the same version on both sides. */
  features: readonly string[];
  /** The features whose states differ. Only a reducer that is not pure makes one. */
  differing: readonly string[];
}

/** The first comparison comes within this time after the first event … */
const FIRST_WITHIN_MS = 15_000;
/** … and later ones about this often, while events arrive: checksums cost the room milliseconds. */
const EVERY_MS = 120_000;
/** After checksums of another sequence number, which cannot be compared. */
const RETRY_MS = 1_000;
/** Decides when to ask for the room's checksums, and compares them. */
export class StateVerifier {
  #dueAt = NEVER;
  #isInFlight = false;
  #notBefore = LONG_AGO;

  constructor(private readonly random: () => number) {}

  /** A request on the connection before gets no answer on this one, so it is repeated. */
  onWelcome(): void {
    const wasInFlight = this.#isInFlight;
    this.#isInFlight = false;
    if (wasInFlight) this.#dueAt = LONG_AGO;
  }

  /** The state has changed, so it is compared some time soon. */
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

  /** The room rejected the request because of its rate. */
  postpone(until: number): void {
    if (!this.#isInFlight) return;
    this.#isInFlight = false;
    this.#dueAt = until;
  }

  /** Compares features of the same version. Returns undefined if the checksums are of another sequence number. */
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

  /** When to ask for checksums. */
  requestAt(): number {
    return this.#isInFlight ? NEVER : this.#dueAt;
  }
}
