import { closeCodes, isFinal } from "../../src/protocol/codes";
import { PING_MS } from "../../src/protocol/limits";
import type { Bye } from "../../src/protocol/messages";

/** What is asked of a socket: the three things that partysocket can do for us. */
export interface Wire {
  open(): void;
  send(text: string): void;
  close(): void;
}

/** How the connection stands. `again`: it was live before. */
export type Link =
  | { is: "connecting"; again: boolean }
  | { is: "live" }
  /** `reason` is the room's own sentence, where it gave one. */
  | { is: "waiting"; again: boolean; retryAt: number; reason?: string }
  | { is: "ended"; code: number; reason: string };

type Phase =
  | { is: "connecting"; giveUpAt: number }
  | { is: "live"; since: number; pingAt: number; pongBy: number }
  | { is: "waiting"; retryAt: number; reason?: string }
  | { is: "ended"; code: number; reason: string };

/** From opening the socket to the `welcome`: a room that wakes after a long rest takes seconds, not this. */
const GREETING_MS = 12_000;
const PONG_MS = 12_000;
/** The same when the person has just come back to the page and waits for an answer. */
const HURRIED_PONG_MS = 4_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A connection that held for so long was a good one; the next failure starts from the shortest pause again. */
const STEADY_MS = 10_000;
/** Beyond the time that a room names to come back at. */
const RETURN_SPREAD_MS = 1_000;

/** Keeps a connection: opens it, notices that it died, waits, opens it again, and knows when to stop. */
export class Lifeline {
  private phase: Phase = { is: "waiting", retryAt: 0 };
  private again = false;
  private failures = 0;
  private pingMs = PING_MS;

  constructor(
    private readonly wire: Wire,
    private readonly chance: () => number,
  ) {}

  get live(): boolean {
    return this.phase.is === "live";
  }

  open(now: number): void {
    this.phase = { is: "connecting", giveUpAt: now + GREETING_MS };
    this.wire.open();
  }

  greeted(now: number, pingMs: number): void {
    this.again = true;
    this.pingMs = pingMs;
    this.phase = { is: "live", since: now, pingAt: now + pingMs, pongBy: Number.POSITIVE_INFINITY };
  }

  /** Whatever comes in shows that the other side is there. */
  heard(): void {
    if (this.phase.is === "live") this.phase.pongBy = Number.POSITIVE_INFINITY;
  }

  /** Somebody looks at the page, or the network came back: no reason to wait any longer. */
  nudge(now: number): void {
    if (this.phase.is === "waiting") this.open(now);
    else if (this.phase.is === "live") this.ping(this.phase, now, HURRIED_PONG_MS);
  }

  /** Our own closing comes back as an event too; then the phase has already moved on. */
  closed(code: number, reason: string, now: number): void {
    if (this.phase.is === "waiting" || this.phase.is === "ended") return;
    if (isFinal(code)) this.phase = { is: "ended", code, reason };
    else this.pause(now, this.nextPause(now));
  }

  dismissed(bye: Bye, now: number): void {
    if (isFinal(bye.code)) {
      this.phase = { is: "ended", code: bye.code, reason: bye.reason };
    } else {
      const { retryAfterMs } = bye;
      const pauseMs =
        retryAfterMs === undefined ? this.nextPause(now) : retryAfterMs + this.chance() * RETURN_SPREAD_MS;
      // A room that moves has a sentence worth reading; a connection that fell silent need not be told that it did.
      this.pause(now, pauseMs, bye.code === closeCodes.silent ? undefined : bye.reason);
    }
    this.wire.close();
  }

  hangUp(now: number): void {
    this.pause(now, this.nextPause(now));
    this.wire.close();
  }

  tick(now: number): void {
    const { phase } = this;
    switch (phase.is) {
      case "connecting":
        if (now >= phase.giveUpAt) this.hangUp(now);
        break;
      case "live":
        if (now >= phase.pongBy) this.hangUp(now);
        else if (now >= phase.pingAt) this.ping(phase, now, PONG_MS);
        break;
      case "waiting":
        if (now >= phase.retryAt) this.open(now);
        break;
      case "ended":
        break;
    }
  }

  /** When `tick` has something to do. */
  nextAt(): number {
    const { phase } = this;
    switch (phase.is) {
      case "connecting":
        return phase.giveUpAt;
      case "live":
        return Math.min(phase.pingAt, phase.pongBy);
      case "waiting":
        return phase.retryAt;
      case "ended":
        return Number.POSITIVE_INFINITY;
    }
  }

  link(): Link {
    const { phase, again } = this;
    switch (phase.is) {
      case "connecting":
        return { is: "connecting", again };
      case "live":
        return { is: "live" };
      case "waiting":
        return { ...phase, again };
      case "ended":
        return phase;
    }
  }

  private ping(phase: Phase & { is: "live" }, now: number, withinMs: number): void {
    phase.pingAt = now + this.pingMs;
    phase.pongBy = Math.min(phase.pongBy, now + withinMs);
    this.wire.send("ping");
  }

  private pause(now: number, pauseMs: number, reason?: string): void {
    this.phase = { is: "waiting", retryAt: now + pauseMs, ...(reason ? { reason } : {}) };
  }

  /** Longer each time, and two thirds of it chance, so that a room's people do not all come back in step. */
  private nextPause(now: number): number {
    if (this.phase.is === "live" && now - this.phase.since >= STEADY_MS) this.failures = 0;
    const middle = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 1.8 ** this.failures);
    this.failures += 1;
    return middle * (0.5 + this.chance());
  }
}
