import { closeCodes } from "../../protocol/codes";
import { DRAIN_MS, MAX_RETRY_MS, RESTART_GRACE_MS } from "../../protocol/limits";
import type { Committer } from "../commit/committer";
import { closeWithRetry } from "../delivery/close-with-retry";
import type { Membership } from "../inbound/membership";
import { type Rejection, rejection } from "../inbound/rejections";
import type { Peer } from "../ports";
import type { Timers } from "./timers";

export interface DrainResult {
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
    private readonly kernel: Committer,
    private readonly attendance: Membership,
    private readonly time: Timers,
  ) {}

  get isOn(): boolean {
    return this.kernel.now < this.#until;
  }

  begin(): DrainResult {
    const { kernel } = this;
    this.#until = kernel.now + DRAIN_MS;
    const peers = [...kernel.delivery.all];
    // Whoever comes at the time that they were told has a second try before anybody is told that they left.
    this.attendance.postponeLeaves(this.#until + MAX_RETRY_MS + RESTART_GRACE_MS);
    this.time.flushBeforeClose(false);
    kernel.flush();
    kernel.effects.runNow();
    for (const peer of peers) {
      kernel.delivery.closeWith(peer, closeCodes.draining, IS_DRAINING, this.#retryAfterMs(peers.length));
    }
    kernel.flush();
    return {
      connections: peers.length,
      owes: kernel.state.effects.size,
      retryAfterMs: this.#until - kernel.now,
    };
  }

  /** A socket that comes too soon. */
  rejectSocket(peer: Peer): void {
    closeWithRetry(peer, IS_DRAINING, this.#retryAfterMs(this.kernel.state.members.size));
  }

  /** An action that comes too soon. */
  rejection(): Rejection {
    return rejection("draining", IS_DRAINING, { retryAfterMs: Math.ceil(this.#until - this.kernel.now) });
  }

  #retryAfterMs(crowd: number): number {
    return Math.ceil(this.#until - this.kernel.now) + this.kernel.retrySpread.forCrowdMs(crowd);
  }
}

const IS_DRAINING = "This room is moving. Please come back.";
