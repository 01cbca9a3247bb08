import { byteLength } from "../protocol/codec";
import { PING_MS, SEEN_EVERY_BYTES } from "../protocol/limits";
import type { Down, Frame, Json, NumberedEvent, Up, Welcome, WireSignal } from "../protocol/messages";
import { protocolVersion } from "../protocol/version";
import { Checks, type Verdict } from "./session/checks";
import { readDown } from "./session/down";
import { Lifeline, type Link, type Parting, type Wire } from "./session/lifeline";
import { LONG_AGO, NEVER } from "./session/never";
import { type Asking, Outbox } from "./session/outbox";
import type { Outcome } from "./session/outcome";
import type { PendingAction } from "./session/pending";
import { Probes } from "./session/probes";
import type { RoomClock } from "./session/room-clock";
import { OutgoingSignals } from "./session/signals";
import { type FeatureTable, Slices, type States } from "./session/slices";

/** Told of everything that happens, in order and once. */
export interface Hearing {
  event(event: NumberedEvent): void;
  signal(signal: WireSignal): void;
  settled(id: string, outcome: Outcome): void;
  /** The state was taken as the room has it: what led there was not heard of. */
  fresh(): void;
  checked(verdict: Verdict): void;
  /** Something that should not be: a reducer that threw. */
  problem(what: string, error: unknown): void;
}

export type You = Omit<Welcome["you"], "token">;
/** How the connection stands, and whether the room runs other code than this client. */
export type Status = Link & { outdated: boolean };

export interface SessionOptions {
  features: FeatureTable;
  /** Makes operation ids unlike those of any other session of the same user. */
  prefix: string;
  canRenew: boolean;
}

/** A token is renewed when so much of its life is over. */
const RENEW_AT = 0.75;
const RENEW_SPREAD = 0.1;
/** Whoever gives the same token again and again is asked so often and no more. */
const RENEW_LEAST_MS = 1_000;
const LEFT = "You have left the room.";
/** After a second socket failed. */
const SECOND_AGAIN_MS = 10_000;

/**
 * One visit to one room: wire text in, state out. It owns no socket, no clock and no timer: whoever drives it hands in what
 * happened with the time it happened at, and calls `tick` at `wakeAt`.
 */
export class Session {
  readonly #lifeline: Lifeline;
  readonly #slices: Slices;
  readonly #outbox: Outbox;
  readonly #checks: Checks;
  readonly #probes = new Probes();
  readonly #signals = new OutgoingSignals();
  readonly #endings = new Map<number, number>();
  readonly #fresh = new Set<number>();
  #you: You | undefined;
  #mine: Readonly<Record<string, Json>> = {};
  #versions: Readonly<Record<string, string>> = {};
  #rules: Welcome["limits"]["rules"] = {};
  #outdated = false;
  #epoch: string | undefined;
  #seq = 0;
  #replayTo: number | undefined;
  #unseenBytes = 0;
  #renewAt = NEVER;
  #hasLeft = false;
  #secondNotBefore = LONG_AGO;

