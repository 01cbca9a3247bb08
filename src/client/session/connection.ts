import { closeCodes, isFinal } from "../../protocol/codes";
import { PING_MS } from "../../protocol/limits";
import { Backoff } from "./backoff";
import { NEVER } from "./time";

/** What is asked of whoever has sockets. Each has a number of its own, so that a word from an old one is known as such. */
export interface Transport {
  /** `anew`: with a token that is not the one before, which has ended or is about to. */
  open(link: number, needsNewToken: boolean): void;
  send(link: number, text: string): void;
  close(link: number): void;
}

/** How the connection stands. `again`: it was live before. */
export type ConnectionState =
  | { is: "idle" }
  | { is: "connecting"; again: boolean }
  | { is: "live" }
  /** `reason` is the room's own sentence, where it gave one. */
  | { is: "waiting"; again: boolean; retryAt: number; reason?: string }
  /** For good: trying again as it is would not help. */
  | { is: "ended"; code: number; reason: string };

/** A bye, a close that brings a code, or a token that was refused: all say why and perhaps when to come back. */
export interface CloseInfo {
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
interface SecondSocket {
  link: number;
  askedAt: number;
  giveUpAt: number;
}

/** What a socket that broke is closed with. */
const ABNORMAL_CLOSURE = 1006;
/** Until there is a token: somebody else's server, asleep perhaps. */
const TOKEN_TIMEOUT_MS = 30_000;
/** From the token to the `welcome`: a room that wakes after a long rest takes seconds, not this. */
const WELCOME_TIMEOUT_MS = 12_000;
/** A connection that held for so long was a good one: what went wrong before it is forgotten. */
const STABLE_MS = 10_000;
const PONG_TIMEOUT_MS = 12_000;
/** The same when the person has just come back to the page and waits for an answer. */
const PROBE_TIMEOUT_MS = 4_000;

/** A handshake that was given up may lie on its way for so long, and arrive all the same. */
const STALE_HANDSHAKE_MS = 120_000;

/** Keeps a connection: opens it, notices that it died, waits, opens it again, and knows when to stop. */
export class ConnectionManager {
  #phase: Phase = { is: "idle" };
  #second: SecondSocket | undefined;
  #linkCount = 0;
  #wasLive = false;
  /** A token was refused, and no connection has held since: a second refusal is not the token's age. */
  #isTokenSuspect = false;
  /** The token that is held was refused: until there is another, none is tried. */
  #wantsNewToken = false;
  #pingMs = PING_MS;
  /** When handshakes were given up of which nobody knows whether they will arrive: each may replace a later one, once. */
  #staleHandshakes: number[] = [];
  readonly #backoff: Backoff;

  constructor(
    private readonly transport: Transport,
    random: () => number,
    private readonly ports: {
      /** Whether another token can be had at all. */
      canRenew: boolean;
      /** How many there are in the room, as far as that is known. */
      members(): number | undefined;
      /** The second socket came to nothing. */
      secondFailed(now: number): void;
    },
  ) {
    this.#backoff = new Backoff(random);
  }

  get live(): number | undefined {
    return this.#phase.is === "live" ? this.#phase.link : undefined;
  }

  get hasSecond(): boolean {
    return this.#second !== undefined;
  }

