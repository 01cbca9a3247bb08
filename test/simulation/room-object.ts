import type { Kind } from "../../src/room/api/kind";
import { MemoryRuntime } from "../support/memory-runtime";
import type { Deployment } from "./deployment";
import { DurableHistory } from "./durable-history";
import { Process } from "./process";

/** A Durable Object as its platform keeps it: one process at a time that may write, one alarm, and old processes that do not know yet. */
export class RoomObject {
  readonly truth: DurableHistory;
  process: Process;
  /** They run on after another took the object over. */
  readonly superseded = new Set<Process>();
  /** By how much its machines' clocks were wrong, and since when. */
  readonly skews: { at: number; skewMs: number }[] = [{ at: 0, skewMs: 0 }];
  #cancelSettle: (() => void) | undefined;
  #alarm: { at: number; cancel: () => void } | undefined;
  #retries = 0;
  #rings: { since: number; count: number } = { since: 0, count: 0 };

  constructor(
    readonly deployment: Deployment,
    readonly id: string,
    kind: Kind,
  ) {
    this.truth = new DurableHistory(() => this.process.kind, {
      recorded: (life, record) => {
        this.#rings = { since: deployment.clock.now, count: 0 };
        deployment.counts.records++;
        for (const part of deployment.parts) part.onRecord?.(deployment, this, life, record);
      },
      pointed: () => {
        for (const part of deployment.parts) part.onHead?.(deployment, this);
      },
      breach: (breach) => deployment.reportError(breach),
    });
    const runtime = new MemoryRuntime(deployment.random.below(2 ** 31));
    runtime.watcher = this.truth;
    this.process = new Process(deployment, this, runtime, kind, 0);
  }

  get name(): string {
    return this.id;
  }

  /** A process has done something: what it issued becomes durable when the disk has had its time. */
  onTurn(process: Process): void {
    const { runtime } = process;
    if (process !== this.process) return;
    if (runtime.isDying) return this.crash(0);
    if (runtime.hasRejectedWrite) this.#reset(process);
    for (const part of this.deployment.parts) part.onTurn?.(this.deployment, this);
    if (runtime.pendingTurns === 0) return this.makeDurable();
    if (this.#cancelSettle) return;
    const ms = this.deployment.drawDiskMs();
    if (ms === 0) return this.makeDurable();
    this.#cancelSettle = this.deployment.clock.in(ms, () => this.makeDurable());
  }

  makeDurable(): void {
    this.#cancelSettle?.();
    this.#cancelSettle = undefined;
    this.process.runtime.makeDurable();
    if (this.process.runtime.isDying) return this.crash(0);
    for (const part of this.deployment.parts) part.onStored?.(this.deployment, this);
    this.#watchAlarm();
  }

  /** The process dies with all held sends. Some of its writes may be durable all the same. */
  crash(durableTurns: number, skewMs = this.process.skewMs): void {
    const { process } = this;
    process.runtime.crash(durableTurns);
    this.#replace(process.runtime, process.kind, skewMs);
    process.die();
  }

  /** The platform itself restarts an object whose write failed, in its own time. */
  #reset(process: Process): void {
    const { clock, random } = this.deployment;
    clock.in(random.below(50), () => {
      if (process === this.process) this.crash(random.below(process.runtime.pendingTurns + 1));
    });
  }

  /** The room failed and asks to be restarted. */
  onAbandoned(process: Process): void {
    this.deployment.trace(() => `  ${this.name} is abandoned`);
    if (process !== this.process) {
      this.superseded.delete(process);
      process.die();
      return;
    }
    // A gate that a refused write has broken is the end of any object.
    if (this.deployment.plan.abandonsInPlace && !process.runtime.hasRejectedWrite)
      return process.restartInPlace();
    this.crash(this.deployment.random.below(process.runtime.pendingTurns + 1));
  }

  /** A release: another machine takes over, perhaps with other code, and the one before does not know. */
  supersede(kind: Kind, durableTurns: number, skewMs: number): Process {
    const old = this.process;
    this.superseded.add(old);
    this.#replace(old.runtime.supersede(durableTurns), kind, skewMs);
    return old;
  }

  end(superseded: Process): void {
    this.superseded.delete(superseded);
    superseded.die();
  }

  /** Its machine's clock is set, and with it the platform's alarm. A check of the room follows soon after it is set back. */
  setClock(skewMs: number): void {
    const back = this.process.skewMs - skewMs;
    this.process.skewMs = skewMs;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    this.#watchAlarm();
    this.#comesSoon(back);
  }

  #comesSoon(back: number): void {
    this.skews.push({ at: this.deployment.clock.now, skewMs: this.process.skewMs });
    // What a room had set by a clock that was far ahead runs when that time has come, or when a message wakes the room.
    if (back > 60_000) this.deployment.clock.in(1_000, () => this.fireAlarm(true));
  }

  #replace(runtime: MemoryRuntime, kind: Kind, skewMs: number): void {
    const back = this.process.skewMs - skewMs;
    this.#cancelSettle?.();
    this.#cancelSettle = undefined;
    this.process = new Process(this.deployment, this, runtime, kind, skewMs);
    this.#watchAlarm();
    this.#comesSoon(back);
  }

  /** The platform's one alarm: it may come late, and twice. */
  #watchAlarm(): void {
    const { clock, random, plan, injectsFaults: faults } = this.deployment;
    const at = this.process.runtime.durableAlarmAt;
    if (this.process.runtime.isAlarmRunning || at === this.#alarm?.at) return;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (at === null) return;
    const late = faults && random.below(8) === 0 ? random.below(plan.alarmsLateMs + 1) : 0;
    if (late > 0) this.deployment.countFault("alarm late");
    const cancel = clock.at(at - this.process.skewMs + late, () => this.fireAlarm());
    this.#alarm = { at, cancel };
  }

  /** As platforms do for a handler that threw: soon, and not for ever. */
  #retry({ runtime }: Process): void {
    const at = runtime.durableAlarmAt;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (at === null || ++this.#retries > 6) return;
    const cancel = this.deployment.clock.in(1_000 * 2 ** this.#retries, () => this.fireAlarm());
    this.#alarm = { at, cancel };
  }

  async fireAlarm(isDoubled = false): Promise<void> {
    const { process, deployment } = this;
    deployment.trace(() => `  the alarm of ${this.name}${isDoubled ? " again" : ""}`);
    deployment.counts.alarms++;
    // An alarm that comes again leaves the next one set.
    if (!isDoubled) this.#alarm = undefined;
    if (deployment.clock.now - this.#rings.since > 60_000) {
      this.#rings = { since: deployment.clock.now, count: 0 };
    }
    if (++this.#rings.count > 60)
      deployment.reportBreach(6, "more than 60 alarms in a minute that changed nothing");
    if (!isDoubled) process.runtime.beginAlarm();
    const dueAt = process.runtime.durableAlarmAt;
    let threw = false;
    await process.deliver(async (host) => {
      try {
        await host.alarm();
      } catch (error) {
        threw = !isDoubled && process === this.process;
        // Before any check: the platform has not forgotten an alarm whose handler failed.
        if (threw) process.runtime.failAlarm(dueAt);
        throw error;
      }
    });
    if (threw && process === this.process) return this.#retry(process);
    this.#retries = 0;
    for (const part of deployment.parts) part.onAlarm?.(deployment, this);
    if (this.process.runtime.pendingTurns === 0) this.makeDurable();
  }
}
