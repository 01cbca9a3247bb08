import type { Outcome } from "../../src/client/session/outcome";
import type { Deployment } from "./deployment";
import type { EpochHistory } from "./durable-history";
import type { RoomObject } from "./room-object";

interface SentAction {
  what: string;
  at: number;
  outcome?: Outcome;
}

/** No action waits longer for its end than this, a session's default timeout. */
const MAX_WAIT_MS = 60_000;

/** A page's promises: each `do` settles once, in time, and truthfully. */
export class OutcomeChecker {
  readonly #actions = new Map<string, SentAction>();
  #earlyOutcomes: [string, Outcome][] = [];

  constructor(
    private readonly deployment: Deployment,
    private readonly object: RoomObject,
    private readonly user: string,
  ) {}

  get open(): readonly string[] {
    return [...this.#actions.values()].filter(({ outcome }) => !outcome).map(({ what }) => what);
  }

  hasAsked(id: string): boolean {
    return this.#actions.has(id);
  }

  /** An action is about to be sent; returns how to report its id once that is known. */
  begin(): (id: string, what: string) => void {
    this.#earlyOutcomes = [];
    return (id, what) => {
      if (this.#actions.has(id)) this.#breach(`${id} is two actions at once`);
      this.#actions.set(id, { what, at: this.deployment.clock.now });
      for (const [early, outcome] of this.#earlyOutcomes.splice(0)) this.settle(early, outcome, undefined);
    };
  }

  settle(id: string, outcome: Outcome, epoch: string | undefined): void {
    const action = this.#actions.get(id);
    if (!action) return void this.#earlyOutcomes.push([id, outcome]);
    if (action.outcome) return this.#breach(`${id} settles twice`);
    action.outcome = outcome;
    const { now } = this.deployment.clock;
    if (now - action.at > MAX_WAIT_MS + 1)
      this.deployment.reportBreach(14, `${this.user} waited ${now - action.at} ms for ${id}`);
    const life = epoch === undefined ? undefined : this.object.truth.epochs.get(epoch);
    if (outcome.is === "event") this.#checkEvent(id, action, outcome.event.seq, life);
    else if (outcome.is === "answer") this.#checkAnswer(id, outcome, life);
    else if (outcome.refusal.code === "duplicate") this.#breach(`${id} is reported as another's`);
    else if (isRejection(outcome)) this.#checkNotDone(id, action);
  }

  /** Refused actions stay undone. */
  checkSettled(): void {
    for (const [id, action] of this.#actions) {
      if (!action.outcome)
        this.deployment.reportBreach(14, `${this.user} got no outcome of ${action.what} ${id}`);
      else if (isRejection(action.outcome)) this.#checkNotDone(id, action);
    }
  }

  #checkEvent(id: string, { what }: SentAction, seq: number, life: EpochHistory | undefined): void {
    const event = life?.events[seq - 1];
    if (!event || event.op !== id || event.by !== this.user || !what.startsWith(`${event.f}.`))
      this.#breach(`${what} ${id} is reported as ${seq}, which is ${JSON.stringify(event)}`);
  }

  #checkAnswer(id: string, { seq, d }: Outcome & { is: "answer" }, life: EpochHistory | undefined): void {
    const done = life?.doneActions.get(`${this.user}\0${id}`);
    if (!done) return this.#breach(`${id} is reported as done, and is not`);
    if (done.seq !== seq) this.#breach(`${id} was ${done.seq}, and is reported as ${seq}`);
    if (d !== undefined && JSON.stringify(d) !== done.answer)
      this.#breach(`${id} was answered ${done.answer}, and is reported as ${JSON.stringify(d)}`);
  }

  #checkNotDone(id: string, { what, outcome }: SentAction): void {
    for (const life of this.object.truth.epochs.values()) {
      if (life.doneActions.has(`${this.user}\0${id}`))
        this.#breach(`${what} ${id} was done, and is reported as ${JSON.stringify(outcome)}`);
    }
  }

  #breach(what: string): void {
    this.deployment.reportBreach(21, `${this.user}: ${what}`);
  }
}

/** A refusal says that the action was not done; only `unknown_outcome` leaves that open. */
function isRejection(outcome: Outcome): boolean {
  return outcome.is === "refused" && outcome.refusal.code !== "unknown_outcome";
}