  /** When the socket of that number was asked for; nothing if it is none of ours any more. */
  requestedAt(link: number): number | undefined {
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
    if (this.#phase.is === "connecting") this.#staleHandshakes.push(this.#phase.askedAt);
    this.#closeSockets();
    this.#phase = { is: "idle" };
    this.#wasLive = false;
  }

  /** Another socket beside the live one. `mark` learns its number before anything is asked of it. */
  openSecond(now: number, needsNewToken: boolean, onLink: (link: number) => void = () => {}): void {
    if (this.#phase.is !== "live" || this.#second) return;
    const link = ++this.#linkCount;
    this.#second = { link, askedAt: now, giveUpAt: now + TOKEN_TIMEOUT_MS };
    onLink(link);
    this.transport.open(link, needsNewToken);
  }

  /** There is a token, and the socket is being opened. */
  onToken(link: number, now: number): void {
    const attempt = this.#second?.link === link ? this.#second : this.#phase;
    if (!("giveUpAt" in attempt) || attempt.link !== link) return;
    attempt.askedAt = now;
    attempt.giveUpAt = now + WELCOME_TIMEOUT_MS;
    this.#wantsNewToken = false;
  }

  /** Answers whether that socket is the one to listen to from now on. */
  onWelcome(link: number, now: number, pingMs: number): boolean {
    const { is } = this.#phase;
    if (this.#second?.link === link) {
      this.#second = undefined;
      if ("link" in this.#phase) this.transport.close(this.#phase.link);
    } else if (is !== "connecting" || this.#phase.link !== link) return false;
    this.#wasLive = true;
    this.#pingMs = pingMs;
    this.#phase = { is: "live", link, since: now, pingAt: now + pingMs, pongBy: NEVER };
    return true;
  }

  /** Whatever comes in shows that the other side is there. */
  onMessage(link: number): void {
    if (this.#phase.is === "live" && this.#phase.link === link) this.#phase.pongBy = NEVER;
  }

  /** Somebody looks at the page, or the network came back: no reason to wait any longer, unless the room gave one. */
  reconnect(now: number, isByUser: boolean): void {
    if (this.#phase.is === "waiting") {
      if (isByUser || !this.#phase.isNamed) this.#open(now);
    } else this.probe(now);
  }

  /** Something says that the connection may be gone. */
  probe(now: number): void {
    if (this.#phase.is === "live") this.#ping(this.#phase, now, PROBE_TIMEOUT_MS);
  }

  /** A socket is gone, or its room said goodbye, or there was no token for it. */
  onClosed(link: number, close: CloseInfo, now: number): void {
    if (this.#second?.link === link) {
      this.#second = undefined;
      if (close.code === ABNORMAL_CLOSURE) this.#staleHandshakes.push(now);
      this.transport.close(link);
      this.ports.secondFailed(now);
      return;
    }
    if (!this.isCurrent(link)) return;
    this.transport.close(link);
    const isHandover = close.code === closeCodes.replaced;
    if (this.#second && (isHandover || !isFinal(close.code))) return this.#promote(this.#second, isHandover);
    // A word of the room's own says that it has seen this one.
    if (close.code === ABNORMAL_CLOSURE) this.#noteStaleHandshake(now);
    this.#resetIfStable(now);
    if (close.code === closeCodes.replaced && this.#isReplacedByStale(now)) {
      return this.#waitForRetry(now, this.#retryDelayMs(undefined));
    }
    if (close.code === closeCodes.badToken && this.ports.canRenew && !this.#isTokenSuspect) {
      this.#isTokenSuspect = this.#wantsNewToken = true;
      return this.#waitForRetry(now, 0);
    }
    if (isFinal(close.code)) return this.#end(close);
    // A room that moves has a sentence worth reading; a connection that fell silent need not be told that it did, nor wait.
    const isWorthShowing = close.code !== closeCodes.silent;
    const isNamed = isWorthShowing && close.retryAfterMs !== undefined;
    this.#waitForRetry(
      now,
      this.#retryDelayMs(close),
      isWorthShowing ? { isNamed, reason: close.reason } : {},
    );
  }

  retryLater(now: number): void {
    if (!("link" in this.#phase)) return;
    this.transport.close(this.#phase.link);
    this.#noteStaleHandshake(now);
    if (this.#second) return this.#promote(this.#second, false);
    this.#resetIfStable(now);
    this.#waitForRetry(now, this.#retryDelayMs(undefined));
  }

  tick(now: number): void {
    if (this.#second && now >= this.#second.giveUpAt) {
      this.#staleHandshakes.push(now);
      this.transport.close(this.#second.link);
      this.#second = undefined;
      this.ports.secondFailed(now);
    }
    const phase = this.#phase;
    switch (phase.is) {
      case "connecting":
        if (now >= phase.giveUpAt) this.retryLater(now);
        break;
      case "live":
        if (now >= phase.pongBy) this.retryLater(now);
        else if (now >= phase.pingAt) this.#ping(phase, now, PONG_TIMEOUT_MS);
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

  get state(): ConnectionState {
    const phase = this.#phase;
    if (phase.is === "live" || (phase.is === "connecting" && phase.isHandover)) return { is: "live" };
    if (phase.is === "connecting") return { is: "connecting", again: this.#wasLive };
    if (phase.is !== "waiting") return phase;
    const { retryAt, reason } = phase;
    return { is: "waiting", again: this.#wasLive, retryAt, ...(reason ? { reason } : {}) };
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
    const link = ++this.#linkCount;
    this.#phase = { is: "connecting", link, askedAt: now, giveUpAt: now + TOKEN_TIMEOUT_MS };
    this.transport.open(link, this.#wantsNewToken);
  }

  #promote(second: SecondSocket, isHandover: boolean): void {
    this.#phase = { is: "connecting", ...second, isHandover };
    this.#second = undefined;
  }

  #end({ code, reason }: CloseInfo): void {
    this.#closeSockets();
    this.#phase = { is: "ended", code, reason };
    // It was about who they are: whoever joins again may be somebody else by then.
    if (code < closeCodes.notFound) this.#wantsNewToken = true;
    this.#isTokenSuspect = false;
  }

  #closeSockets(): void {
    if (this.#second) {
      this.#staleHandshakes.push(this.#second.askedAt);
      this.transport.close(this.#second.link);
    }
    this.#second = undefined;
    if ("link" in this.#phase) this.transport.close(this.#phase.link);
  }

  #ping(phase: Phase & { is: "live" }, now: number, withinMs: number): void {
    phase.pingAt = now + this.#pingMs;
    phase.pongBy = Math.min(phase.pongBy, now + withinMs);
    this.transport.send(phase.link, "ping");
  }

  #resetIfStable(now: number): void {
    if (this.#phase.is !== "live" || now - this.#phase.since < STABLE_MS) return;
    this.#backoff.reset();
    this.#isTokenSuspect = false;
  }

  #noteStaleHandshake(now: number): void {
    if (this.#phase.is === "connecting") this.#staleHandshakes.push(now);
  }

  /** Whether it was one of our own, given up, that took our place. Each does that once: two tabs do not take turns. */
  #isReplacedByStale(now: number): boolean {
    this.#staleHandshakes = this.#staleHandshakes.filter((at) => now - at < STALE_HANDSHAKE_MS);
    return this.#staleHandshakes.shift() !== undefined;
  }

  #retryDelayMs(close: CloseInfo | undefined): number {
    if (close?.retryAfterMs === undefined) return this.#backoff.nextMs(this.ports.members());
    return this.#backoff.delayMs(close.retryAfterMs, close.code === closeCodes.draining);
  }

  #waitForRetry(
    now: number,
    delayMs: number,
    { isNamed = false, reason = "" }: { isNamed?: boolean; reason?: string } = {},
  ): void {
    this.#closeSockets();
    this.#phase = { is: "waiting", retryAt: now + delayMs, isNamed, reason };
  }
}
