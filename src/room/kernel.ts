import { byteLength } from "../protocol/codec";
import { MAX_RECORD_CHARS } from "../protocol/limits";
import type { Json, NumberedEvent } from "../protocol/messages";
import type { RoomClock } from "./clock";
import type { Connection } from "./connection";
import { Delivery, mineText } from "./delivery";
import type { EventLog } from "./event-log";
import type { AnyFeature, Outcome, PrivateEvent, Schemas, Situation, Speaker } from "./feature";
import { FramePace } from "./frame-pace";
import type { Journal } from "./journal";
import type { Kind } from "./kind";
import type { MemberChange } from "./members";
import type { Memory } from "./memory";
import { OpenFrame, operationChars, privateChars, timerChars } from "./open-frame";
import type { Operation } from "./operations";
import type { World } from "./ports";
import type { RoomSettings } from "./settings";
import type { Wheel } from "./wheel";

/** What a restore gives. */
export interface Parts {
  world: World;
  kind: Kind;
  name: { kind: string; id: string };
  settings: RoomSettings;
  memory: Memory;
  log: EventLog;
  journal: Journal;
  wheel: Wheel;
  clock: RoomClock;
  /** Other code wrote what was restored: sockets of its day hold a state that is not this code's. */
  isRenewed: boolean;
}

/** What an accepted action leaves, besides its number. */
export type Accepted = Omit<Operation, "record" | "seq">;

/**
 * The frame that gathers, and its commit.
 *
 *     decide ─► apply: number, fold ─► open frame ─┬─ quiet room or urgent: commit now
 *                                                  └─ otherwise: commit when the window ends
 *     commit: one write ─ one text to every live peer ─ answers ─ welcomes      (no await anywhere in it)
 */
export class Kernel {
  readonly delivery: Delivery;
  readonly features: ReadonlyMap<string, AnyFeature>;
  readonly #pace = new FramePace();
  #frame: OpenFrame | undefined;
  #committedAt = Number.NEGATIVE_INFINITY;
  #dueAt: number | undefined;
  /** Counted for tests and metrics. */
  commits = 0;

  constructor(
    readonly parts: Parts,
    gone: (connection: Connection) => void,
  ) {
    this.features = new Map(parts.kind.features.map((feature) => [feature.name, feature]));
    this.delivery = new Delivery(parts.log, {
      caughtUp: (connection) => this.#sendMine(connection),
      held: (until) => parts.wheel.ensure(until),
      gone,
    });
  }

  get memory(): Memory {
    return this.parts.memory;
  }

  /** Every call says what time it is by the machine's clock; answers what time it is in the room. */
  clock(machineNow: number): number {
    const { clock, wheel } = this.parts;
    wheel.wentBack(clock.read(machineNow));
    return clock.now;
  }

  get now(): number {
    return this.parts.clock.now;
  }

  /** The newest number that anybody may know of. */
  get committed(): number {
    return this.#frame ? this.#frame.before : this.memory.seq;
  }

  frame(): OpenFrame {
    this.#frame ??= new OpenFrame(this.now, this.memory.seq);
    if (!this.#frame.isDurable) this.#frame.at = this.now;
    return this.#frame;
  }

  situation(feature: AnyFeature): Situation<unknown, unknown> {
    const { world, name, memory } = this.parts;
    return {
      at: this.now,
      room: name,
      state: memory.slices.shared(feature.name),
      private: memory.slices.private(feature.name),
      members: memory.members.all,
      timer: (timer) => memory.timers.get(`${feature.name}/${timer}`),
      chance: world.chance,
      freshId: world.freshId,
    };
  }

  /** Numbers and folds what was decided, all of it or none, and puts it into the frame. Answers the last number. */
  apply(
    feature: AnyFeature,
    outcome: Outcome<Schemas, Schemas>,
    by?: Speaker,
    op?: Accepted,
  ): number | undefined {
    const { name } = feature;
    const user: { by?: string } = by && !by.forRoom ? { by: by.user } : {};
    const events = outcome.events ?? [];
    const texts = events.map(({ n, d }, at) =>
      JSON.stringify({ f: name, n, d, ...user, ...(op && at === events.length - 1 ? { op: op.id } : {}) }),
    );
    const hidden = (outcome.private ?? []).map(({ n, d }) => ({ n, data: JSON.stringify(d) }));
    this.#makeRoom(
      sum(texts.map((text) => text.length + 1)) +
        sum(hidden.map(({ n, data }) => privateChars(name, n, data, user.by))) +
        sum(Object.keys(outcome.timers ?? {}).map((timer) => timerChars(`${name}/${timer}`))) +
        (op ? operationChars(op) : 0),
    );
    const frame = this.frame();
    const privates = hidden.map(({ n, data }) => ({ n, d: JSON.parse(data), ...user, at: frame.at }));
    const concerned = this.#fold(feature, texts, privates, frame.at);

    for (const text of texts) frame.addEvent(text);
    for (const { n, data } of hidden) frame.addPrivate(name, n, data, user.by);
    for (const someone of concerned) frame.touchMine(name, someone);
    for (const [timer, at] of Object.entries(outcome.timers ?? {})) this.setTimer(`${name}/${timer}`, at);
    const seq = texts.length > 0 ? this.memory.seq : undefined;
    if (op) this.#accept(op, seq);
    return seq;
  }

