import { closeCodes, isFinal } from "../../protocol/codes";
import { PING_MS } from "../../protocol/limits";
import { Backoff } from "./backoff";
import { type ConnectionState, type Phase, phaseEndsAt, type SecondSocket, toConnectionState } from "./phase";
import { StaleHandshakes } from "./stale-handshakes";
import { NEVER } from "./time";
import type { CloseInfo, ConnectionPorts, Transport } from "./transport";

/** The close code of a socket that broke. */
const ABNORMAL_CLOSURE = 1006;
/** The wait for a token. It may come from another server, which may have to wake first. */
const TOKEN_TIMEOUT_MS = 30_000;
/** From the token to the `welcome`. A room that wakes after a long sleep needs seconds, not this long. */
const WELCOME_TIMEOUT_MS = 12_000;
/** After this long, a connection counts as good, and the failures before it no longer lengthen the next wait. */
const STABLE_MS = 10_000;
const PONG_TIMEOUT_MS = 12_000;
/** Shorter when the user has just come back to the page and waits for an answer. */
const PROBE_TIMEOUT_MS = 4_000;

/** Keeps one connection alive: opens it, detects that it died, waits, opens it again, and stops on a final close. */
export class ConnectionManager {
  #phase: Phase = { is: "idle" };
  #second: SecondSocket | undefined;
  #linkCount = 0;
  #wasLive = false;
  /** A token was rejected and no connection has been stable since. A second rejection is final: the token's age is not the cause. */
  #isTokenSuspect = false;
  /** The current token was rejected: the next attempt has to get a new one. */
  #wantsNewToken = false;
  #pingMs = PING_MS;
  readonly #staleHandshakes = new StaleHandshakes();
  readonly #backoff: Backoff;

  constructor(
    private readonly transport: Transport,
    random: () => number,
    private readonly ports: ConnectionPorts,
  ) {
    this.#backoff = new Backoff(random);
  }

  get live(): number | undefined {
    return this.#phase.is === "live" ? this.#phase.link : undefined;
  }

  get hasSecond(): boolean {
    return this.#second !== undefined;
  }

  /** When this socket was requested. Undefined if it is no longer waiting for its welcome. */
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
    // A user who leaves and joins again at once may be replaced by the handshake that was given up.
    if (this.#phase.is === "connecting") this.#staleHandshakes.add(this.#phase.askedAt);
    this.#closeSockets();
    this.#phase = { is: "idle" };
    this.#wasLive = false;
  }

  /** Opens another socket beside the live one. `onLink` is called with its number before the transport is. */
  openSecond(now: number, needsNewToken: boolean, onLink: (link: number) => void = () => {}): void {
    if (this.#phase.is !== "live" || this.#second) return;
    const link = ++this.#linkCount;
    this.#second = { link, askedAt: now, giveUpAt: now + TOKEN_TIMEOUT_MS };
    onLink(link);
    this.transport.open(link, needsNewToken);
  }

  /** The token is there, and the socket is being opened. */
  onToken(link: number, now: number): void {
    const attempt = this.#second?.link === link ? this.#second : this.#phase;
    if (!("giveUpAt" in attempt) || attempt.link !== link) return;
    attempt.askedAt = now;
    attempt.giveUpAt = now + WELCOME_TIMEOUT_MS;
    this.#wantsNewToken = false;
  }

  /** Returns whether this socket is the live one from now on. */
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

  /** Any message shows that the room is there, so the pong is no longer awaited. */
  onMessage(link: number): void {
    if (this.#phase.is === "live" && this.#phase.link === link) this.#phase.pongBy = NEVER;
  }

  /** The user looks at the page, or the network came back: stop waiting, unless the room named the time. */
  reconnect(now: number, isByUser: boolean): void {
    if (this.#phase.is === "waiting") {
      if (isByUser || !this.#phase.isNamed) this.#open(now);
    } else this.probe(now);
  }

  /** The connection may be gone: ping it, and wait only briefly. */
  probe(now: number): void {
    if (this.#phase.is === "live") this.#ping(this.#phase, now, PROBE_TIMEOUT_MS);
  }

  /** The socket is closed, the room sent a `bye`, or the token could not be had. */
  onClosed(link: number, close: CloseInfo, now: number): void {
    if (this.#second?.link === link) {
      this.#second = undefined;
      if (close.code === ABNORMAL_CLOSURE) this.#staleHandshakes.add(now);
      this.transport.close(link);
      this.ports.secondFailed(now);
      return;
    }
    if (!this.isCurrent(link)) return;
    this.transport.close(link);
    const isHandover = close.code === closeCodes.replaced;
    if (this.#second && (isHandover || !isFinal(close.code))) return this.#promote(this.#second, isHandover);
    // A close code of the room's own proves that this handshake has arrived; a socket that broke proves nothing.
    if (close.code === ABNORMAL_CLOSURE) this.#noteStaleHandshake(now);
    this.#resetIfStable(now);
    if (close.code === closeCodes.replaced && this.#staleHandshakes.takeRecent(now)) {
      return this.#waitForRetry(now, this.#retryDelayMs(undefined));
    }
    if (close.code === closeCodes.badToken && this.ports.canRenew && !this.#isTokenSuspect) {
      this.#isTokenSuspect = this.#wantsNewToken = true;
      return this.#waitForRetry(now, 0);
    }
    if (isFinal(close.code)) return this.#end(close);
    // The reason and the time of a room that drains are worth showing; those of a connection that fell silent are not.
    const isWorthShowing = close.code !== closeCodes.silent;
    const isNamed = isWorthShowing && close.retryAfterMs !== undefined;
    this.#waitForRetry(now, this.#retryDelayMs(close), isNamed, isWorthShowing ? close.reason : "");
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
      this.#staleHandshakes.add(now);
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
    return Math.min(this.#second?.giveUpAt ?? NEVER, phaseEndsAt(this.#phase));
  }

  get state(): ConnectionState {
    return toConnectionState(this.#phase, this.#wasLive);
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
    // The rejection was about the user's identity, so the next `join` must not reuse this token.
    if (code < closeCodes.notFound) this.#wantsNewToken = true;
    this.#isTokenSuspect = false;
  }

  #closeSockets(): void {
    if (this.#second) {
      this.#staleHandshakes.add(this.#second.askedAt);
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
    if (this.#phase.is === "connecting") this.#staleHandshakes.add(now);
  }

  #retryDelayMs(close: CloseInfo | undefined): number {
    if (close?.retryAfterMs === undefined) return this.#backoff.nextMs(this.ports.members());
    return this.#backoff.delayMs(close.retryAfterMs, close.code === closeCodes.draining);
  }

  #waitForRetry(now: number, delayMs: number, isNamed = false, reason = ""): void {
    this.#closeSockets();
    this.#phase = { is: "waiting", retryAt: now + delayMs, isNamed, reason };
  }
}
