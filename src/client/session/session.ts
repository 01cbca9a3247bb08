import { byteLength } from "../../protocol/codec";
import { PING_MS, SEEN_EVERY_BYTES } from "../../protocol/limits";
import type { Down, Frame, Json, NumberedEvent, Up, Welcome, WireSignal } from "../../protocol/messages";
import { protocolVersion } from "../../protocol/version";
import { ClockSync } from "./clock-sync";
import { type CloseInfo, ConnectionManager, type ConnectionState, type Transport } from "./connection";
import { type NewAction, Outbox } from "./outbox";
import type { Outcome } from "./outcome";
import { parseMessage } from "./parse-message";
import type { PendingAction } from "./pending";
import { OutgoingSignals } from "./signals";
import { type FeatureTable, Slices, type States } from "./slices";
import type { SyncedClock } from "./synced-clock";
import { LONG_AGO, NEVER } from "./time";
import { StateVerifier, type Verification } from "./verification";

/** Told of everything that happens, in order and once. */
export interface SessionListener {
  onEvent(event: NumberedEvent): void;
  onSignal(signal: WireSignal): void;
  onSettled(id: string, outcome: Outcome): void;
  /** The state was taken as the room has it: what led there was not heard of. */
  onFresh(): void;
  onVerified(verdict: Verification): void;
  /** Something that should not be: a reducer that threw. */
  onProblem(what: string, error: unknown): void;
}

export type You = Omit<Welcome["you"], "token">;
/** How the connection stands, and whether the room runs other code than this client. */
export type Status = ConnectionState & { outdated: boolean };

export interface SessionOptions {
  features: FeatureTable;
  /** Makes operation ids unlike those of any other session of the same user. */
  idPrefix: string;
  canRenew: boolean;
}

/** A token is renewed when so much of its life is over. */
const RENEW_AT_SHARE = 0.75;
const RENEW_SPREAD_SHARE = 0.1;
/** Whoever gives the same token again and again is asked so often and no more. */
const MIN_RENEW_MS = 1_000;
const LEFT_REASON = "You have left the room.";
/** After a second socket failed. */
const SECOND_RETRY_MS = 10_000;

/**
 * One visit to one room: wire text in, state out. It owns no socket, no clock and no timer: whoever drives it hands in what
 * happened with the time it happened at, and calls `tick` at `wakeAt`.
 */
export class Session {
  readonly #connection: ConnectionManager;
  readonly #slices: Slices;
  readonly #outbox: Outbox;
  readonly #verifier: StateVerifier;
  readonly #clockSync = new ClockSync();
  readonly #signals = new OutgoingSignals();
  readonly #tokenEndsAt = new Map<number, number>();
  readonly #resyncLinks = new Set<number>();
  #you: You | undefined;
  #mine: Readonly<Record<string, Json>> = {};
  #versions: Readonly<Record<string, string>> = {};
  #rules: Welcome["limits"]["rules"] = {};
  #outdated = false;
  #epoch: string | undefined;
  #seq = 0;
  #replayTo: number | undefined;
  #unreportedBytes = 0;
  #renewAt = NEVER;
  #hasLeft = false;
  #secondNotBefore = LONG_AGO;

