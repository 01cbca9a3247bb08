import { byteLength } from "../../protocol/codec";
import { PING_MS, SEEN_EVERY_BYTES } from "../../protocol/limits";
import type { Down, Frame, Json, NumberedEvent, Up, Welcome } from "../../protocol/messages";
import { protocolVersion } from "../../protocol/version";
import { ClockSync } from "./clock-sync";
import { ConnectionManager } from "./connection";
import { Handover } from "./handover";
import { type NewAction, Outbox } from "./outbox";
import { parseMessage } from "./parse-message";
import type { PendingAction } from "./pending";
import type { ConnectionState } from "./phase";
import type { SessionListener } from "./session-listener";
import { OutgoingSignals } from "./signals";
import { type FeatureTable, Slices, type States } from "./slices";
import type { SyncedClock } from "./synced-clock";
import type { CloseInfo, Transport } from "./transport";
import { StateVerifier } from "./verification";

export type You = Omit<Welcome["you"], "token">;
/** The state of the connection, and whether the room runs other code than this client. */
export type Status = ConnectionState & { outdated: boolean };

export interface SessionOptions {
  features: FeatureTable;
  /** Keeps the ids of actions apart from those of this user's other sessions. */
  idPrefix: string;
  canRenew: boolean;
}

const LEFT_REASON = "You have left the room.";
/**
 * One visit to one room: wire text in, state out. It owns no socket, clock or timer. The caller passes in each event with the
 * time of it, and calls `tick` at `wakeAt`.
 */
export class Session {
  readonly #connection: ConnectionManager;
  readonly #slices: Slices;
  readonly #outbox: Outbox;
  readonly #verifier: StateVerifier;
  readonly #clockSync = new ClockSync();
  readonly #signals = new OutgoingSignals();
  readonly #handover: Handover;
  #you: You | undefined;
  #mine: Readonly<Record<string, Json>> = {};
  #versions: Readonly<Record<string, string>> = {};
  #rules: Welcome["limits"]["rules"] = {};
  #outdated = false;
  #epoch: string | undefined;
  #seq = 0;
  #replayTo: number | undefined;
  #unreportedBytes = 0;
  #hasLeft = false;

