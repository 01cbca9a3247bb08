import { closeCodes } from "../protocol/codes";
import { PING_MS, SLOW_RETRY_MS } from "../protocol/limits";
import type { Json } from "../protocol/messages";
import { type Action, Actions } from "./actions";
import { Attendance } from "./attendance";
import type { Connection } from "./connection";
import { Conversation } from "./conversation";
import { Drain, type Drained } from "./drain";
import type { ErrandResult } from "./errands";
import type { Newcomer } from "./feature";
import type { Hello } from "./hello";
import { HEAD } from "./journal";
import { Kernel, type Parts } from "./kernel";
import type { Kind } from "./kind";
import { listMembers, type MemberPage } from "./member-list";
import { shownName } from "./names";
import { overHttp } from "./operations";
import type { Peer, SocketNote, World } from "./ports";
import { type Refused, refused } from "./refusals";
import { graceAfterCut, restore } from "./restore";
import { sendAway } from "./send-away";
import type { RoomSettings } from "./settings";
import { Timekeeping } from "./timekeeping";
import { Traffic } from "./traffic";
import { Welcomes } from "./welcome";

export interface RoomSummary {
  kind: string;
  id: string;
  epoch: string;
  seq: number;
  users: number;
  connections: number;
  createdAt: number;
  /** The boards that its points reach. */
  feeds: string[];
}
/** Somebody who asks over HTTP, as the edge knows them. */
export type Caller = Pick<Newcomer, "user" | "name" | "role" | "askedAt" | "allRooms">;
export type HttpAnswer = { ok: true; seq?: number; d?: unknown } | { ok: false; refused: Refused };
export type Sockets = Iterable<{ peer: Peer; note: SocketNote | undefined }>;

/** One room. Every call says what time it is, none of them waits. */
export class Room {
  readonly #kernel: Kernel;
  readonly #actions: Actions;
  readonly #traffic: Traffic;
  readonly #attendance: Attendance;
  readonly #conversation: Conversation;
  readonly #time: Timekeeping;
  readonly #drain: Drain;
  readonly #welcomes: Welcomes;
  #reapedAt = 0;
  #isOver = false;

  static async open(
    world: World,
    kind: Kind,
    name: { kind: string; id: string },
    settings: RoomSettings,
    sockets: Sockets,
    now: number,
  ): Promise<Room> {
    return new Room(await restore(world, kind, name, settings, now), sockets, now);
  }

