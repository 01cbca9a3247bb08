/** How fast this clock runs while it is ahead of the machine. At half speed a lead is gone after twice its length. */
const CATCH_UP_SPEED = 0.5;

/**
 * A clock that never goes back. If the machine's clock is set back (or another machine, which is behind, restores the object),
 * this clock is ahead, and runs at half speed until the machine's clock has caught up. No platform has a clock that cannot be
 * set (`performance.now()` of a worker is `Date.now()`), so a step ahead looks the same as a long silence.
 *
 *     this    ──────┐ step back of the machine
 *                   └╌╌╌╌ half speed ╌╌╌╌┐
 *     machine ──────╮                    ├──────
 *                   ╰────────────────────╯  after twice the step
 */
export class MonotonicClock {
  /** Milliseconds by which this clock is ahead of the machine. */
  aheadMs = 0;
  /** The lead when it last grew, and the machine's time at that moment. */
  #lead = { ms: 0, since: 0 };

  constructor(public now: number) {}

  /** Returns by how much the machine's clock has gone back since the last reading. */
  read(machine: number): number {
    const back = Math.max(0, this.now - (machine + this.aheadMs));
    if (back > 0) this.#lead = { ms: this.aheadMs + back, since: machine };
    const caughtUp = Math.floor((machine - this.#lead.since) * (1 - CATCH_UP_SPEED));
    this.aheadMs = Math.max(0, this.#lead.ms - caughtUp);
    this.now = machine + this.aheadMs;
    return back;
  }

  /** The machine's time as it was last read. */
  get machineNow(): number {
    return this.now - this.aheadMs;
  }

  /** Converts a duration on this clock to the duration on the machine's clock. */
  machineMs(ms: number): number {
    return ms <= 0 ? ms : Math.min(ms / CATCH_UP_SPEED, ms + this.aheadMs);
  }

  /** The machine's time at a time of this clock. */
  machineAt(at: number): number {
    return this.machineNow + this.machineMs(at - this.now);
  }

  /** This clock's time at a time of the machine's. */
  roomAt(machineAt: number): number {
    const ms = machineAt - this.machineNow;
    return this.now + (ms <= 0 ? ms : Math.max(ms * CATCH_UP_SPEED, ms - this.aheadMs));
  }
}
