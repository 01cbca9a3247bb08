import { closeCodes, isFinal } from "../../protocol/codes";
import { PING_MS } from "../../protocol/limits";
import { Backoff } from "./backoff";
import { NEVER } from "./never";

/** What is asked of whoever has sockets. Each has a number of its own, so that a word from an old one is known as such. */
export interface Wire {
  /** `anew`: with a token that is not the one before, which has ended or is about to. */
  open(link: number, anew: boolean): void;
  send(link: number, text: string): void;
  close(link: number): void;
}

/** How the connection stands. `again`: it was live before. */
export type Link =
  | { is: "idle" }
  | { is: "connecting"; again: boolean }
  | { is: "live" }
  /** `reason` is the room's own sentence, where it gave one. */
  | { is: "waiting"; again: boolean; retryAt: number; reason?: string }
  /** For good: trying again as it is would not help. */
  | { is: "ended"; code: number; reason: string };

/** A bye, a close that brings a code, or a token that was refused: all say why and perhaps when to come back. */
export interface Parting {
  code: number;
  reason: string;
  retryAfterMs?: number | undefined;
}

type Phase =
  | { is: "idle" }
  /** `isHandover`: the room has let the socket before it go for this one, and is about to welcome it. */
  | { is: "connecting"; link: number; askedAt: number; giveUpAt: number; isHandover?: boolean }
  | { is: "live"; link: number; since: number; pingAt: number; pongBy: number }
  /** `isNamed`: it was the room that said when. */
  | { is: "waiting"; retryAt: number; isNamed: boolean; reason: string }
  | { is: "ended"; code: number; reason: string };

/** A second socket that takes over from the live one when it is welcome: nobody notices. */
interface Second {
  link: number;
  askedAt: number;
  giveUpAt: number;
}

/** What a socket that broke is closed with. */
const NO_CODE = 1006;
/** Until there is a token: somebody else's server, asleep perhaps. */
const TOKEN_MS = 30_000;
/** From the token to the `welcome`: a room that wakes after a long rest takes seconds, not this. */
const GREETING_MS = 12_000;
/** A connection that held for so long was a good one: what went wrong before it is forgotten. */
const STEADY_MS = 10_000;
const PONG_MS = 12_000;
/** The same when the person has just come back to the page and waits for an answer. */
const HURRIED_PONG_MS = 4_000;

/** A handshake that was given up may lie on its way for so long, and arrive all the same. */
const GHOST_MS = 120_000;

/** Keeps a connection: opens it, notices that it died, waits, opens it again, and knows when to stop. */
export class Lifeline {
  #phase: Phase = { is: "idle" };
  #second: Second | undefined;
  #links = 0;
  #again = false;
  /** A token was refused, and no connection has held since: a second refusal is not the token's age. */
  #isTokenSuspect = false;
  /** The token that is held was refused: until there is another, none is tried. */
  #wantsAnother = false;
  #pingMs = PING_MS;
  /** When handshakes were given up of which nobody knows whether they will arrive: each may replace a later one, once. */
  #ghosts: number[] = [];
  readonly #backoff: Backoff;

  constructor(
    private readonly wire: Wire,
    chance: () => number,
    private readonly ports: {
      /** Whether another token can be had at all. */
      canRenew: boolean;
      /** How many there are in the room, as far as that is known. */
      members(): number | undefined;
      /** The second socket came to nothing. */
      secondFailed(now: number): void;
    },
  ) {
    this.#backoff = new Backoff(chance);
  }

  get live(): number | undefined {
    return this.#phase.is === "live" ? this.#phase.link : undefined;
  }

  get hasSecond(): boolean {
    return this.#second !== undefined;
  }