  private constructor(
    private readonly parts: Parts,
    sockets: Sockets,
    now: number,
  ) {
    this.#kernel = new Kernel(parts, {
      gone: (connection) => this.#gone(connection),
      ends: (ending) => this.#attendance.end(ending),
    });
    this.#actions = new Actions(this.#kernel);
    this.#welcomes = new Welcomes(this.#kernel);
    this.#traffic = new Traffic(parts.settings.actionRate);
    this.#conversation = new Conversation(this.#kernel, this.#actions, this.#traffic);
    this.#attendance = new Attendance(this.#kernel, this.#welcomes, (connection, text) =>
      this.#conversation.hear(connection, text),
    );
    this.#time = new Timekeeping(this.#kernel);
    this.#drain = new Drain(this.#kernel, this.#attendance, this.#time);
    this.#kernel.clock(now);
    const held = [...sockets];
    for (const { peer, note } of held) this.#attendance.adopt(peer, note, held.length);
    const isHere = (user: string) => this.#kernel.delivery.of(user).size > 0;
    for (const member of graceAfterCut(parts, isHere, this.#kernel.now)) this.#attendance.change(member);
    this.#kernel.errands.restored();
    if (this.#isEnded) this.#closeAll();
    this.#kernel.flush();
    if (this.#isEnded) this.#kernel.errands.hurry();
    if (this.#isStored) this.#time.rearm();
  }

  /** Whether there is such a room, as anybody outside may know. */
  get exists(): boolean {
    return this.#isStored && !this.#isEnded;
  }

  get #isStored(): boolean {
    return this.#kernel.memory.n > 0 && !this.#isOver;
  }

  /** It was closed, and is here only for what it owes. */
  get #isEnded(): boolean {
    return this.parts.journal.head.isEnded === true;
  }

  /** It was cleaned up or closed: whoever comes next needs a new instance. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get counts(): { commits: number; sends: number; encodings: number } {
    const { commits, delivery } = this.#kernel;
    return { commits, sends: delivery.sent, encodings: this.#welcomes.encodings };
  }

  /** A socket that the edge let through. */
  join(peer: Peer, hello: Hello, now: number): void {
    this.#reap(this.#kernel.clock(now));
    // The name is free again as soon as the room that had it owes nothing.
    if (this.#isEnded) return sendAway(peer, IS_CLOSING, SLOW_RETRY_MS);
    if (this.#drain.isOn) return this.#drain.turnAway(peer);
    this.#openedBy(hello.guest);
    this.#attendance.join(peer, hello);
  }

  /** A socket is gone, from its side or the platform's; `note` is what it kept of itself. */
  left(id: string, note: SocketNote | undefined, now: number): void {
    this.#kernel.clock(now);
    this.#attendance.left(id, note);
  }

  /** What a socket said. */
  receive(id: string, text: unknown, now: number): void {
    const kernel = this.#kernel;
    const connection = kernel.delivery.get(id);
    if (!connection || connection.isClosed) return;
    kernel.clock(now);
    this.#conversation.hear(connection, text);
  }

  /** An action over HTTP, in the room's name. The answer may leave once this returns. */
  act(action: Action, caller: Caller, now: number): HttpAnswer {
    const kernel = this.#kernel;
    kernel.clock(now);
    this.#openedBy(false);
    if (this.#isEnded)
      return { ok: false, refused: refused("draining", IS_CLOSING, { retryAfterMs: SLOW_RETRY_MS }) };
    if (this.#drain.isOn) return { ok: false, refused: this.#drain.refusal() };
    const unwelcome = this.turnsAway(caller, now);
    if (unwelcome) return { ok: false, refused: unwelcome };
    const { user, role, allRooms } = caller;
    kernel.ledBy(role);
    const name = shownName(kernel.clean(caller.name) ?? "");
    const by = { user, role, name, forRoom: true, ...(allRooms ? { allRooms } : {}) };
    const answer = this.#actions.act(action, by, { as: overHttp(user) });
    kernel.flush();
    if (!answer.ok) return { ok: false, refused: kernel.refusal(answer.refused) };
    const { seq, answer: d } = answer;
    if (seq === undefined) return { ok: true, d: d ?? null };
    return { ok: true, seq, ...(d === undefined ? {} : { d }) };
  }

  /** Whoever may not come in does nothing from outside either. */
  turnsAway(caller: Caller, now: number): Refused | undefined {
    this.#kernel.clock(now);
    const farewell = this.#attendance.turnsAway({ ...caller, guest: false });
    if (!farewell) return undefined;
    const { reason, retryAfterMs } = farewell;
    return retryAfterMs === undefined
      ? refused("not_allowed", reason)
      : refused("unavailable", reason, { retryAfterMs });
  }

  /** What the platform tells a feature of the world outside. A word that makes no sense changes nothing, and is reported. */
  heard(feature: string, word: Json, now: number): boolean {
    const kernel = this.#kernel;
    kernel.clock(now);
    const found = kernel.features.get(feature);
    try {
      const outcome = found?.heard?.(kernel.situation(found), word);
      if (found && outcome) kernel.apply(found, outcome);
      return true;
    } catch (error) {
      this.parts.world.report(`A word for ${feature} could not be taken`, error);
      return false;
    } finally {
      kernel.flush();
    }
  }

  summary(now: number): RoomSummary {
    this.#kernel.clock(now);
    this.#kernel.flush();
    const { memory, delivery } = this.#kernel;
    const { epoch, seq, createdAt, members } = memory;
    const { feeds } = this.#kernel;
    return {
      ...this.parts.name,
      epoch,
      seq,
      users: members.size,
      connections: delivery.size,
      createdAt,
      feeds,
    };
  }

  /** For those who lead the room. `after`: a cursor of the page before, or 0. */
  members(after: number, now: number): MemberPage {
    this.#kernel.clock(now);
    this.#kernel.flush();
    return listMembers(this.#kernel, after);
  }

  /** The frame's timer. */
  tick(now: number): void {
    this.#kernel.clock(now);
    this.#kernel.tick();
    this.#reap(this.#kernel.now);
  }

  /** The alarm. Whatever it finds, it leaves with another one set, or with nothing stored. */
  alarm(now: number): void {
    const kernel = this.#kernel;
    kernel.clock(now);
    this.parts.wheel.rang();
    try {
      this.#time.runDue();
      this.#attendance.sayGoodbye();
      kernel.delivery.reap(kernel.now, this.parts.clock.ahead);
      this.#actions.sweep();
      this.#traffic.sweep(kernel.now);
      this.parts.log.trim(kernel.now);
      kernel.flush();
      kernel.errands.runDue();
      kernel.flush();
      if (this.#isStored && (this.#isEnded || this.#time.isForgotten())) this.#windUp();
    } finally {
      if (this.#isStored) this.#time.rearm();
    }
  }

  /** How an errand went; `call` is what it was begun with. */
  answered(call: string, result: ErrandResult, now: number): void {
    if (this.#isOver) return;
    const { errands, memory } = this.#kernel;
    const before = memory.errands.size;
    const isWatched = errands.isWatched(call);
    this.#kernel.clock(now);
    errands.answered(call, result);
    if (this.#isEnded) return this.#windUp();
    // The alarm that watched over the last of them has nothing left to watch: a room that sleeps is not woken for that.
    if (!isWatched || !this.#isStored || before === 0 || memory.errands.size > 0) return;
    this.parts.wheel.rang();
    this.#time.rearm();
  }

  /** About to be gone for a while. */
  drain(now: number): Drained {
    this.#kernel.clock(now);
    const drained = this.#drain.begin();
    this.#time.rearm();
    return drained;
  }

  /** Closed for good: everybody is told, and nothing of it stays; but what it owes the outside is settled first. */
  end(now: number): void {
    const kernel = this.#kernel;
    kernel.clock(now);
    kernel.flush();
    this.#closeAll();
    this.parts.journal.end();
    kernel.errands.hurry();
    this.#windUp();
    if (this.#isStored) this.#time.rearm();
  }

  #closeAll(): void {
    for (const connection of [...this.#kernel.delivery.all]) {
      this.#kernel.delivery.bye(connection, closeCodes.roomClosed, "This room has been closed.");
    }
  }

  /** It goes, unless it owes something still; then whatever comes of that brings it here again. */
  #windUp(): void {
    const kernel = this.#kernel;
    const isReady = this.#time.sayEnding(true);
    kernel.flush();
    if (isReady && kernel.memory.errands.size === 0) this.#forget();
  }

  /** Whoever was first, and it is written down with what they did: nobody else can be. */
  #openedBy(isGuest: boolean): void {
    const { head } = this.parts.journal;
    const { memory } = this.#kernel;
    if (memory.n > 0) return;
    memory.isGuests = isGuest;
    if (isGuest) head.isGuests = true;
    else delete head.isGuests;
  }

  #gone(connection: Connection): void {
    this.#traffic.forget(connection.id);
    this.#attendance.gone(connection);
  }

  /** At most once a ping while the room is busy: a look at every socket is not for every frame. */
  #reap(now: number): void {
    if (now - this.#reapedAt < PING_MS) return;
    this.#reapedAt = now;
    this.#kernel.delivery.reap(now, this.parts.clock.ahead);
  }

  /** Nothing of it stays, not even its alarm. */
  #forget(): void {
    const { storage, report, broken } = this.parts.world;
    this.#isOver = true;
    this.#kernel.drop();
    // The head goes first: a deletion that is cut short leaves no room with a part of its records.
    for (const write of [storage.deleteAlarm(), storage.delete([HEAD]), storage.deleteAll()]) {
      write.catch((error) => {
        report("A room could not be cleaned up", error);
        broken();
      });
    }
  }
}

const IS_CLOSING = "This room is being closed.";
