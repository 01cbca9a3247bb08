import { closeCodes } from "../protocol/codes";
import { PING_MS, SLOW_RETRY_MS } from "../protocol/limits";
import type { Json } from "../protocol/messages";
import type { JoinRequest } from "./api/feature";
import type { Kind } from "./api/kind";
import { Committer, type RoomContext } from "./commit/committer";
import type { EffectResult } from "./commit/effects";
import { closeWithRetry } from "./delivery/close-with-retry";
import type { Connection } from "./delivery/connection";
import { listMembers, type MemberPage } from "./delivery/member-list";
import { Welcomes } from "./delivery/welcome";
import { type Action, Actions } from "./inbound/actions";
import { ConnectionLimits } from "./inbound/connection-limits";
import type { JoinTicket } from "./inbound/join-ticket";
import { Membership } from "./inbound/membership";
import { Inbound } from "./inbound/messages";
import { type Rejection, rejection } from "./inbound/rejections";
import type { HostPorts, Peer, SocketNote } from "./ports";
import type { RoomSettings } from "./settings";
import { httpOwner } from "./state/idempotency";
import { toDisplayName } from "./state/names";
import { HEAD } from "./storage/journal";
import { graceAfterCrash, restore } from "./storage/restore";
import { Drain, type DrainResult } from "./time/drain";
import { Timers } from "./time/timers";

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
export type Caller = Pick<JoinRequest, "user" | "name" | "role" | "bansCheckedAt" | "allRooms">;
export type HttpActionResult = { ok: true; seq?: number; d?: unknown } | { ok: false; rejection: Rejection };
export type Sockets = Iterable<{ peer: Peer; note: SocketNote | undefined }>;

/** One room. Every call says what time it is, none of them waits. */
export class Room {
  readonly #committer: Committer;
  readonly #actions: Actions;
  readonly #limits: ConnectionLimits;
  readonly #membership: Membership;
  readonly #inbound: Inbound;
  readonly #timers: Timers;
  readonly #drain: Drain;
  readonly #welcomes: Welcomes;
  #reapedAt = 0;
  #isOver = false;

  static async open(
    world: HostPorts,
    kind: Kind,
    name: { kind: string; id: string },
    settings: RoomSettings,
    sockets: Sockets,
    now: number,
  ): Promise<Room> {
    return new Room(await restore(world, kind, name, settings, now), sockets, now);
  }

