import type { MonotonicClock } from "../../lib/monotonic-clock";
import { boardsFed } from "../../protocol/board-names";
import { byteLength } from "../../protocol/codec";
import type { Role } from "../../protocol/codes";
import { MARK_CHARS, MAX_RECORD_CHARS } from "../../protocol/limits";
import type {
  ActionContext,
  Actor,
  AnyFeature,
  Award,
  Disconnect,
  FeatureContext,
  Outcome,
  PrivateEvent,
  Schemas,
} from "../api/feature";
import type { Kind } from "../api/kind";
import type { Connection } from "../delivery/connection";
import { Delivery } from "../delivery/delivery";
import type { EventLog } from "../delivery/event-log";
import { PrivateViews } from "../delivery/private-views";
import { RetrySpread } from "../delivery/retry-spread";
import { ActionRegistry } from "../inbound/action-registry";
import { PENALTY, penaltyMs } from "../inbound/penalties";
import type { Rejection } from "../inbound/rejections";
import { createTextFilter } from "../inbound/text-filter";
import type { HostPorts } from "../ports";
import type { RoomSettings } from "../settings";
import type { AcceptedRecord } from "../state/idempotency";
import type { MemberChange } from "../state/members";
import type { RoomState } from "../state/room-state";
import type { Journal } from "../storage/journal";
import type { AlarmScheduler } from "../time/alarm";
import { Effects } from "./effects";
import { FramePace } from "./frame-pace";
import { LiveActionContext, LiveFeatureContext } from "./live-context";
import { type DecidedEvent, normalizeEvent } from "./normalize-event";
import { acceptedActionChars, effectChars, OpenFrame, privateChars, timerChars } from "./open-frame";

/** What a restore gives. */
export interface RoomContext {
  host: HostPorts;
  kind: Kind;
  name: { kind: string; id: string };
  settings: RoomSettings;
  state: RoomState;
  log: EventLog;
  journal: Journal;
  alarm: AlarmScheduler;
  clock: MonotonicClock;
  /** Other code wrote what was restored: sockets of its day hold a state that is not this code's. */
  isRenewed: boolean;
}

/** What an accepted action leaves, besides its number. */
export type AcceptedAction = Omit<AcceptedRecord, "record" | "seq">;

/**
 * The frame that gathers, and its commit.
 *
 *     decide ─► apply: number, fold ─► open frame ─┬─ quiet room or urgent: commit now
 *                                                  └─ otherwise: commit when the window ends
 *     commit: one write ─ one text to every live peer ─ answers ─ welcomes      (no await anywhere in it)
 */
export class Committer {
  readonly delivery: Delivery;
  readonly retrySpread: RetrySpread;
  readonly privateViews: PrivateViews;
  readonly effects: Effects;
  readonly features: ReadonlyMap<string, AnyFeature>;
  readonly registry: ActionRegistry;
  /** Titles, names and messages as others may read them. */
  readonly filterText: (text: string) => string | undefined;
  readonly #pace = new FramePace();
  #frame: OpenFrame | undefined;
  #committedAt = Number.NEGATIVE_INFINITY;
  #dueAt: number | undefined;
  /** Counted for tests and metrics. */
  commits = 0;

  constructor(
    readonly context: RoomContext,
    private readonly on: {
      gone(connection: Connection): void;
      /** Somebody's connections are to end with the frame that is open now. */
      ends(ending: Disconnect): void;
    },
  ) {
    this.features = new Map(context.kind.features.map((feature) => [feature.name, feature]));
    this.registry = ActionRegistry.of(context.kind, context.settings);
    this.privateViews = new PrivateViews(context);
    this.filterText = createTextFilter(context.kind.words ?? "allow", context.host.filter);
    this.effects = new Effects(this);
    this.retrySpread = new RetrySpread(context.host.random);
    this.delivery = new Delivery(context.log, this.retrySpread, {
      caughtUp: (connection) => this.#sendMissed(connection),
      newest: () => ({ seq: this.committed, at: this.state.at }),
      mark: () => context.host.freshId().slice(0, MARK_CHARS),
      held: (until) => context.alarm.ringBy(until),
      gone: on.gone,
    });
  }

  get state(): RoomState {
    return this.context.state;
  }

  /** Every call says what time it is by the machine's clock; answers what time it is in the room. */
  readClock(machineNow: number): number {
    const { clock, alarm: wheel } = this.context;
    wheel.clockWentBack(clock.read(machineNow));
    this.state.idempotency.expire(clock.now);
    return clock.now;
  }

