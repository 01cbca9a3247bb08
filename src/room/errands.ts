import type { Json } from "../protocol/messages";
import type { AnyFeature } from "./feature";
import type { Kernel } from "./kernel";

/** An errand that is not over, as the journal keeps it: how often it has failed, and before when it is not begun again. */
export interface Outstanding {
  failures: number;
  at: number;
}
export type ErrandResult = { ok: true; answer: Json } | { ok: false };

type AnyErrand = NonNullable<AnyFeature["errands"]>[string];

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
export class Errands {
  readonly #underWay = new Map<
    string,
    { call: string; giveUpAt: number; isWantedAgain: boolean; isPatient: boolean }
  >();

  constructor(private readonly kernel: Kernel) {}

  /** An outcome in the open frame wants it: it is begun once that frame is committed. */
  want(name: string): void {
    const { memory, now } = this.kernel;
    const underWay = this.#underWay.get(name);
    // Kept in memory alone: until the answer's frame it is outstanding anyhow, and is begun anew by a restart.
    if (underWay) underWay.isWantedAgain = true;
    if (!memory.errands.has(name)) this.#keep(name, { failures: 0, at: now });
    this.kernel.frame().later.push(() => this.#begin(name));
  }

  /** What a restore found: whatever was under way has no one left to be answered to, and pauses end together that ended while all was down. */
  restored(): void {
    const { memory, now, parts } = this.kernel;
    for (const outstanding of memory.errands.values()) {
      if (outstanding.at <= now) outstanding.at = now + Math.floor(parts.world.chance() * RESTART_SPREAD_MS);
    }
  }

  /** Those whose pause has ended, and those that nobody has answered. */
  runDue(): void {
    const { memory, now } = this.kernel;
    for (const name of [...memory.errands.keys()]) {
      const underWay = this.#underWay.get(name);
      if (underWay && underWay.giveUpAt <= now) this.#failed(name);
      else this.#begin(name);
    }
  }

  /** The room is about to end, or may not be here in a minute: no pause is worth that. */
  hurry(): void {
    for (const [name, outstanding] of [...this.kernel.memory.errands]) {
      outstanding.at = Math.min(outstanding.at, this.kernel.now);
      this.#begin(name);
    }
  }

  /** Whether an alarm was set for it: for its answer, or for the pause before it. */
  isWatched(call: string): boolean {
    const [name, underWay] = [...this.#underWay].find(([, held]) => held.call === call) ?? [];
    if (name === undefined || !underWay) return false;
    return !underWay.isPatient || (this.kernel.memory.errands.get(name)?.failures ?? 0) > 0;
  }

  /** Of a call that is no longer waited for (late, doubled, from before a restart) nothing is heard. */
  answered(call: string, result: ErrandResult): void {
    const [name, underWay] = [...this.#underWay].find(([, held]) => held.call === call) ?? [];
    if (name === undefined || !underWay) return;
    if (!result.ok) return this.#failed(name);
    const { kernel } = this;
    this.#underWay.delete(name);
    const found = this.#find(name);
    if (!found) return this.#over(name);
    const { feature, errand } = found;
    const failures = kernel.memory.errands.get(name)?.failures;
    if (underWay.isWantedAgain) this.#again(name);
    else this.#keep(name, null);
    try {
      const outcome = errand.answered(kernel.situation(feature), result.answer);
      kernel.apply(feature, outcome);
      kernel.settle(outcome.urgent || (outcome.ends?.length ?? 0) > 0);
    } catch (error) {
      kernel.parts.world.report(`The answer to ${name} could not be taken, and is asked for again`, error);
      this.#failed(name, failures);
    }
  }

  /** When the next of them wants looking at. */
  nextAt(): number {
    const { memory } = this.kernel;
    return Math.min(
      ...[...memory.errands].map(([name, { at }]) => {
        const underWay = this.#underWay.get(name);
        if (!underWay) return at;
        return underWay.isPatient ? Number.POSITIVE_INFINITY : underWay.giveUpAt;
      }),
    );
  }

  #begin(name: string): void {
    const { kernel } = this;
    const { memory, parts, now } = kernel;
    const outstanding = memory.errands.get(name);
    if (!outstanding || outstanding.at > now || this.#underWay.has(name)) return;
    const found = this.#find(name);
    if (!found) return this.#over(name);
    const { feature, errand } = found;
    // It is asked from the state, and nothing of that is told before it is durable.
    kernel.flush();
    // What waited for that may have begun it, or ended it.
    if (this.#underWay.has(name) || memory.errands.get(name) !== outstanding) return;
    try {
      const ask = errand.ask(kernel.situation(feature));
      if (ask === undefined) return this.#over(name);
      const call = parts.world.freshId();
      const giveUpAt = now + UNANSWERED_MS;
      const isPatient = errand.isPatient ?? false;
      this.#underWay.set(name, { call, giveUpAt, isWantedAgain: false, isPatient });
      if (!isPatient) parts.wheel.ensure(giveUpAt);
      parts.world.errand({ call, name, ask });
    } catch (error) {
      parts.world.report(`The errand ${name} could not be begun and will be tried again`, error);
      this.#failed(name);
    }
  }

  /** Wanted while it was under way: what it asked for then may not be all. */
  #again(name: string): void {
    this.#keep(name, { failures: 0, at: this.kernel.now });
    this.kernel.frame().later.push(() => this.#begin(name));
  }

  /** Pauses double, and no two rooms that failed together try again together. The count outlives sleep. */
  #failed(name: string, before = this.kernel.memory.errands.get(name)?.failures): void {
    const { kernel } = this;
    const failures = (before ?? 0) + 1;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
    const at = kernel.now + Math.ceil(pauseMs * (0.5 + kernel.parts.world.chance() / 2));
    this.#underWay.delete(name);
    this.#keep(name, { failures, at });
    kernel.parts.wheel.ensure(at);
    kernel.settle();
  }

  #over(name: string): void {
    this.#underWay.delete(name);
    this.#keep(name, null);
    this.kernel.settle();
  }

  #keep(name: string, outstanding: Outstanding | null): void {
    this.kernel.memory.setErrand(name, outstanding);
    this.kernel.frame().addErrand(name, outstanding);
  }

  /** Nothing where a later release no longer has it: then it is let go, and that is told. */
  #find(name: string): { feature: AnyFeature; errand: AnyErrand } | undefined {
    const [, owner = "", errand = ""] = /^([^/]*)\/(.*)$/s.exec(name) ?? [];
    const feature = this.kernel.features.get(owner);
    const found = feature?.errands && Object.hasOwn(feature.errands, errand) && feature.errands[errand];
    if (feature && found) return { feature, errand: found };
    this.kernel.parts.world.report(`The errand ${name} is let go`, new Error("No feature here has it."));
    return undefined;
  }
}
