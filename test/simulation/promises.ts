import type { Outcome } from "../../src/client/session/outcome";
import type { Deployment } from "./deployment";
import type { RoomObject } from "./room-object";
import type { Life } from "./truth";

interface Asked {
  what: string;
  at: number;
  outcome?: Outcome;
}

/** No action waits longer for its end than this, which is what a session waits if nobody says otherwise. */
const LONGEST_MS = 60_000;

/** What a page was promised: each `do` settles once, in time, and what it is told is so. */
export class Promises {
  readonly #asked = new Map<string, Asked>();
  #early: [string, Outcome][] = [];

  constructor(
    private readonly deployment: Deployment,
    private readonly object: RoomObject,
    private readonly user: string,
  ) {}

  get open(): readonly string[] {
    return [...this.#asked.values()].filter(({ outcome }) => !outcome).map(({ what }) => what);
  }

  asks(id: string): boolean {
    return this.#asked.has(id);
  }

  /** Something is about to be asked; answers how to tell its id once that is known. */
  begin(): (id: string, what: string) => void {
    this.#early = [];
    return (id, what) => {
      if (this.#asked.has(id)) this.#breach(`${id} is two actions at once`);
      this.#asked.set(id, { what, at: this.deployment.clock.now });
      for (const [early, outcome] of this.#early.splice(0)) this.settle(early, outcome, undefined);
    };
  }

  settle(id: string, outcome: Outcome, epoch: string | undefined): void {
    const asked = this.#asked.get(id);
    if (!asked) return void this.#early.push([id, outcome]);
    if (asked.outcome) return this.#breach(`${id} settles twice`);
    asked.outcome = outcome;
    const { now } = this.deployment.clock;
    if (now - asked.at > LONGEST_MS + 1)
      this.deployment.breach(14, `${this.user} waited ${now - asked.at} ms for ${id}`);
    const life = epoch === undefined ? undefined : this.object.truth.lives.get(epoch);
    if (outcome.is === "event") this.#isDone(id, asked, outcome.event.seq, life);
    else if (outcome.is === "answer") this.#isAnswered(id, outcome, life);
    else if (outcome.refusal.code === "duplicate") this.#breach(`${id} is told to be another's`);
    else if (isDenied(outcome)) this.#isNotDone(id, asked);
  }

  /** What was refused stays undone. */
  settled(): void {
    for (const [id, asked] of this.#asked) {
      if (!asked.outcome) this.deployment.breach(14, `${this.user} was never told of ${asked.what} ${id}`);
      else if (isDenied(asked.outcome)) this.#isNotDone(id, asked);
    }
  }

  #isDone(id: string, { what }: Asked, seq: number, life: Life | undefined): void {
    const event = life?.events[seq - 1];
    if (!event || event.op !== id || event.by !== this.user || !what.startsWith(`${event.f}.`))
      this.#breach(`${what} ${id} is told to be ${seq}, which is ${JSON.stringify(event)}`);
  }

  #isAnswered(id: string, { seq, d }: Outcome & { is: "answer" }, life: Life | undefined): void {
    const done = life?.done.get(`${this.user}\0${id}`);
    if (!done) return this.#breach(`${id} is told to be done, and is not`);
    if (done.seq !== seq) this.#breach(`${id} was ${done.seq}, and is told as ${seq}`);
    if (d !== undefined && JSON.stringify(d) !== done.answer)
      this.#breach(`${id} was answered ${done.answer}, and is told ${JSON.stringify(d)}`);
  }

  #isNotDone(id: string, { what, outcome }: Asked): void {
    for (const life of this.object.truth.lives.values()) {
      if (life.done.has(`${this.user}\0${id}`))
        this.#breach(`${what} ${id} was done, and is told as ${JSON.stringify(outcome)}`);
    }
  }

  #breach(what: string): void {
    this.deployment.breach(21, `${this.user}: ${what}`);
  }
}

/** A refusal says that it was not done; only of one outcome nobody says anything. */
function isDenied(outcome: Outcome): boolean {
  return outcome.is === "refused" && outcome.refusal.code !== "unknown_outcome";
}