  constructor(
    private readonly transport: Transport,
    private readonly listener: SessionListener,
    private readonly random: () => number,
    private readonly options: SessionOptions,
  ) {
    this.#slices = new Slices(options.features, (feature, error) => this.#onReducerError(feature, error));
    this.#outbox = new Outbox(options.idPrefix, (id, outcome) => listener.onSettled(id, outcome));
    this.#verifier = new StateVerifier(random);
    this.#connection = new ConnectionManager(transport, random, {
      canRenew: options.canRenew,
      members: () => this.#memberCount(),
      secondFailed: (now) => {
        this.#secondNotBefore = now + (0.5 + random()) * SECOND_RETRY_MS;
        if (this.#resyncLinks.size > 0) this.#verifier.resync();
        this.#resyncLinks.clear();
      },
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
  /** Why nothing more will come of this visit, if that is so. */
  get end(): string | undefined {
    const { state: link } = this.#connection;
    if (link.is === "ended") return link.reason;
    return this.#hasLeft ? LEFT_REASON : undefined;
  }
  /** Live, and everything that was missed has come. */
  get isCaughtUp(): boolean {
    return this.#connection.live !== undefined && this.#replayTo === undefined;
  }

  /** What the address of that socket carries: where to resume from, if there is such a place and it is to be resumed. */
  resumePoint(link: number): { epoch?: string; since?: string } {
    return this.#epoch === undefined || this.#resyncLinks.has(link)
      ? {}
      : { epoch: this.#epoch, since: String(this.#seq) };
  }

  // ---- what the person does

  start(now: number): void {
    this.#hasLeft = false;
    this.#connection.start(now);
  }

  /** Leaves. What waits is settled; the state stays as it was. */
  stop(): void {
    this.#hasLeft = true;
    this.#outbox.end(LEFT_REASON);
    this.#signals.clear();
    this.#connection.stop();
  }

  /** `isAsked`: by a person, who may know better than the room when to come back. */
  reconnect(now: number, isByUser = true): void {
    this.#clockSync.request(now);
    this.#connection.reconnect(now, isByUser);
  }

  /** The machine says that it has no network: it may be right. */
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

  /** Throws where it could never be one: nobody would hear of it otherwise. */
  signal(f: string, n: string, d: Json, now: number): void {
    const text = JSON.stringify({ t: "sig", f, n, d } satisfies Up);
    if (this.#outbox.isTooLarge(text)) throw new RangeError("That is too large for a signal.");
    if (!this.isCaughtUp) return;
    const path = `${f}.${n}`;
    this.#signals.offer(path, text, this.#rules[path]);
    this.#sendDue(now);
  }

  /** Asks for checksums as soon as that can be done. */
  verify(now: number): void {
    this.#verifier.request();
    this.#sendDue(now);
  }

  // ---- what the sockets tell

  /** A token was had for that socket, good until then by the room's clock, if that is known. */
  onToken(link: number, endsAt: number | undefined, now: number): void {
    this.#connection.onToken(link, now);
    if (endsAt !== undefined) this.#tokenEndsAt.set(link, endsAt);
  }

  onClosed(link: number, close: CloseInfo, now: number): void {
    this.#tokenEndsAt.delete(link);
    this.#connection.onClosed(link, close, now);
    const { end } = this;
    if (end !== undefined) this.#outbox.end(end);
  }

  onMessage(link: number, text: string, now: number): void {
    this.#connection.onMessage(link);
    // A `pong` is none.
    const message = parseMessage(text);
    if (!message) return;
    if (message.t === "welcome") this.#onWelcome(link, message, now);
    else if (message.t === "bye") this.onClosed(link, message, now);
    else if (this.#connection.isCurrent(link)) this.#handle(message, now);
    else return;
    this.#unreportedBytes += byteLength(text);
    // A mark is repeated at once; else at half of what is asked, since one message may be long.
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
    const second = this.#connection.hasSecond
      ? NEVER
      : Math.max(this.#secondNotBefore, Math.min(this.#renewAt, this.#verifier.resyncAt()));
    return Math.min(
      always,
      second,
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
        if (verification) this.listener.onVerified(verification);
        return;
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
    this.#outdated = this.#isOutdated(welcome);
    this.#unreportedBytes = 0;
    // It was to be fetched anew, and another socket came in between.
    if (welcome.resumed && this.#resyncLinks.size > 0) this.#verifier.resync();
    this.#resyncLinks.clear();
    this.#outbox.applyLimits(welcome.limits);
    this.#outbox.onWelcome();
    this.#verifier.onWelcome();
    this.#signals.clear();
    this.#clockSync.onWelcome(welcome.at, requestedAt, now);
    this.#renewAt = this.#renewAtFor(link, now);
    this.#tokenEndsAt.clear();
    this.#epoch = welcome.epoch;
    if (!welcome.resumed) {
      this.#slices.reset(welcome.state ?? {});
      this.#seq = welcome.seq;
      this.listener.onFresh();
    }
    this.#replayTo = this.#seq < welcome.seq ? welcome.seq : undefined;
  }

  /** Of other code: an older page, most often. It goes on as well as it can. */
  #isOutdated({ v, features }: Welcome): boolean {
    const others = Object.entries(features).some(([name, version]) => this.#slices.version(name) !== version);
    return others || v !== protocolVersion;
  }

  #onFrame(frame: Frame, now: number): void {
    const first = frame.seq - frame.e.length + 1;
    if (first > this.#seq + 1) {
      // The room never leaves a gap. Should one appear all the same, it is closed by asking again from here.
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

  /** Whatever is due, where there is somebody to say it to. Not before a replay is out: it may settle what would be sent. */
  #sendDue(now: number): void {
    if (!this.isCaughtUp) return;
    this.#flushActions(now);
    this.#flushSignals(now);
    if (this.#clockSync.takeProbe(now)) this.#sendCounted({ t: "clock", t0: now }, now);
    if (this.#verifier.takeRequest(now)) this.#sendCounted({ t: "verify" }, now);
    if (this.#connection.hasSecond || now < this.#secondNotBefore) return;
    if (now >= this.#renewAt) {
      this.#renewAt = now + SECOND_RETRY_MS;
      this.#connection.openSecond(now, true);
    } else if (this.#verifier.takeResync(now)) {
      this.#connection.openSecond(now, false, (link) => this.#resyncLinks.add(link));
    }
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

  #renewAtFor(link: number, now: number): number {
    const endsAt = this.#tokenEndsAt.get(link);
    if (endsAt === undefined || !this.options.canRenew) return NEVER;
    const leftMs = Math.max(0, endsAt - this.clock.roomTime(now));
    return now + Math.max(MIN_RENEW_MS, leftMs * (RENEW_AT_SHARE + RENEW_SPREAD_SHARE * this.random()));
  }

  #onReducerError(feature: string, error: unknown): void {
    this.listener.onProblem(`The reducer of ${feature} failed`, error);
    this.#verifier.resync();
  }

  /** A crowd comes back more slowly than two people do. */
  #memberCount(): number | undefined {
    if (this.#you === undefined) return undefined;
    const presence = this.#slices.states.presence;
    if (typeof presence !== "object" || presence === null || !("count" in presence)) return undefined;
    return typeof presence.count === "number" ? presence.count : undefined;
  }
}
