import { backoffMs } from "../../lib/backoff";
import type { Json } from "../../protocol/messages";
import type { AnyFeature } from "../api/feature";
import type { Committer } from "./committer";

/** An errand that is not over, as the journal keeps it: how often it has failed, and before when it is not begun again. */
export interface PendingEffect {
  failures: number;
  at: number;
}
export type EffectResult = { ok: true; answer: Json } | { ok: false };

type AnyEffect = NonNullable<AnyFeature["effects"]>[string];

/** A platform's deadline is 10 s; whoever has heard nothing by now asks again. */
const UNANSWERED_MS = 15_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** After a restart rooms wake in their thousands: what each of them had under way is asked again within so long. */
const RESTART_SPREAD_MS = 1_000;

/**
 * What only the outside world can do for a room, and what the room therefore never waits for.
 *
 *     wanted ─► durable with its frame ─► begun ─┬─► answered: its end and what follows, in one frame
 *                        ▲                       └─► failed, or unanswered: a pause on the wheel
 *                        └──── wanted meanwhile, a restart, the end of the pause ◄──┘
 */
export class Effects {
  readonly #inFlight = new Map<
    string,
    { call: string; giveUpAt: number; isWantedAgain: boolean; isPatient: boolean }
  >();

  constructor(private readonly kernel: Committer) {}

  /** An outcome in the open frame wants it: it is begun once that frame is committed. */
  request(name: string): void {
    const { state: memory, now } = this.kernel;
    const inFlight = this.#inFlight.get(name);
    // Kept in memory alone: until the answer's frame it is outstanding anyhow, and is begun anew by a restart.
    if (inFlight) inFlight.isWantedAgain = true;
    if (!memory.effects.has(name)) this.#store(name, { failures: 0, at: now });
    this.kernel.openFrame().afterCommitted.push(() => this.#begin(name));
  }

  /** What a restore found: whatever was under way has no one left to be answered to, and pauses end together that ended while all was down. */
  resumePending(): void {
    const { state: memory, now, context: parts } = this.kernel;
    for (const pending of memory.effects.values()) {
      if (pending.at <= now) pending.at = now + Math.floor(parts.host.random() * RESTART_SPREAD_MS);
    }
  }

  /** Those whose pause has ended, and those that nobody has answered. */
  runDue(): void {
    const { state: memory, now } = this.kernel;
    for (const name of [...memory.effects.keys()]) {
      const inFlight = this.#inFlight.get(name);
      if (inFlight && inFlight.giveUpAt <= now) this.#failed(name);
      else this.#begin(name);
    }
  }

  /** The room is about to end, or may not be here in a minute: no pause is worth that. */
  runNow(): void {
    for (const [name, pending] of [...this.kernel.state.effects]) {
      pending.at = Math.min(pending.at, this.kernel.now);
      this.#begin(name);
    }
  }

  /** Whether an alarm was set for it: for its answer, or for the pause before it. */
  isWatched(call: string): boolean {
    const [name, underWay] = [...this.#inFlight].find(([, held]) => held.call === call) ?? [];
    if (name === undefined || !underWay) return false;
    return !underWay.isPatient || (this.kernel.state.effects.get(name)?.failures ?? 0) > 0;
  }

  /** Of a call that is no longer waited for (late, doubled, from before a restart) nothing is heard. */
  answered(call: string, result: EffectResult): void {
    const [name, inFlight] = [...this.#inFlight].find(([, attempt]) => attempt.call === call) ?? [];
    if (name === undefined || !inFlight) return;
    if (!result.ok) return this.#failed(name);
    const { kernel } = this;
    this.#inFlight.delete(name);
    const found = this.#find(name);
    if (!found) return this.#complete(name);
    const { feature, errand: effect } = found;
    const failures = kernel.state.effects.get(name)?.failures;
    if (inFlight.isWantedAgain) this.#requestAgain(name);
    else this.#store(name, null);
    try {
      const outcome = effect.onAnswer(kernel.contextFor(feature), result.answer);
      kernel.apply(feature, outcome);
      kernel.scheduleCommit(outcome.urgent || (outcome.disconnect?.length ?? 0) > 0);
    } catch (error) {
      kernel.context.host.report(`The answer to ${name} could not be taken, and is asked for again`, error);
      this.#failed(name, failures);
    }
  }

  /** When the next of them wants looking at. */
  nextAt(): number {
    const { state: memory } = this.kernel;
    return Math.min(
      ...[...memory.effects].map(([name, { at }]) => {
        const inFlight = this.#inFlight.get(name);
        if (!inFlight) return at;
        return inFlight.isPatient ? Number.POSITIVE_INFINITY : inFlight.giveUpAt;
      }),
    );
  }

  #begin(name: string): void {
    const { kernel } = this;
    const { state: memory, context: parts, now } = kernel;
    const pending = memory.effects.get(name);
    if (!pending || pending.at > now || this.#inFlight.has(name)) return;
    const found = this.#find(name);
    if (!found) return this.#complete(name);
    const { feature, errand: effect } = found;
    // It is asked from the state, and nothing of that is told before it is durable.
    kernel.flush();
    // What waited for that may have begun it, or ended it.
    if (this.#inFlight.has(name) || memory.effects.get(name) !== pending) return;
    try {
      const request = effect.request(kernel.contextFor(feature));
      if (request === undefined) return this.#complete(name);
      const call = parts.host.freshId();
      const giveUpAt = now + UNANSWERED_MS;
      const noAlarm = effect.noAlarm ?? false;
      this.#inFlight.set(name, { call, giveUpAt, isWantedAgain: false, isPatient: noAlarm });
      if (!noAlarm) parts.alarm.ringBy(giveUpAt);
      parts.host.runEffect({ call, name, request });
    } catch (error) {
      parts.host.report(`The errand ${name} could not be begun and will be tried again`, error);
      this.#failed(name);
    }
  }

  /** Wanted while it was under way: what it asked for then may not be all. */
  #requestAgain(name: string): void {
    this.#store(name, { failures: 0, at: this.kernel.now });
    this.kernel.openFrame().afterCommitted.push(() => this.#begin(name));
  }

  /** Pauses double, and no two rooms that failed together try again together. The count outlives sleep. */
  #failed(name: string, before = this.kernel.state.effects.get(name)?.failures): void {
    const { kernel } = this;
    const failures = (before ?? 0) + 1;
    const pauseMs = backoffMs(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    const at = kernel.now + Math.ceil(pauseMs * (0.5 + kernel.context.host.random() / 2));
    this.#inFlight.delete(name);
    this.#store(name, { failures, at });
    kernel.context.alarm.ringBy(at);
    kernel.scheduleCommit();
  }

  #complete(name: string): void {
    this.#inFlight.delete(name);
    this.#store(name, null);
    this.kernel.scheduleCommit();
  }

  #store(name: string, pending: PendingEffect | null): void {
    this.kernel.state.setEffect(name, pending);
    this.kernel.openFrame().addEffect(name, pending);
  }

  /** Nothing where a later release no longer has it: then it is let go, and that is told. */
  #find(name: string): { feature: AnyFeature; errand: AnyEffect } | undefined {
    const [, owner = "", effectName = ""] = /^([^/]*)\/(.*)$/s.exec(name) ?? [];
    const feature = this.kernel.features.get(owner);
    const found =
      feature?.effects && Object.hasOwn(feature.effects, effectName) && feature.effects[effectName];
    if (feature && found) return { feature, errand: found };
    this.kernel.context.host.report(`The errand ${name} is let go`, new Error("No feature here has it."));
    return undefined;
  }
}