  /** Answers whose private slices changed. Whatever throws, nothing has. */
  #fold(feature: AnyFeature, texts: string[], privates: PrivateEvent[], at: number): string[] {
    const { slices } = this.memory;
    const putBack = slices.mark(feature.name);
    const { seq } = this.memory;
    try {
      for (const text of texts) {
        // Parsed, so that the room folds just what a client will: no `undefined`, no shared references.
        slices.fold({ ...(JSON.parse(text) as NumberedEvent), seq: ++this.memory.seq, at });
      }
      for (const event of privates) slices.foldPrivate(feature.name, event);
      return privates.flatMap((event) => feature.private?.concerns?.(event) ?? []);
    } catch (error) {
      putBack();
      this.memory.seq = seq;
      throw error;
    }
  }

  #accept(op: Accepted, seq: number | undefined): void {
    const operation: Operation = { ...op, record: this.memory.n + 1, ...(seq === undefined ? {} : { seq }) };
    this.memory.operations.add(operation);
    if (op.rule !== undefined) this.memory.windows.stamp(op.rule, op.user, op.at);
    this.frame().addOperation(operation);
  }

  changeMember(change: MemberChange): void {
    this.#makeRoom(1_000);
    this.memory.members.apply(change);
    this.frame().addMember(change);
  }

  setTimer(name: string, at: number | null): void {
    this.memory.setTimer(name, at);
    this.frame().addTimer(name, at);
    if (at !== null) this.parts.wheel.ensure(at);
  }

  /** Something is in the frame: commit at once in a quiet room, or when the window ends. */
  settle(urgent = false): void {
    if (!this.#frame) return;
    const window = this.#pace.windowMs(this.delivery.size);
    if (urgent || this.now - this.#committedAt >= window) return this.commit();
    if (this.#dueAt !== undefined) return;
    this.#dueAt = this.#committedAt + window;
    this.parts.world.wake(this.#dueAt - this.now);
  }

  /** The window's timer. */
  tick(): void {
    if (this.#dueAt === undefined) return;
    this.#pace.fired(this.now - this.#dueAt);
    this.commit();
  }

  /** Whatever reveals state calls this first. */
  commit(): void {
    const frame = this.#frame;
    this.#frame = undefined;
    this.#dueAt = undefined;
    if (!frame) return;
    if (frame.isDurable || frame.hasSignals) this.#committedAt = this.now;
    const { lean, full } = frame.texts(frame.isDurable ? frame.at : this.now);
    if (frame.isDurable) this.#store(frame, lean);
    if (this.parts.journal.isBroken) return;
    if (lean !== undefined || frame.hasSignals) this.delivery.broadcast(full, lean, frame.before, this.now);
    for (const [feature, users] of frame.mine) this.#tellMine(feature, users);
    for (const step of frame.after) step();
    for (const step of frame.later) step();
    const { journal, log } = this.parts;
    if (journal.wantsSnapshot) journal.snapshot(this.memory, log, this.now);
  }

  /** For what tells of the room at once: nothing is open afterwards, not even what a newcomer's early words began. */
  flush(): void {
    while (this.#frame) this.commit();
  }

  /** The room is over: what gathered is nobody's. */
  drop(): void {
    this.#frame = undefined;
    this.#dueAt = undefined;
  }

  #store(frame: OpenFrame, text: string | undefined): void {
    const { journal, log, wheel, settings } = this.parts;
    const n = ++this.memory.n;
    this.memory.at = frame.at;
    this.commits++;
    journal.append(frame.record(n, text));
    wheel.ensure(this.now + settings.idleMs);
    if (text === undefined) return;
    const seq = frame.before + frame.count;
    log.add({ first: frame.before + 1, seq, at: frame.at, text, bytes: byteLength(text), record: n });
  }

  #makeRoom(chars: number): void {
    if (chars > MAX_RECORD_CHARS)
      throw new RangeError(`An action made ${chars} characters of events; ${MAX_RECORD_CHARS} fit.`);
    if (this.#frame && !this.#frame.fits(chars)) this.commit();
  }

  /** A user's private slice; one that cannot be made keeps nobody from the room. */
  mine(feature: string, user: string): Json | undefined {
    try {
      return this.memory.slices.mine(feature, user);
    } catch (error) {
      this.parts.world.report(`The private slice of ${feature} for ${user} failed`, error);
      return undefined;
    }
  }

  #tellMine(feature: string, users: ReadonlySet<string>): void {
    for (const user of users) {
      if (this.delivery.of(user).size === 0) continue;
      const slice = this.mine(feature, user);
      if (slice !== undefined) this.delivery.tell(user, mineText(feature, slice));
    }
  }

  #sendMine(connection: Connection): void {
    for (const name of this.features.keys()) {
      const slice = this.mine(name, connection.member.user);
      if (slice !== undefined) this.delivery.direct(connection, mineText(name, slice));
    }
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