  get now(): number {
    return this.context.clock.now;
  }

  /** The machine's time: what ends by the world's clock (a token) is compared with this. */
  get machineNow(): number {
    return this.context.clock.machineNow;
  }

  /** A refusal whose wait is as long as it takes outside: a room that is ahead is slow. */
  inMachineTime(why: Rejection): Rejection {
    if (why.retryAfterMs === undefined) return why;
    return { ...why, retryAfterMs: Math.ceil(this.context.clock.machineMs(why.retryAfterMs)) };
  }

  /** The newest number that anybody may know of. */
  get committed(): number {
    return this.#frame ? this.#frame.before : this.state.seq;
  }

  openFrame(): OpenFrame {
    this.#frame ??= new OpenFrame(this.now, this.state.seq);
    if (!this.#frame.isDurable) this.#frame.at = this.now;
    return this.#frame;
  }

  /** The boards that this room's points reach. */
  get feeds(): string[] {
    const { kind, name: room } = this.context;
    return Object.entries(kind.boards ?? {}).flatMap(([name, { feeds = "both" }]) =>
      boardsFed({ name, feeds }, room.id, this.state.openedByGuest),
    );
  }

  /** A host is here. One who comes before anybody has scored takes the room over from the guest who opened it. */
  hostArrived(role: Role): void {
    if (role === "player" || !this.state.openedByGuest) return;
    for (const feature of this.features.values()) if (feature.hasPoints?.(this.contextFor(feature))) return;
    this.#reserve(1_000);
    this.state.openedByGuest = false;
    this.openFrame().takeFromGuests();
  }

  contextFor(feature: AnyFeature): FeatureContext<unknown, unknown> {
    return new LiveFeatureContext(this, feature);
  }

  actionContextFor(feature: AnyFeature, by: Actor): ActionContext<unknown, unknown> {
    return new LiveActionContext(this, feature, by);
  }

  /** Numbers and folds what was decided, all of it or none, and puts it into the frame. Answers the last number. */
  apply(
    feature: AnyFeature,
    outcome: Outcome<Schemas, Schemas>,
    by?: Actor,
    op?: AcceptedAction,
  ): number | undefined {
    const { name } = feature;
    const { events = none, effects = none, disconnect = none } = outcome;
    const timers = outcome.timers ? Object.entries(outcome.timers) : none;
    const user = by && !by.isOverHttp ? by.user : undefined;
    const decided = events.map(({ n, d }, place): DecidedEvent => {
      const isLast = place === events.length - 1;
      return { f: name, n, d, by: user, op: isLast ? op?.id : undefined };
    });
    const texts = decided.map((event) => JSON.stringify(event));
    // So that the room folds just what a client will.
    const parsed = decided.map((event, place) => normalizeEvent(event, texts[place] as string));
    const privateEvents = (outcome.private ?? none).map(({ n, d }) => ({ n, data: JSON.stringify(d) }));
    let chars = op ? acceptedActionChars(op) : 0;
    for (const text of texts) chars += text.length + 1;
    for (const { n, data } of privateEvents) chars += privateChars(name, n, data, user);
    for (const [timer] of timers) chars += timerChars(`${name}/${timer}`);
    for (const errand of effects) chars += effectChars(`${name}/${errand}`);
    this.#reserve(chars);
    const frame = this.openFrame();
    let { seq } = this.state;
    for (const event of parsed) {
      event.seq = ++seq;
      event.at = frame.at;
    }
    const privates = privateEvents.map(({ n, data }) => privateEvent(n, JSON.parse(data), user, frame.at));
    const affected = privates.flatMap((event) => feature.private?.affects?.(event) ?? none);
    this.state.slices.foldAll(name, parsed, privates);
    this.state.seq = seq;

    for (const text of texts) frame.addEvent(text);
    for (const { n, data } of privateEvents) frame.addPrivate(name, n, data, user);
    for (const someone of affected) frame.touchPrivateView(name, someone);
    for (const [timer, at] of timers) this.setTimer(`${name}/${timer}`, at);
    for (const errand of effects) this.effects.request(`${name}/${errand}`);
    const last = texts.length > 0 ? seq : undefined;
    if (op) this.#accept(op, last, user);
    for (const ending of disconnect) this.on.ends(ending);
    if (outcome.awards) this.#award(outcome.awards);
    return last;
  }

  /** In the frame that they follow from; where they need more than one, in the same breath, which is one commit as well. */
  #award(awards: readonly Award[]): void {
    const scorer = this.context.kind.features.find(({ onAwards: awarded }) => awarded !== undefined);
    if (!scorer) return;
    const { commits } = this;
    for (let from = 0; from < awards.length; from += AWARDS_A_FRAME) {
      const some = awards.slice(from, from + AWARDS_A_FRAME);
      const outcome = scorer.onAwards?.(this.contextFor(scorer), some);
      if (outcome) this.apply(scorer, outcome);
    }
    if (this.commits > commits) this.commit();
  }

