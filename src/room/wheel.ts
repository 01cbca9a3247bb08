import type { Storage } from "./ports";

/**
 * The one alarm of an object, shared by everything in the room that waits. It may ring early, and then only looks; it
 * never rings late, for whoever waits makes sure of it, and it is re-armed last, from all that is still waiting.
 */
export class Wheel {
  constructor(
    private readonly storage: Pick<Storage, "setAlarm">,
    private readonly failed: (error: unknown) => void,
    /** What storage says is armed; `null` is nothing. */
    public armedAt: number | null,
  ) {}

  /** Rings at this time or before. */
  ensure(at: number): void {
    if (at === Number.POSITIVE_INFINITY || (this.armedAt !== null && this.armedAt <= at)) return;
    this.armedAt = at;
    this.storage.setAlarm(at).catch(this.failed);
  }

  /** The alarm has rung: none is armed now. */
  rang(): void {
    this.armedAt = null;
  }
}
