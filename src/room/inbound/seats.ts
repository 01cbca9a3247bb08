import { closeCodes, type Role } from "../../protocol/codes";
import {
  MAX_ASKED_AT_ONCE,
  MAX_LEADERS_PAST_FULL,
  PING_MS,
  RESTART_GRACE_MS,
  UNHEARD_MS,
} from "../../protocol/limits";
import type { Committer } from "../commit/committer";
import type { Member } from "../state/members";

/** How many members a room takes, and whether those who have a place in a full one are still there. */
export class Seats {
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly kernel: Committer,
    private readonly change: (member: Member) => void,
  ) {}

  /** A full room still lets in those who can make room in it. */
  limitFor(role: Role): number {
    const { maxUsers } = this.kernel.context.settings;
    return role === "player" ? maxUsers : maxUsers + MAX_LEADERS_PAST_FULL;
  }

  /**
   * Nothing tells of a socket that never pings whether its other end is still there, and a client of the wire need not answer
   * any message. But every client comes back after 1012, as it does after each release. Whoever comes back within the grace
   * never left, and a place that nobody comes back to is free after it.
   */
  askSilentMembers(): void {
    const { delivery, retrySpread: comeBack, now } = this.kernel;
    if (now - this.#askedAt < PING_MS) return;
    this.#askedAt = now;
    const unheard = [...delivery.silentSince(now - UNHEARD_MS)].slice(0, MAX_ASKED_AT_ONCE);
    for (const user of unheard) {
      for (const connection of [...delivery.ofUser(user)]) {
        delivery.closeWith(connection, closeCodes.draining, STILL_THERE, comeBack.forCrowdMs(unheard.length));
      }
      this.#holdSeat(user);
    }
    this.kernel.scheduleCommit();
  }

  /** A client that reconnects at its own pace is back within this. */
  #holdSeat(user: string): void {
    const { state: memory, now } = this.kernel;
    const away = memory.members.get(user);
    if (away?.leavesAt === undefined) return;
    this.change({ ...away, leavesAt: Math.max(away.leavesAt, now + RESTART_GRACE_MS) });
  }
}

const STILL_THERE = "This room is full and has not heard from you: come back to keep your place.";
