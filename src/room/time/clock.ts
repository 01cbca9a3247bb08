/** How fast a room's time runs while it is ahead of the machine's: at half speed, so that a lead is gone after twice its length. */
const CATCH_UP_SPEED = 0.5;

/**
 * A room's time. It never goes back. When the machine's clock was set back (or another machine, which is behind, restored the
 * room), the room is ahead, and runs at half speed until the machine's clock has caught up. No platform has a clock that nobody
 * sets (`performance.now()` of a worker is `Date.now()`), so a step ahead cannot be told from a long silence.
 *
 *     room    ──────┐ step back of the machine
 *                   └╌╌╌╌ half speed ╌╌╌╌┐
 *     machine ──────╮                    ├──────
 *                   ╰────────────────────╯  after twice the step
 */
export class RoomClock {
  /** Milliseconds by which the room is ahead of the machine. */
  aheadMs = 0;
  /** The lead when it last grew, and the machine's time at that moment. */
  #lead = { ms: 0, since: 0 };

  constructor(public now: number) {}

  /** Answers by how much the machine's clock has gone back since the last reading. */
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

  /** How long it takes by the machine's clock until so much of the room's time has passed. */
  machineMs(ms: number): number {
    return ms <= 0 ? ms : Math.min(ms / CATCH_UP_SPEED, ms + this.aheadMs);
  }

  /** What the machine's clock will say at a time of the room's. */
  machineAt(at: number): number {
    return this.machineNow + this.machineMs(at - this.now);
  }

  /** What the room's time will be when the machine's clock says this. */
  roomAt(machineAt: number): number {
    const ms = machineAt - this.machineNow;
    return this.now + (ms <= 0 ? ms : Math.max(ms * CATCH_UP_SPEED, ms - this.aheadMs));
  }
}
