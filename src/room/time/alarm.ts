import type { MonotonicClock } from "../../lib/monotonic-clock";
import type { Storage } from "../ports";

/** A runtime takes no time that is too far away, and a token may end in the year 9999: it rings before, and is set again. */
const FARTHEST_MS = 366 * 86_400_000;

/**
 * The one alarm of an object, shared by everything in the room that waits. It may ring early, and then only looks; it
 * never rings late, for whoever waits makes sure of it, and it is re-armed last, from all that is still waiting.
 */
export class AlarmScheduler {
  constructor(
    private readonly storage: Pick<Storage, "setAlarm">,
    private readonly clock: MonotonicClock,
    private readonly failed: (error: unknown) => void,
    /** What storage says is armed, by the machine's clock; `null` is nothing. */
    public armedAt: number | null,
  ) {}

  /** Rings at this time or before. */
  ringBy(at: number): void {
    const machineAt = this.clock.machineAt(Math.min(at, this.clock.now + FARTHEST_MS));
    if (at === Number.POSITIVE_INFINITY || (this.armedAt !== null && this.armedAt <= machineAt)) return;
    this.#arm(machineAt);
  }

  /** The machine's clock has gone back, and what was armed would ring so much too late. Half of a millisecond is rounded each time. */
  clockWentBack(byMs: number): void {
    if (byMs > 0 && this.armedAt !== null) this.#arm(this.armedAt - byMs - 1);
  }

  /** The alarm has rung: none is armed now. */
  hasRung(): void {
    this.armedAt = null;
  }

  #arm(machineAt: number): void {
    this.armedAt = machineAt;
    try {
      this.storage.setAlarm(machineAt).catch(this.failed);
    } catch (error) {
      // Whoever waits has done its work by now: it must not be told that it failed.
      this.failed(error);
    }
  }
}