  constructor(
    private readonly wire: Wire,
    private readonly hearing: Hearing,
    private readonly chance: () => number,
    private readonly options: SessionOptions,
  ) {
    this.#slices = new Slices(options.features, (feature, error) => this.#stumbled(feature, error));
    this.#outbox = new Outbox(options.prefix, (id, outcome) => hearing.settled(id, outcome));
    this.#checks = new Checks(chance);
    this.#lifeline = new Lifeline(wire, chance, {
      canRenew: options.canRenew,
      members: () => this.#members(),
      secondFailed: (now) => {
        this.#secondNotBefore = now + (0.5 + chance()) * SECOND_AGAIN_MS;
        if (this.#fresh.size > 0) this.#checks.wantFresh();
        this.#fresh.clear();
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
  get clock(): RoomClock {
    return this.#probes.clock;
  }
  get seq(): number {
    return this.#seq;
  }
  get epoch(): string | undefined {
    return this.#epoch;
  }
  get link(): Link {
    return this.#lifeline.link;
  }
  get outdated(): boolean {
    return this.#outdated;
  }
  /** Why nothing more will come of this visit, if that is so. */
  get over(): string | undefined {
    const { link } = this.#lifeline;
    if (link.is === "ended") return link.reason;
    return this.#hasLeft ? LEFT : undefined;
  }
  /** Live, and everything that was missed has come. */
  get isCaughtUp(): boolean {
    return this.#lifeline.live !== undefined && this.#replayTo === undefined;
  }

  /** What the address of that socket carries: where to resume from, if there is such a place and it is to be resumed. */
  resumePoint(link: number): { epoch?: string; since?: string } {
    return this.#epoch === undefined || this.#fresh.has(link)
      ? {}
      : { epoch: this.#epoch, since: String(this.#seq) };
  }

  // ---- what the person does

  start(now: number): void {
    this.#hasLeft = false;
    this.#lifeline.start(now);
  }

  /** Leaves. What waits is settled; the state stays as it was. */
  stop(): void {
    this.#hasLeft = true;
    this.#outbox.end(LEFT);
    this.#signals.drop();
    this.#lifeline.stop();
  }

  /** `isAsked`: by a person, who may know better than the room when to come back. */
  nudge(now: number, isAsked = true): void {
    this.#probes.wanted(now);
    this.#lifeline.nudge(now, isAsked);
  }

  /** The machine says that it has no network: it may be right. */
  doubt(now: number): void {
    this.#lifeline.doubt(now);
  }

  do(asking: Asking, now: number): string {
    const id = this.#outbox.add(asking, now, this.clock.at(now));
    const { over } = this;
    if (over !== undefined) this.#outbox.end(over);
    else this.#flush(now);
    return id;
  }

  /** Throws where it could never be one: nobody would hear of it otherwise. */
  signal(f: string, n: string, d: Json, now: number): void {
    const text = JSON.stringify({ t: "sig", f, n, d } satisfies Up);
    if (this.#outbox.isTooLarge(text)) throw new RangeError("That is too large for a signal.");
    if (!this.isCaughtUp) return;
    const path = `${f}.${n}`;
    this.#signals.offer(path, text, this.#rules[path]);
    this.#work(now);
  }

  /** Asks for checksums as soon as that can be done. */
  verify(now: number): void {
    this.#checks.ask();
    this.#work(now);
  }

  // ---- what the sockets tell

  /** A token was had for that socket, good until then by the room's clock, if that is known. */
  authorised(link: number, endsAt: number | undefined, now: number): void {
    this.#lifeline.authorised(link, now);
    if (endsAt !== undefined) this.#endings.set(link, endsAt);
  }

  parted(link: number, why: Parting, now: number): void {
    this.#endings.delete(link);
    this.#lifeline.parted(link, why, now);
    const { over } = this;
    if (over !== undefined) this.#outbox.end(over);
  }

  heard(link: number, text: string, now: number): void {
    this.#lifeline.heard(link);
    // A `pong` is none.
    const message = readDown(text);
    if (!message) return;
    if (message.t === "welcome") this.#welcomed(link, message, now);
    else if (message.t === "bye") this.parted(link, message, now);
    else if (this.#lifeline.isCurrent(link)) this.#take(message, now);
    else return;
    this.#unseenBytes += byteLength(text);
    // A mark is repeated at once; else at half of what is asked, since one message may be long.
    const m = message.t === "frame" ? message.m : undefined;
    if (m || this.#unseenBytes >= SEEN_EVERY_BYTES / 2) {
      this.#unseenBytes = 0;
      this.#send({ t: "seen", seq: this.#seq, m });
    }
    this.#work(now);
  }

  // ---- time

  tick(now: number): void {
    this.#lifeline.tick(now);
    this.#outbox.tick(now);
    this.#work(now);
  }

  /** When `tick` has something to do. */
  wakeAt(now: number): number {
    const link = this.#lifeline.live;
    const always = Math.min(this.#lifeline.nextAt(), this.#outbox.endsAt());
    if (link === undefined || !this.isCaughtUp) return always;
    const second = this.#lifeline.hasSecond
      ? NEVER
      : Math.max(this.#secondNotBefore, Math.min(this.#renewAt, this.#checks.freshAt()));
    return Math.min(
      always,
      second,
      this.#outbox.sendsAt(link, now),
      Math.max(this.#signals.nextAt(), this.#outbox.signalsAt(now)),
      this.#checks.askAt(),
      this.#probes.nextAt(),
    );
  }

  // ---- inside

  #take(message: Exclude<Down, { t: "welcome" | "bye" }>, now: number): void {
    switch (message.t) {
      case "frame":
        return this.#framed(message, now);
      case "mine":
        this.#mine = { ...this.#mine, [message.f]: message.d };
        return;
      case "ack":
        return this.#outbox.acknowledged(message);
      case "nack":
        if (message.id === undefined) this.#checks.refused(now + (message.retryAfterMs ?? 1_000));
        return this.#outbox.refused(message, now);
      case "clock":
        return this.#probes.answered(message, now);
      case "checksum": {
        const verdict = this.#checks.judge(message, this.#seq, this.#versions, this.#slices, now);
        if (verdict) this.hearing.checked(verdict);
        return;
      }
    }
  }

  #welcomed(link: number, welcome: Welcome, now: number): void {
    const askedAt = this.#lifeline.askedAt(link) ?? now;
    if (!this.#lifeline.greeted(link, now, welcome.limits.pingMs ?? PING_MS)) return;
    const { token: _, ...you } = welcome.you;
    this.#you = you;
    this.#mine = welcome.mine ?? {};
    this.#versions = welcome.features;
    this.#rules = welcome.limits.rules ?? {};
    this.#outdated = this.#isOutdated(welcome);
    this.#unseenBytes = 0;
    // It was to be fetched anew, and another socket came in between.
    if (welcome.resumed && this.#fresh.size > 0) this.#checks.wantFresh();
    this.#fresh.clear();
    this.#outbox.follow(welcome.limits);
    this.#outbox.greeted();
    this.#checks.greeted();
    this.#signals.drop();
    this.#probes.greeted(welcome.at, askedAt, now);
    this.#renewAt = this.#renewalOf(link, now);
    this.#endings.clear();
    this.#epoch = welcome.epoch;
    if (!welcome.resumed) {
      this.#slices.restart(welcome.state ?? {});
      this.#seq = welcome.seq;
      this.hearing.fresh();
    }
    this.#replayTo = this.#seq < welcome.seq ? welcome.seq : undefined;
  }

  /** Of other code: an older page, most often. It goes on as well as it can. */
  #isOutdated({ v, features }: Welcome): boolean {
    const others = Object.entries(features).some(([name, version]) => this.#slices.version(name) !== version);
    return others || v !== protocolVersion;
  }

  #framed(frame: Frame, now: number): void {
    const first = frame.seq - frame.e.length + 1;
    if (first > this.#seq + 1) {
      // The room never leaves a gap. Should one appear all the same, it is closed by asking again from here.
      this.#lifeline.hangUp(now);
      return;
    }
    for (const [index, event] of frame.e.entries()) {
      const seq = first + index;
      if (seq > this.#seq) this.#happened({ ...event, seq, at: frame.at });
    }
    for (const signal of frame.s ?? []) this.hearing.signal(signal);
    if (frame.e.length > 0) {
      this.#checks.folded(now);
      this.#probes.active(now);
    }
    if (this.#replayTo !== undefined && this.#seq >= this.#replayTo) this.#replayTo = undefined;
  }

  #happened(event: NumberedEvent): void {
    this.#slices.fold(event);
    this.#seq = event.seq;
    this.hearing.event(event);
    if (event.by !== undefined && event.by === this.#you?.user) this.#outbox.happened(event);
  }

  /** Whatever is due, where there is somebody to say it to. Not before a replay is out: it may settle what would be sent. */
  #work(now: number): void {
    if (!this.isCaughtUp) return;
    this.#flush(now);
    this.#signal(now);
    if (this.#probes.take(now)) this.#say({ t: "clock", t0: now }, now);
    if (this.#checks.takeAsk(now)) this.#say({ t: "verify" }, now);
    if (this.#lifeline.hasSecond || now < this.#secondNotBefore) return;
    if (now >= this.#renewAt) {
      this.#renewAt = now + SECOND_AGAIN_MS;
      this.#lifeline.openSecond(now, true);
    } else if (this.#checks.takeFresh(now)) {
      this.#lifeline.openSecond(now, false, (link) => this.#fresh.add(link));
    }
  }

  #flush(now: number): void {
    const link = this.#lifeline.live;
    if (link === undefined || this.#epoch === undefined || !this.isCaughtUp) return;
    const standing = { link, epoch: this.#epoch, now, roomNow: this.clock.at(now) };
    for (const text of this.#outbox.flush(standing)) this.wire.send(link, text);
  }

  #signal(now: number): void {
    while (this.#outbox.signalsAt(now) <= now) {
      const text = this.#signals.take(now);
      if (text === undefined) return;
      this.#say(text, now);
    }
  }

  #say(message: Up | string, now: number): void {
    this.#outbox.passed(now);
    this.#send(message);
  }

  #send(message: Up | string): void {
    const link = this.#lifeline.live;
    if (link === undefined) return;
    this.wire.send(link, typeof message === "string" ? message : JSON.stringify(message));
  }

  #renewalOf(link: number, now: number): number {
    const endsAt = this.#endings.get(link);
    if (endsAt === undefined || !this.options.canRenew) return NEVER;
    const leftMs = Math.max(0, endsAt - this.clock.at(now));
    return now + Math.max(RENEW_LEAST_MS, leftMs * (RENEW_AT + RENEW_SPREAD * this.chance()));
  }

  #stumbled(feature: string, error: unknown): void {
    this.hearing.problem(`The reducer of ${feature} failed`, error);
    this.#checks.wantFresh();
  }

  /** A crowd comes back more slowly than two people do. */
  #members(): number | undefined {
    if (this.#you === undefined) return undefined;
    const presence = this.#slices.states.presence;
    if (typeof presence !== "object" || presence === null || !("count" in presence)) return undefined;
    return typeof presence.count === "number" ? presence.count : undefined;
  }
}