  /** `by`: who its last event says that did it. */
  #accept(
    { user, id, fingerprint: print, at, rule, answer, from }: AcceptedAction,
    seq: number | undefined,
    by: string | undefined,
  ): void {
    const operation: AcceptedRecord = {
      user,
      id,
      fingerprint: print,
      at,
      seq,
      answer,
      rule,
      from,
      record: this.state.n + 1,
    };
    this.state.idempotency.add(operation);
    this.state.countAction(operation);
    this.openFrame().addOperation(operation, by);
  }

  /** Somebody is closed for too much; answers how long they stay away for it. */
  penalise(offenders: readonly string[]): number {
    this.#reserve(1_000);
    for (const offender of offenders) {
      this.state.windows.stamp(PENALTY, offender, this.now);
      this.openFrame().addPenalty(offender, this.now);
    }
    return penaltyMs(this.state.windows, offenders, this.now);
  }

  changeMember(change: MemberChange): void {
    this.#reserve(1_000);
    this.state.members.apply(change);
    this.openFrame().addMember(change);
  }

  setTimer(name: string, at: number | null): void {
    this.state.setTimer(name, at);
    this.openFrame().addTimer(name, at);
    if (at !== null) this.context.alarm.ringBy(at);
  }

  /** Something is in the frame: commit at once in a quiet room, or when the window ends. */
  scheduleCommit(urgent = false): void {
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
    this.context.host.wake(this.#dueAt - this.now);
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
    if (!frame || this.context.journal.isBroken) return;
    if (frame.isDurable || frame.hasSignals) this.#committedAt = this.now;
    const { lean: durableText, full: fullText } = frame.texts(frame.isDurable ? frame.at : this.now);
    if (frame.isDurable) this.#store(frame, durableText);
    if (this.context.journal.isBroken) return;
    if (durableText !== undefined || frame.hasSignals)
      this.delivery.broadcast(fullText, durableText, frame.before, this.now);
    for (const [feature, users] of frame.changedPrivateViews)
      this.privateViews.sendChanged(this.delivery, feature, users);
    for (const step of frame.onCommitted) step();
    for (const step of frame.afterCommitted) step();
  }

  /** What gathers is in the slices already, and nobody may know of it before it is durable, not by its checksum either. */
  #sendMissed(connection: Connection): void {
    const tell = () => {
      // It may have fallen behind again meanwhile: then it is told when it comes on.
      if (connection.cursor !== undefined) return;
      this.delivery.flushDeferred(connection);
      this.privateViews.sendAll(this.delivery, connection);
    };
    if (this.#frame?.isDurable) this.#frame.onCommitted.push(tell);
    else tell();
  }

  /** For what tells of the room at once: nothing is open afterwards, not even what a newcomer's early words began. */
  flush(): void {
    while (this.#frame) this.commit();
    // Whatever would be told now is of what was lost: whoever asks is told that nothing can be said.
    if (this.context.journal.isBroken) throw new Error("A write failed, and nothing of it may be told.");
  }

  /** The room is over: what gathered is nobody's. */
  discard(): void {
    this.#frame = undefined;
    this.#dueAt = undefined;
  }

  #store(frame: OpenFrame, text: string | undefined): void {
    const { journal, log, alarm: wheel, clock, settings } = this.context;
    const n = ++this.state.n;
    this.state.at = frame.at;
    this.commits++;
    journal.append(frame.store(n, text));
    wheel.ringBy(clock.roomAt(clock.machineNow + settings.idleMs));
    const seq = frame.before + frame.count;
    if (text !== undefined)
      log.add({ first: frame.before + 1, seq, at: frame.at, text, bytes: byteLength(text), record: n });
    // Here, where memory is what storage holds: what follows from this frame may open the next, which nobody has stored.
    if (journal.wantsSnapshot) journal.snapshot(this.state, log, this.now);
  }

  #reserve(chars: number): void {
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