  private constructor(
    private readonly context: RoomContext,
    sockets: Sockets,
    now: number,
  ) {
    this.#committer = new Committer(context, {
      gone: (connection) => this.#disconnected(connection),
      ends: (ending) => this.#membership.disconnect(ending),
    });
    this.#actions = new Actions(this.#committer);
    this.#welcomes = new Welcomes(this.#committer);
    this.#limits = new ConnectionLimits(context.settings.actionRate);
    this.#inbound = new Inbound(this.#committer, this.#actions, this.#limits);
    this.#membership = new Membership(this.#committer, this.#welcomes, (connection, text) =>
      this.#inbound.receive(connection, text),
    );
    this.#timers = new Timers(this.#committer);
    this.#drain = new Drain(this.#committer, this.#membership, this.#timers);
    this.#committer.readClock(now);
    const held = [...sockets];
    for (const { peer, note } of held) this.#membership.adopt(peer, note, held.length);
    const isHere = (user: string) => this.#committer.delivery.ofUser(user).size > 0;
    for (const member of graceAfterCrash(context, isHere, this.#committer.now))
      this.#membership.changeMember(member);
    this.#committer.effects.resumePending();
    if (this.#isEnded) this.#closeAll();
    this.#committer.flush();
    if (this.#isEnded) this.#committer.effects.runNow();
    if (this.#isStored) this.#timers.rearm();
  }

  /** Whether there is such a room, as anybody outside may know. */
  get exists(): boolean {
    return this.#isStored && !this.#isEnded;
  }

  get #isStored(): boolean {
    return this.#committer.state.n > 0 && !this.#isOver;
  }

  /** It was closed, and is here only for what it owes. */
  get #isEnded(): boolean {
    return this.context.journal.head.isEnded === true;
  }

  /** It was cleaned up or closed: whoever comes next needs a new instance. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get counts(): { commits: number; sends: number; encodings: number } {
    const { commits, delivery } = this.#committer;
    return { commits, sends: delivery.sent, encodings: this.#welcomes.encodings };
  }

  /** A socket that the edge let through. */
  join(peer: Peer, hello: JoinTicket, now: number): void {
    this.#closeIdle(this.#committer.readClock(now));
    // The name is free again as soon as the room that had it owes nothing.
    if (this.#isEnded) return closeWithRetry(peer, IS_CLOSING, SLOW_RETRY_MS);
    if (this.#drain.isOn) return this.#drain.rejectSocket(peer);
    this.#rememberOpener(hello.guest);
    this.#membership.join(peer, hello);
  }

  /** A socket is gone, from its side or the platform's; `note` is what it kept of itself. */
  left(id: string, note: SocketNote | undefined, now: number): void {
    this.#committer.readClock(now);
    this.#membership.left(id, note);
  }

  /** What a socket said. */
  receive(id: string, text: unknown, now: number): void {
    const kernel = this.#committer;
    const connection = kernel.delivery.get(id);
    if (!connection || connection.isClosed) return;
    kernel.readClock(now);
    this.#inbound.receive(connection, text);
  }

  /** An action over HTTP, in the room's name. The answer may leave once this returns. */
  act(action: Action, caller: Caller, now: number): HttpActionResult {
    const kernel = this.#committer;
    kernel.readClock(now);
    this.#rememberOpener(false);
    if (this.#isEnded)
      return { ok: false, rejection: rejection("draining", IS_CLOSING, { retryAfterMs: SLOW_RETRY_MS }) };
    if (this.#drain.isOn) return { ok: false, rejection: this.#drain.rejection() };
    const unwelcome = this.rejectCaller(caller, now);
    if (unwelcome) return { ok: false, rejection: unwelcome };
    const { user, role, allRooms } = caller;
    kernel.hostArrived(role);
    const name = toDisplayName(kernel.filterText(caller.name) ?? "");
    const by = { user, role, name, isOverHttp: true, ...(allRooms ? { allRooms } : {}) };
    const answer = this.#actions.act(action, by, { as: httpOwner(user) });
    kernel.flush();
    if (!answer.ok) return { ok: false, rejection: kernel.inMachineTime(answer.rejection) };
    const { seq, answer: d } = answer;
    if (seq === undefined) return { ok: true, d: d ?? null };
    return { ok: true, seq, ...(d === undefined ? {} : { d }) };
  }

  /** Whoever may not come in does nothing from outside either. */
  rejectCaller(caller: Caller, now: number): Rejection | undefined {
    this.#committer.readClock(now);
    const farewell = this.#membership.rejectJoin({ ...caller, guest: false });
    if (!farewell) return undefined;
    const { reason, retryAfterMs } = farewell;
    return retryAfterMs === undefined
      ? rejection("not_allowed", reason)
      : rejection("unavailable", reason, { retryAfterMs });
  }

  /** What the platform tells a feature of the world outside. A word that makes no sense changes nothing, and is reported. */
  receiveServiceMessage(feature: string, message: Json, now: number): boolean {
    const kernel = this.#committer;
    kernel.readClock(now);
    const found = kernel.features.get(feature);
    try {
      const outcome = found?.onServiceMessage?.(kernel.contextFor(found), message);
      if (found && outcome) kernel.apply(found, outcome);
      return true;
    } catch (error) {
      this.context.host.report(`A word for ${feature} could not be taken`, error);
      return false;
    } finally {
      kernel.flush();
    }
  }

  summary(now: number): RoomSummary {
    this.#committer.readClock(now);
    this.#committer.flush();
    const { state: memory, delivery } = this.#committer;
    const { epoch, seq, createdAt, members } = memory;
    const { feeds } = this.#committer;
    return {
      ...this.context.name,
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
    this.#committer.readClock(now);
    this.#committer.flush();
    return listMembers(this.#committer, after);
  }

  /** The frame's timer. */
  tick(now: number): void {
    this.#committer.readClock(now);
    this.#committer.tick();
    this.#closeIdle(this.#committer.now);
  }

  /** The alarm. Whatever it finds, it leaves with another one set, or with nothing stored. */
  alarm(now: number): void {
    const kernel = this.#committer;
    kernel.readClock(now);
    this.context.alarm.hasRung();
    try {
      this.#timers.runDue();
      this.#membership.leaveExpired();
      kernel.delivery.closeIdle(kernel.now, this.context.clock.aheadMs);
      this.#actions.sweep();
      this.#limits.sweep(kernel.now);
      this.context.log.trim(kernel.now);
      kernel.flush();
      kernel.effects.runDue();
      kernel.flush();
      if (this.#isStored && (this.#isEnded || this.#timers.isIdleTooLong())) this.#finishClosing();
    } finally {
      if (this.#isStored) this.#timers.rearm();
    }
  }

  /** How an errand went; `call` is what it was begun with. */
  effectAnswered(call: string, result: EffectResult, now: number): void {
    if (this.#isOver) return;
    const { effects: errands, state: memory } = this.#committer;
    const before = memory.effects.size;
    const isWatched = errands.isWatched(call);
    this.#committer.readClock(now);
    errands.answered(call, result);
    if (this.#isEnded) return this.#finishClosing();
    // The alarm that watched over the last of them has nothing left to watch: a room that sleeps is not woken for that.
    if (!isWatched || !this.#isStored || before === 0 || memory.effects.size > 0) return;
    this.context.alarm.hasRung();
    this.#timers.rearm();
  }

  /** About to be gone for a while. */
  drain(now: number): DrainResult {
    this.#committer.readClock(now);
    const drained = this.#drain.begin();
    this.#timers.rearm();
    return drained;
  }

  /** Closed for good: everybody is told, and nothing of it stays; but what it owes the outside is settled first. */
  close(now: number): void {
    const kernel = this.#committer;
    kernel.readClock(now);
    kernel.flush();
    this.#closeAll();
    this.context.journal.markEnded();
    kernel.effects.runNow();
    this.#finishClosing();
    if (this.#isStored) this.#timers.rearm();
  }

  #closeAll(): void {
    for (const connection of [...this.#committer.delivery.all]) {
      this.#committer.delivery.closeWith(connection, closeCodes.roomClosed, "This room has been closed.");
    }
  }

  /** It goes, unless it owes something still; then whatever comes of that brings it here again. */
  #finishClosing(): void {
    const kernel = this.#committer;
    const isReady = this.#timers.flushBeforeClose(true);
    kernel.flush();
    if (isReady && kernel.state.effects.size === 0) this.#deleteAll();
  }

  /** Whoever was first, and it is written down with what they did: nobody else can be. */
  #rememberOpener(isGuest: boolean): void {
    const { head } = this.context.journal;
    const { state: memory } = this.#committer;
    if (memory.n > 0) return;
    memory.openedByGuest = isGuest;
    if (isGuest) head.openedByGuest = true;
    else delete head.openedByGuest;
  }

  #disconnected(connection: Connection): void {
    this.#limits.forget(connection.id);
    this.#membership.disconnected(connection);
  }

  /** At most once a ping while the room is busy: a look at every socket is not for every frame. */
  #closeIdle(now: number): void {
    if (now - this.#reapedAt < PING_MS) return;
    this.#reapedAt = now;
    this.#committer.delivery.closeIdle(now, this.context.clock.aheadMs);
  }

  /** Nothing of it stays, not even its alarm. */
  #deleteAll(): void {
    const { storage, report, broken } = this.context.host;
    this.#isOver = true;
    this.#committer.discard();
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