  /** When the socket of that number was asked for; nothing if it is none of ours any more. */
  askedAt(link: number): number | undefined {
    if (this.#second?.link === link) return this.#second.askedAt;
    return this.#phase.is === "connecting" && this.#phase.link === link ? this.#phase.askedAt : undefined;
  }

  isCurrent(link: number): boolean {
    return "link" in this.#phase && this.#phase.link === link;
  }

  start(now: number): void {
    if (this.#phase.is === "idle" || this.#phase.is === "ended") this.#open(now);
  }

  stop(): void {
    // Whoever leaves and comes again at once may be overtaken by what they left.
    if (this.#phase.is === "connecting") this.#ghosts.push(this.#phase.askedAt);
    this.#drop();
    this.#phase = { is: "idle" };
    this.#again = false;
  }

  /** Another socket beside the live one. `mark` learns its number before anything is asked of it. */
  openSecond(now: number, anew: boolean, mark: (link: number) => void = () => {}): void {
    if (this.#phase.is !== "live" || this.#second) return;
    const link = ++this.#links;
    this.#second = { link, askedAt: now, giveUpAt: now + TOKEN_MS };
    mark(link);
    this.wire.open(link, anew);
  }

  /** There is a token, and the socket is being opened. */
  authorised(link: number, now: number): void {
    const trying = this.#second?.link === link ? this.#second : this.#phase;
    if (!("giveUpAt" in trying) || trying.link !== link) return;
    trying.askedAt = now;
    trying.giveUpAt = now + GREETING_MS;
    this.#wantsAnother = false;
  }

  /** Answers whether that socket is the one to listen to from now on. */
  greeted(link: number, now: number, pingMs: number): boolean {
    const { is } = this.#phase;
    if (this.#second?.link === link) {
      this.#second = undefined;
      if ("link" in this.#phase) this.wire.close(this.#phase.link);
    } else if (is !== "connecting" || this.#phase.link !== link) return false;
    this.#again = true;
    this.#pingMs = pingMs;
    this.#phase = { is: "live", link, since: now, pingAt: now + pingMs, pongBy: NEVER };
    return true;
  }

  /** Whatever comes in shows that the other side is there. */
  heard(link: number): void {
    if (this.#phase.is === "live" && this.#phase.link === link) this.#phase.pongBy = NEVER;
  }

  /** Somebody looks at the page, or the network came back: no reason to wait any longer, unless the room gave one. */
  nudge(now: number, isAsked: boolean): void {
    if (this.#phase.is === "waiting") {
      if (isAsked || !this.#phase.isNamed) this.#open(now);
    } else this.doubt(now);
  }

  /** Something says that the connection may be gone. */
  doubt(now: number): void {
    if (this.#phase.is === "live") this.#ping(this.#phase, now, HURRIED_PONG_MS);
  }

  /** A socket is gone, or its room said goodbye, or there was no token for it. */
  parted(link: number, why: Parting, now: number): void {
    if (this.#second?.link === link) {
      this.#second = undefined;
      if (why.code === NO_CODE) this.#ghosts.push(now);
      this.wire.close(link);
      this.ports.secondFailed(now);
      return;
    }
    if (!this.isCurrent(link)) return;
    this.wire.close(link);
    const isHandover = why.code === closeCodes.replaced;
    if (this.#second && (isHandover || !isFinal(why.code))) return this.#promote(this.#second, isHandover);
    // A word of the room's own says that it has seen this one.
    if (why.code === NO_CODE) this.#mayHaunt(now);
    this.#held(now);
    if (why.code === closeCodes.replaced && this.#isHaunted(now)) {
      return this.#pause(now, this.#pauseMs(undefined));
    }
    if (why.code === closeCodes.badToken && this.ports.canRenew && !this.#isTokenSuspect) {
      this.#isTokenSuspect = this.#wantsAnother = true;
      return this.#pause(now, 0);
    }
    if (isFinal(why.code)) return this.#end(why);
    // A room that moves has a sentence worth reading; a connection that fell silent need not be told that it did, nor wait.
    const isWord = why.code !== closeCodes.silent;
    const isNamed = isWord && why.retryAfterMs !== undefined;
    this.#pause(now, this.#pauseMs(why), isWord ? { isNamed, reason: why.reason } : {});
  }

  hangUp(now: number): void {
    if (!("link" in this.#phase)) return;
    this.wire.close(this.#phase.link);
    this.#mayHaunt(now);
    if (this.#second) return this.#promote(this.#second, false);
    this.#held(now);
    this.#pause(now, this.#pauseMs(undefined));
  }

  tick(now: number): void {
    if (this.#second && now >= this.#second.giveUpAt) {
      this.#ghosts.push(now);
      this.wire.close(this.#second.link);
      this.#second = undefined;
      this.ports.secondFailed(now);
    }
    const phase = this.#phase;
    switch (phase.is) {
      case "connecting":
        if (now >= phase.giveUpAt) this.hangUp(now);
        break;
      case "live":
        if (now >= phase.pongBy) this.hangUp(now);
        else if (now >= phase.pingAt) this.#ping(phase, now, PONG_MS);
        break;
      case "waiting":
        if (now >= phase.retryAt) this.#open(now);
        break;
      case "idle":
      case "ended":
        break;
    }
  }

  /** When `tick` has something to do. */
  nextAt(): number {
    return Math.min(this.#second?.giveUpAt ?? NEVER, this.#phaseEndsAt());
  }

  get link(): Link {
    const phase = this.#phase;
    if (phase.is === "live" || (phase.is === "connecting" && phase.isHandover)) return { is: "live" };
    if (phase.is === "connecting") return { is: "connecting", again: this.#again };
    if (phase.is !== "waiting") return phase;
    const { retryAt, reason } = phase;
    return { is: "waiting", again: this.#again, retryAt, ...(reason ? { reason } : {}) };
  }

  #phaseEndsAt(): number {
    const phase = this.#phase;
    switch (phase.is) {
      case "connecting":
        return phase.giveUpAt;
      case "live":
        return Math.min(phase.pingAt, phase.pongBy);
      case "waiting":
        return phase.retryAt;
      case "idle":
      case "ended":
        return NEVER;
    }
  }

  #open(now: number): void {
    const link = ++this.#links;
    this.#phase = { is: "connecting", link, askedAt: now, giveUpAt: now + TOKEN_MS };
    this.wire.open(link, this.#wantsAnother);
  }

  #promote(second: Second, isHandover: boolean): void {
    this.#phase = { is: "connecting", ...second, isHandover };
    this.#second = undefined;
  }

  #end({ code, reason }: Parting): void {
    this.#drop();
    this.#phase = { is: "ended", code, reason };
    // It was about who they are: whoever joins again may be somebody else by then.
    if (code < closeCodes.notFound) this.#wantsAnother = true;
    this.#isTokenSuspect = false;
  }

  #drop(): void {
    if (this.#second) {
      this.#ghosts.push(this.#second.askedAt);
      this.wire.close(this.#second.link);
    }
    this.#second = undefined;
    if ("link" in this.#phase) this.wire.close(this.#phase.link);
  }

  #ping(phase: Phase & { is: "live" }, now: number, withinMs: number): void {
    phase.pingAt = now + this.#pingMs;
    phase.pongBy = Math.min(phase.pongBy, now + withinMs);
    this.wire.send(phase.link, "ping");
  }

  #held(now: number): void {
    if (this.#phase.is !== "live" || now - this.#phase.since < STEADY_MS) return;
    this.#backoff.restart();
    this.#isTokenSuspect = false;
  }

  #mayHaunt(now: number): void {
    if (this.#phase.is === "connecting") this.#ghosts.push(now);
  }

  /** Whether it was one of our own, given up, that took our place. Each does that once: two tabs do not take turns. */
  #isHaunted(now: number): boolean {
    this.#ghosts = this.#ghosts.filter((at) => now - at < GHOST_MS);
    return this.#ghosts.shift() !== undefined;
  }

  #pauseMs(why: Parting | undefined): number {
    if (why?.retryAfterMs === undefined) return this.#backoff.next(this.ports.members());
    return this.#backoff.after(why.retryAfterMs, why.code === closeCodes.draining);
  }

  #pause(
    now: number,
    pauseMs: number,
    { isNamed = false, reason = "" }: { isNamed?: boolean; reason?: string } = {},
  ): void {
    this.#drop();
    this.#phase = { is: "waiting", retryAt: now + pauseMs, isNamed, reason };
  }
}