  constructor(
    private readonly transport: Transport,
    private readonly listener: SessionListener,
    random: () => number,
    private readonly options: SessionOptions,
  ) {
    this.#slices = new Slices(options.features, (feature, error) => this.#onReducerError(feature, error));
    this.#outbox = new Outbox(options.idPrefix, (id, outcome) => listener.onSettled(id, outcome));
    this.#verifier = new StateVerifier(random);
    this.#handover = new Handover(random);
    this.#connection = new ConnectionManager(transport, random, {
      canRenew: options.canRenew,
      members: () => (this.#you ? memberCount(this.states) : undefined),
      secondFailed: (now) => this.#handover.onFailed(now),
    });
  }

  // ---- what is known

  get states(): States {
    return this.#slices.states;
  }
  get slices(): Slices {
    return this.#slices;
  }
  get mine(): Readonly<Record<string, Json>> {
    return this.#mine;
  }
  get you(): You | undefined {
    return this.#you;
  }
  get pending(): readonly PendingAction[] {
    return this.#outbox.all;
  }
  get clock(): SyncedClock {
    return this.#clockSync.clock;
  }
  get seq(): number {
    return this.#seq;
  }
  get epoch(): string | undefined {
    return this.#epoch;
  }
  get connection(): ConnectionState {
    return this.#connection.state;
  }
  get outdated(): boolean {
    return this.#outdated;
  }
  /** Why the visit is over, if it is. */
  get end(): string | undefined {
    const { connection } = this;
    if (connection.is === "ended") return connection.reason;
    return this.#hasLeft ? LEFT_REASON : undefined;
  }
  /** Live, and the replay of everything that was missed is complete. */
  get isCaughtUp(): boolean {
    return this.#connection.live !== undefined && this.#replayTo === undefined;
  }

  /** The query parameters that resume the session on this socket. Empty for a socket that fetches the whole state. */
  resumePoint(link: number): { epoch?: string; since?: string } {
    return this.#epoch === undefined || this.#handover.isResync(link)
      ? {}
      : { epoch: this.#epoch, since: String(this.#seq) };
  }

  // ---- what the user does

  start(now: number): void {
    this.#hasLeft = false;
    this.#connection.start(now);
  }

  /** Leaves the room. Pending actions are settled; the state stays as it was. */
  stop(): void {
    this.#hasLeft = true;
    this.#outbox.end(LEFT_REASON);
    this.#signals.clear();
    this.#connection.stop();
  }

  /** `isByUser`: a person asked for it, so a wait that the room named is skipped too. */
  reconnect(now: number, isByUser = true): void {
    this.#clockSync.request(now);
    this.#connection.reconnect(now, isByUser);
  }

  /** The browser says that it is offline, so the connection is tested. */
  probe(now: number): void {
    this.#connection.probe(now);
  }

  do(action: NewAction, now: number): string {
    const id = this.#outbox.add(action, now, this.clock.roomTime(now));
    const { end } = this;
    if (end !== undefined) this.#outbox.end(end);
    else this.#flushActions(now);
    return id;
  }

  /** Throws where the signal can never be sent. A signal has no answer, so the caller would not notice otherwise. */
  signal(f: string, n: string, d: Json, now: number): void {
    const text = JSON.stringify({ t: "sig", f, n, d } satisfies Up);
    if (this.#outbox.isTooLarge(text)) throw new RangeError("That is too large for a signal.");
    if (!this.isCaughtUp) return;
    const path = `${f}.${n}`;
    this.#signals.offer(path, text, this.#rules[path]);
    this.#sendDue(now);
  }

  /** Asks for the room's checksums as soon as the session is caught up. */
  verify(now: number): void {
    this.#verifier.request();
    this.#sendDue(now);
  }

  // ---- what the sockets report

  /** The socket has its token. `endsAt` is by the room's clock; undefined if it cannot be read from the token. */
  onToken(link: number, endsAt: number | undefined, now: number): void {
    this.#connection.onToken(link, now);
    if (this.options.canRenew && endsAt !== undefined) this.#handover.onToken(link, endsAt);
  }

  onClosed(link: number, close: CloseInfo, now: number): void {
    this.#handover.onClosed(link);
    this.#connection.onClosed(link, close, now);
    const { end } = this;
    if (end !== undefined) this.#outbox.end(end);
  }

  onMessage(link: number, text: string, now: number): void {
    this.#connection.onMessage(link);
    // A `pong` is not a message.
    const message = parseMessage(text);
    if (!message) return;
    if (message.t === "welcome") this.#onWelcome(link, message, now);
    else if (message.t === "bye") this.onClosed(link, message, now);
    else if (this.#connection.isCurrent(link)) this.#handle(message, now);
    else return;
    this.#unreportedBytes += byteLength(text);
    // A mark is returned at once; else at half of the interval, since one message may be long.
    const m = message.t === "frame" ? message.m : undefined;
    if (m || this.#unreportedBytes >= SEEN_EVERY_BYTES / 2) {
      this.#unreportedBytes = 0;
      this.#send({ t: "seen", seq: this.#seq, m });
    }
    this.#sendDue(now);
  }

  // ---- time

  tick(now: number): void {
    this.#connection.tick(now);
    this.#outbox.tick(now);
    this.#sendDue(now);
  }

  /** When `tick` has something to do. */
  wakeAt(now: number): number {
    const link = this.#connection.live;
    const always = Math.min(this.#connection.nextAt(), this.#outbox.timeoutAt());
    if (link === undefined || !this.isCaughtUp) return always;
    return Math.min(
      always,
      this.#handover.nextAt(this.#connection),
      this.#outbox.sendsAt(link, now),
      Math.max(this.#signals.nextAt(), this.#outbox.signalsAt(now)),
      this.#verifier.requestAt(),
      this.#clockSync.nextAt(),
    );
  }

  // ---- inside

  #handle(message: Exclude<Down, { t: "welcome" | "bye" }>, now: number): void {
    switch (message.t) {
      case "frame":
        return this.#onFrame(message, now);
      case "mine":
        this.#mine = { ...this.#mine, [message.f]: message.d };
        return;
      case "ack":
        return this.#outbox.onAck(message);
      case "nack":
        if (message.id === undefined) this.#verifier.postpone(now + (message.retryAfterMs ?? 1_000));
        return this.#outbox.onNack(message, now);
      case "clock":
        return this.#clockSync.onAnswer(message, now);
      case "checksum": {
        const verification = this.#verifier.compare(message, this.#seq, this.#versions, this.#slices, now);
        if (!verification) return;
        if (verification.differing.length > 0) this.#handover.requestResync();
        return this.listener.onVerified(verification);
      }
    }
  }

  #onWelcome(link: number, welcome: Welcome, now: number): void {
    const requestedAt = this.#connection.requestedAt(link) ?? now;
    if (!this.#connection.onWelcome(link, now, welcome.limits.pingMs ?? PING_MS)) return;
    const { token: _, ...you } = welcome.you;
    this.#you = you;
    this.#mine = welcome.mine ?? {};
    this.#versions = welcome.features;
    this.#rules = welcome.limits.rules ?? {};
    this.#outdated = isOutdated(welcome, this.#slices);
    this.#unreportedBytes = 0;
    this.#outbox.onWelcome(welcome.limits);
    this.#verifier.onWelcome();
    this.#signals.clear();
    this.#clockSync.onWelcome(welcome.at, requestedAt, now);
    this.#handover.onWelcome(link, welcome.resumed, now, this.clock.roomTime(now));
    this.#epoch = welcome.epoch;
    if (!welcome.resumed) {
      this.#slices.reset(welcome.state ?? {});
      this.#seq = welcome.seq;
      this.listener.onFresh();
    }
    this.#replayTo = this.#seq < welcome.seq ? welcome.seq : undefined;
  }

  #onFrame(frame: Frame, now: number): void {
    const first = frame.seq - frame.e.length + 1;
    if (first > this.#seq + 1) {
      // The room never leaves a gap. If there is one all the same, a new connection resumes from here.
      this.#connection.retryLater(now);
      return;
    }
    for (const [index, event] of frame.e.entries()) {
      const seq = first + index;
      if (seq > this.#seq) this.#applyEvent({ ...event, seq, at: frame.at });
    }
    for (const signal of frame.s ?? []) this.listener.onSignal(signal);
    if (frame.e.length > 0) {
      this.#verifier.onEvents(now);
      this.#clockSync.onActivity(now);
    }
    if (this.#replayTo !== undefined && this.#seq >= this.#replayTo) this.#replayTo = undefined;
  }

  #applyEvent(event: NumberedEvent): void {
    this.#slices.fold(event);
    this.#seq = event.seq;
    this.listener.onEvent(event);
    if (event.by !== undefined && event.by === this.#you?.user) this.#outbox.onEvent(event);
  }

  /** Sends what is due. Nothing goes out before the replay is complete, because the replay may settle it. */
  #sendDue(now: number): void {
    if (!this.isCaughtUp) return;
    this.#flushActions(now);
    this.#flushSignals(now);
    if (this.#clockSync.takeProbe(now)) this.#sendCounted({ t: "clock", t0: now }, now);
    if (this.#verifier.takeRequest(now)) this.#sendCounted({ t: "verify" }, now);
    this.#handover.tick(this.#connection, now);
  }

  #flushActions(now: number): void {
    const link = this.#connection.live;
    if (link === undefined || this.#epoch === undefined || !this.isCaughtUp) return;
    const context = { link, epoch: this.#epoch, now, roomNow: this.clock.roomTime(now) };
    for (const text of this.#outbox.flush(context)) this.transport.send(link, text);
  }

  #flushSignals(now: number): void {
    while (this.#outbox.signalsAt(now) <= now) {
      const text = this.#signals.take(now);
      if (text === undefined) return;
      this.#sendCounted(text, now);
    }
  }

  #sendCounted(message: Up | string, now: number): void {
    this.#outbox.countSent(now);
    this.#send(message);
  }

  #send(message: Up | string): void {
    const link = this.#connection.live;
    if (link === undefined) return;
    this.transport.send(link, typeof message === "string" ? message : JSON.stringify(message));
  }

  #onReducerError(feature: string, error: unknown): void {
    this.listener.onProblem(`The reducer of ${feature} failed`, error);
    this.#handover.requestResync();
  }
}

/** How many members the room has, if its state says so. */
function memberCount({ presence }: States): number | undefined {
  if (typeof presence !== "object" || presence === null || !("count" in presence)) return undefined;
  return typeof presence.count === "number" ? presence.count : undefined;
}

/** The room runs other code than this client. An older client goes on as well as it can. */
function isOutdated({ v, features }: Welcome, slices: Slices): boolean {
  const hasOther = Object.entries(features).some(([name, version]) => slices.version(name) !== version);
  return hasOther || v !== protocolVersion;
}
