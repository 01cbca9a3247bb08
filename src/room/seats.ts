import { closeCodes, type Role } from "../protocol/codes";
import {
  MAX_ASKED_AT_ONCE,
  MAX_LEADERS_PAST_FULL,
  PING_MS,
  RESTART_GRACE_MS,
  UNHEARD_MS,
} from "../protocol/limits";
import type { Kernel } from "./kernel";
import type { Member } from "./members";

/** How many members a room takes, and whether those who have a place in a full one are still there. */
export class Seats {
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly kernel: Kernel,
    private readonly change: (member: Member) => void,
  ) {}

  /** A full room still lets in those who can make room in it. */
  limitFor(role: Role): number {
    const { maxUsers } = this.kernel.parts.settings;
    return role === "player" ? maxUsers : maxUsers + MAX_LEADERS_PAST_FULL;
  }

  /**
   * Nothing tells of a socket that never pings whether its other end is still there, and a client of the wire need not answer
   * any message. But every client comes back after 1012, as it does after each release. Whoever comes back within the grace
   * never left, and a place that nobody comes back to is free after it.
   */
  askUnheard(): void {
    const { delivery, comeBack, now } = this.kernel;
    if (now - this.#askedAt < PING_MS) return;
    this.#askedAt = now;
    const unheard = [...delivery.unheardSince(now - UNHEARD_MS)].slice(0, MAX_ASKED_AT_ONCE);
    for (const user of unheard) {
      for (const connection of [...delivery.of(user)]) {
        delivery.bye(connection, closeCodes.draining, STILL_THERE, comeBack.ofCrowd(unheard.length));
      }
      this.#keep(user);
    }
    this.kernel.settle();
  }

  /** A client that reconnects at its own pace is back within this. */
  #keep(user: string): void {
    const { memory, now } = this.kernel;
    const away = memory.members.get(user);
    if (away?.leavesAt === undefined) return;
    this.change({ ...away, leavesAt: Math.max(away.leavesAt, now + RESTART_GRACE_MS) });
  }
}

const STILL_THERE = "This room is full and has not heard from you: come back to keep your place.";
