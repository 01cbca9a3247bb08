import { LONGEST_LOOK_MS } from "../../protocol/limits";
import type { Committer } from "../commit/committer";

/** A timer whose handler threw: soon, but not at once, for it may throw again. */
const TRY_AGAIN_MS = 5_000;

/** What in a room waits for a time: its features' timers, graces, tokens that end, and being forgotten. */
export class Timers {
  constructor(private readonly kernel: Committer) {}

  /** Named timers run at least once: they are cleared in the frame that holds what they decided. */
  runDue(): void {
    const { state: memory, now } = this.kernel;
    for (const [name, at] of [...memory.timers]) if (at <= now) this.#run(name);
  }

  /** Sets the alarm to what comes next, and never further ahead than a room may sleep. */
  rearm(): void {
    const { state: memory, context: parts, delivery, now } = this.kernel;
    const idleAt = parts.clock.roomAt(parts.clock.machineNow + parts.settings.idleMs);
    const leaveAt = memory.members.nextLeaveAt();
    const errandAt = this.kernel.effects.nextAt();
    // So that the wait told by a full room is true: see `Operations`.
    const lookAt = memory.idempotency.mayRefuse ? now + LONGEST_LOOK_MS : Number.POSITIVE_INFINITY;
    const reapAt = delivery.nextIdleCheckAt(parts.clock);
    parts.alarm.ringBy(Math.min(idleAt, leaveAt, errandAt, lookAt, reapAt, ...memory.timers.values()));
  }

  /** Nobody is in it, and nobody was for as long as its kind is kept. */
  isIdleTooLong(): boolean {
    const { state: memory, context: parts, delivery, now } = this.kernel;
    const keptMs = parts.kind.keepMs ?? parts.settings.idleMs;
    return memory.members.size === 0 && delivery.size === 0 && memory.at + keptMs <= now;
  }

  /** Before the room ends: what its features still owe the outside becomes errands. Answers whether all could say. */
  flushBeforeClose(isFinal: boolean): boolean {
    const { kernel } = this;
    let isReady = true;
    for (const feature of kernel.features.values()) {
      try {
        const outcome = feature.beforeClose?.(kernel.contextFor(feature), isFinal);
        if (outcome) kernel.apply(feature, outcome);
      } catch (error) {
        isReady = false;
        kernel.context.host.report(`${feature.name} could not say what it owes, so the room is kept`, error);
      }
    }
    return isReady;
  }

  #run(name: string): void {
    const { kernel } = this;
    const [, owner = "", timer = ""] = /^([^/]*)\/(.*)$/s.exec(name) ?? [];
    const feature = kernel.features.get(owner);
    kernel.setTimer(name, null);
    try {
      const outcome = feature?.onTimer?.(kernel.contextFor(feature), timer);
      if (feature && outcome) kernel.apply(feature, outcome);
    } catch (error) {
      kernel.context.host.report(`The timer ${name} failed and will be tried again`, error);
      kernel.setTimer(name, kernel.now + TRY_AGAIN_MS);
    }
  }
}
