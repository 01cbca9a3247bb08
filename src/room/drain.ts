import { closeCodes } from "../protocol/codes";
import { DRAIN_MS, MAX_COME_BACK_MS, RESTART_GRACE_MS } from "../protocol/limits";
import type { Attendance } from "./attendance";
import type { Kernel } from "./kernel";
import type { Peer } from "./ports";
import { type Refused, refused } from "./refusals";
import { sendAway } from "./send-away";
import type { Timekeeping } from "./timekeeping";

export interface Drained {
  /** So many were sent away. */
  connections: number;
  /** What is still under way to the outside: ask again until it is 0. */
  owes: number;
  /** When it takes people again. */
  retryAfterMs: number;
}

/**
 * Before a room's process goes for a while: what it owes is sent off, everybody is told when to come back, each at a time
 * of their own, and nobody is let in until then. It is not stored: whatever takes the room's place takes people at once.
 */
export class Drain {
  #until = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly kernel: Kernel,
    private readonly attendance: Attendance,
    private readonly time: Timekeeping,
  ) {}

  get isOn(): boolean {
    return this.kernel.now < this.#until;
  }

  begin(): Drained {
    const { kernel } = this;
    this.#until = kernel.now + DRAIN_MS;
    const peers = [...kernel.delivery.all];
    // Whoever comes at the time that they were told has a second try before anybody is told that they left.
    this.attendance.excuse(this.#until + MAX_COME_BACK_MS + RESTART_GRACE_MS);
    this.time.sayEnding(false);
    kernel.flush();
    kernel.errands.hurry();
    for (const peer of peers) {
      kernel.delivery.bye(peer, closeCodes.draining, IS_DRAINING, this.#retryAfterMs(peers.length));
    }
    kernel.flush();
    return {
      connections: peers.length,
      owes: kernel.memory.errands.size,
      retryAfterMs: this.#until - kernel.now,
    };
  }

  /** A socket that comes too soon. */
  turnAway(peer: Peer): void {
    sendAway(peer, IS_DRAINING, this.#retryAfterMs(this.kernel.memory.members.size));
  }

  /** An action that comes too soon. */
  refusal(): Refused {
    return refused("draining", IS_DRAINING, { retryAfterMs: Math.ceil(this.#until - this.kernel.now) });
  }

  #retryAfterMs(crowd: number): number {
    return Math.ceil(this.#until - this.kernel.now) + this.kernel.comeBack.ofCrowd(crowd);
  }
}

const IS_DRAINING = "This room is moving. Please come back.";
