import { boardsFed } from "../protocol/board-names";
import { byteLength } from "../protocol/codec";
import type { Role } from "../protocol/codes";
import { MARK_CHARS, MAX_RECORD_CHARS } from "../protocol/limits";
import type { RoomClock } from "./clock";
import { ComeBack } from "./come-back";
import type { Connection } from "./connection";
import { Delivery } from "./delivery";
import { Errands } from "./errands";
import type { EventLog } from "./event-log";
import type {
  AnyFeature,
  Asked,
  Award,
  Ending,
  Outcome,
  PrivateEvent,
  Schemas,
  Situation,
  Speaker,
} from "./feature";
import { FramePace } from "./frame-pace";
import type { Journal } from "./journal";
import type { Kind } from "./kind";
import type { MemberChange } from "./members";
import type { Memory } from "./memory";
import { OFFENCE, pauseOf } from "./offences";
import { errandChars, OpenFrame, operationChars, privateChars, timerChars } from "./open-frame";
import type { Operation } from "./operations";
import { type DecidedEvent, parsedEvent } from "./parsed-event";
import type { World } from "./ports";
import { PrivateSlices } from "./private-slices";
import type { Refused } from "./refusals";
import { Rulebook } from "./rulebook";
import type { RoomSettings } from "./settings";
import { LiveAsked, LiveSituation } from "./situation";
import type { Wheel } from "./wheel";
import { cleaner } from "./words";

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
  readonly comeBack: ComeBack;
  readonly mine: PrivateSlices;
  readonly errands: Errands;
  readonly features: ReadonlyMap<string, AnyFeature>;
  readonly rules: Rulebook;
  /** Titles, names and messages as others may read them. */
  readonly clean: (text: string) => string | undefined;
  readonly #pace = new FramePace();
  #frame: OpenFrame | undefined;
  #committedAt = Number.NEGATIVE_INFINITY;
  #dueAt: number | undefined;
  /** Counted for tests and metrics. */
  commits = 0;

  constructor(
    readonly parts: Parts,
    private readonly on: {
      gone(connection: Connection): void;
      /** Somebody's connections are to end with the frame that is open now. */
      ends(ending: Ending): void;
    },
  ) {
    this.features = new Map(parts.kind.features.map((feature) => [feature.name, feature]));
    this.rules = Rulebook.of(parts.kind, parts.settings);
    this.mine = new PrivateSlices(parts);
    this.clean = cleaner(parts.kind.words ?? "allow", parts.world.filter);
    this.errands = new Errands(this);
    this.comeBack = new ComeBack(parts.world.chance);
    this.delivery = new Delivery(parts.log, this.comeBack, {
      caughtUp: (connection) => this.#tellMissed(connection),
      newest: () => ({ seq: this.committed, at: this.memory.at }),
      mark: () => parts.world.freshId().slice(0, MARK_CHARS),
      held: (until) => parts.wheel.ensure(until),
      gone: on.gone,
    });
  }

  get memory(): Memory {
    return this.parts.memory;
  }

  /** Every call says what time it is by the machine's clock; answers what time it is in the room. */
  clock(machineNow: number): number {
    const { clock, wheel } = this.parts;
    wheel.wentBack(clock.read(machineNow));
    this.memory.operations.look(clock.now);
    return clock.now;
  }

  get now(): number {
    return this.parts.clock.now;
  }

  /** The machine's time: what ends by the world's clock (a token) is compared with this. */
  get machineNow(): number {
    return this.parts.clock.machineNow;
  }

  /** A refusal whose wait is as long as it takes outside: a room that is ahead is slow. */
  refusal(why: Refused): Refused {
    if (why.retryAfterMs === undefined) return why;
    return { ...why, retryAfterMs: Math.ceil(this.parts.clock.machineMs(why.retryAfterMs)) };
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

  /** The boards that this room's points reach. */
  get feeds(): string[] {
    const { kind, name: room } = this.parts;
    return Object.entries(kind.boards ?? {}).flatMap(([name, { feeds = "both" }]) =>
      boardsFed({ name, feeds }, room.id, this.memory.isGuests),
    );
  }

  /** A host is here. One who comes before anybody has scored takes the room over from the guest who opened it. */
  ledBy(role: Role): void {
    if (role === "player" || !this.memory.isGuests) return;
    for (const feature of this.features.values()) if (feature.hasPoints?.(this.situation(feature))) return;
    this.#makeRoom(1_000);
    this.memory.isGuests = false;
    this.frame().takeFromGuests();
  }

  situation(feature: AnyFeature): Situation<unknown, unknown> {
    return new LiveSituation(this, feature);
  }

  asked(feature: AnyFeature, by: Speaker): Asked<unknown, unknown> {
    return new LiveAsked(this, feature, by);
  }

  /** Numbers and folds what was decided, all of it or none, and puts it into the frame. Answers the last number. */
  apply(
    feature: AnyFeature,
    outcome: Outcome<Schemas, Schemas>,
    by?: Speaker,
    op?: Accepted,
  ): number | undefined {
    const { name } = feature;
    const { events = none, errands = none, ends = none } = outcome;
    const timers = outcome.timers ? Object.entries(outcome.timers) : none;
    const user = by && !by.forRoom ? by.user : undefined;
    const decided = events.map(({ n, d }, place): DecidedEvent => {
      const isLast = place === events.length - 1;
      return { f: name, n, d, by: user, op: isLast ? op?.id : undefined };
    });
    const texts = decided.map((event) => JSON.stringify(event));
    // So that the room folds just what a client will.
    const parsed = decided.map((event, place) => parsedEvent(event, texts[place] as string));
    const hidden = (outcome.private ?? none).map(({ n, d }) => ({ n, data: JSON.stringify(d) }));
    let chars = op ? operationChars(op) : 0;
    for (const text of texts) chars += text.length + 1;
    for (const { n, data } of hidden) chars += privateChars(name, n, data, user);
    for (const [timer] of timers) chars += timerChars(`${name}/${timer}`);
    for (const errand of errands) chars += errandChars(`${name}/${errand}`);
    this.#makeRoom(chars);
    const frame = this.frame();
    let { seq } = this.memory;
    for (const event of parsed) {
      event.seq = ++seq;
      event.at = frame.at;
    }
    const privates = hidden.map(({ n, data }) => privateEvent(n, JSON.parse(data), user, frame.at));
    const concerned = privates.flatMap((event) => feature.private?.concerns?.(event) ?? none);
    this.memory.slices.foldAll(name, parsed, privates);
    this.memory.seq = seq;

    for (const text of texts) frame.addEvent(text);
    for (const { n, data } of hidden) frame.addPrivate(name, n, data, user);
    for (const someone of concerned) frame.touchMine(name, someone);
    for (const [timer, at] of timers) this.setTimer(`${name}/${timer}`, at);
    for (const errand of errands) this.errands.want(`${name}/${errand}`);
    const last = texts.length > 0 ? seq : undefined;
    if (op) this.#accept(op, last, user);
    for (const ending of ends) this.on.ends(ending);
    if (outcome.awards) this.#award(outcome.awards);
    return last;
  }

  /** In the frame that they follow from; where they need more than one, in the same breath, which is one commit as well. */
  #award(awards: readonly Award[]): void {
    const taker = this.parts.kind.features.find(({ awarded }) => awarded !== undefined);
    if (!taker) return;
    const { commits } = this;
    for (let from = 0; from < awards.length; from += AWARDS_A_FRAME) {
      const some = awards.slice(from, from + AWARDS_A_FRAME);
      const outcome = taker.awarded?.(this.situation(taker), some);
      if (outcome) this.apply(taker, outcome);
    }
    if (this.commits > commits) this.commit();
  }

  /** `by`: who its last event says that did it. */
  #accept(
    { user, id, print, at, rule, answer, from }: Accepted,
    seq: number | undefined,
    by: string | undefined,
  ): void {
    const operation: Operation = { user, id, print, at, seq, answer, rule, from, record: this.memory.n + 1 };
    this.memory.operations.add(operation);
    this.memory.spend(operation);
    this.frame().addOperation(operation, by);
  }

  /** Somebody is closed for too much; answers how long they stay away for it. */
  offend(offenders: readonly string[]): number {
    this.#makeRoom(1_000);
    for (const offender of offenders) {
      this.memory.windows.stamp(OFFENCE, offender, this.now);
      this.frame().addOffence(offender, this.now);
    }
    return pauseOf(this.memory.windows, offenders, this.now);
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
    if (urgent) return this.commit();
    if (this.now - this.#committedAt >= window) {
      // A timer that is due already, and that this came before, is late all the same.
      this.#pace.fired(this.#dueAt === undefined ? 0 : this.now - this.#dueAt);
      return this.commit();
    }
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
    if (!frame || this.parts.journal.isBroken) return;
    if (frame.isDurable || frame.hasSignals) this.#committedAt = this.now;
    const { lean, full } = frame.texts(frame.isDurable ? frame.at : this.now);
    if (frame.isDurable) this.#store(frame, lean);
    if (this.parts.journal.isBroken) return;
    if (lean !== undefined || frame.hasSignals) this.delivery.broadcast(full, lean, frame.before, this.now);
    for (const [feature, users] of frame.mine) this.mine.tell(this.delivery, feature, users);
    for (const step of frame.after) step();
    for (const step of frame.later) step();
  }

  /** What gathers is in the slices already, and nobody may know of it before it is durable, not by its checksum either. */
  #tellMissed(connection: Connection): void {
    const tell = () => {
      // It may have fallen behind again meanwhile: then it is told when it comes on.
      if (connection.cursor !== undefined) return;
      this.delivery.pay(connection);
      this.mine.sendTo(this.delivery, connection);
    };
    if (this.#frame?.isDurable) this.#frame.after.push(tell);
    else tell();
  }

  /** For what tells of the room at once: nothing is open afterwards, not even what a newcomer's early words began. */
  flush(): void {
    while (this.#frame) this.commit();
    // Whatever would be told now is of what was lost: whoever asks is told that nothing can be said.
    if (this.parts.journal.isBroken) throw new Error("A write failed, and nothing of it may be told.");
  }

  /** The room is over: what gathered is nobody's. */
  drop(): void {
    this.#frame = undefined;
    this.#dueAt = undefined;
  }

  #store(frame: OpenFrame, text: string | undefined): void {
    const { journal, log, wheel, clock, settings } = this.parts;
    const n = ++this.memory.n;
    this.memory.at = frame.at;
    this.commits++;
    journal.append(frame.store(n, text));
    wheel.ensure(clock.roomAt(clock.machineNow + settings.idleMs));
    const seq = frame.before + frame.count;
    if (text !== undefined)
      log.add({ first: frame.before + 1, seq, at: frame.at, text, bytes: byteLength(text), record: n });
    // Here, where memory is what storage holds: what follows from this frame may open the next, which nobody has stored.
    if (journal.wantsSnapshot) journal.snapshot(this.memory, log, this.now);
  }

  #makeRoom(chars: number): void {
    if (chars > MAX_RECORD_CHARS)
      throw new RangeError(`An action made ${chars} characters of events; ${MAX_RECORD_CHARS} fit.`);
    if (this.#frame && !this.#frame.fits(chars)) this.commit();
  }
}

const none: readonly never[] = [];
/** So many awards fit into a frame, whatever people are called, and as many others move up. */
const AWARDS_A_FRAME = 32;

function privateEvent(n: string, d: unknown, by: string | undefined, at: number): PrivateEvent {
  return by === undefined ? { n, d, at } : { n, d, by, at };
}
