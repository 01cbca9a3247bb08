import { closeCodes, roles } from "../../protocol/codes";
import {
  FULL_RETRY_MS,
  MAX_CONNECTIONS_PER_MEMBER,
  PAUSE_BYTES,
  RESTART_GRACE_MS,
  SEEN_EVERY_BYTES,
  SLOW_RETRY_MS,
} from "../../protocol/limits";
import type { Close, Disconnect, JoinRequest } from "../api/feature";
import type { Committer } from "../commit/committer";
import { closeWithRetry } from "../delivery/close-with-retry";
import { Connection } from "../delivery/connection";
import type { Welcomes } from "../delivery/welcome";
import type { Peer, SocketNote } from "../ports";
import type { Member } from "../state/members";
import { toDisplayName } from "../state/names";
import type { JoinTicket } from "./join-ticket";
import { penaltyMs, windowKeys } from "./penalties";
import { Seats } from "./seats";

/** Who is here: sockets that come and go, and the members that they are. */
export class Membership {
  /** Whoever goes before this is not said to have left before it. */
  #noLeavesUntil = Number.NEGATIVE_INFINITY;
  readonly #seats: Seats;

  constructor(
    private readonly kernel: Committer,
    private readonly welcomes: Welcomes,
    /** Says what a socket said before its welcome was out. */
    private readonly receiveEarly: (connection: Connection, text: unknown) => void,
  ) {
    this.#seats = new Seats(kernel, (member) => this.changeMember(member));
  }

  /** A socket that the edge let through. */
  join(peer: Peer, ticket: JoinTicket): void {
    const { kernel } = this;
    const { delivery, state: memory, now } = kernel;
    const before = memory.members.get(ticket.user);
    const member = before ?? this.#newMember(ticket);
    const from = ticket.guest ? ticket.from : undefined;
    const { role, tab, expiresAt, allRooms } = ticket;
    const connection = new Connection(peer, member, role, tab, expiresAt, 0, now, from, allRooms);
    const pauseMs = penaltyMs(memory.windows, windowKeys(ticket.user, from), now);
    if (pauseMs > 0)
      return delivery.closeWith(connection, closeCodes.tooMuch, "You did too much here.", pauseMs);
    const refusal = this.rejectJoin(ticket);
    if (refusal)
      return delivery.closeWith(connection, refusal.closeCode, refusal.reason, refusal.retryAfterMs);
    const name = this.#nameOf(ticket, before);
    if (name === undefined)
      return delivery.closeWith(connection, closeCodes.notAllowed, "That name is not used here.");
    if (!before && memory.members.size >= this.#seats.limitFor(ticket.role)) {
      this.#seats.askSilentMembers();
      return delivery.closeWith(connection, closeCodes.full, "This room is full.", this.#fullRetryMs());
    }
    const others = [...delivery.ofUser(ticket.user)];
    // The newer one is in before the older goes, so that its member is never seen to be away.
    delivery.add(connection);
    for (const other of others) {
      if (other.tab === ticket.tab)
        delivery.closeWith(other, closeCodes.replaced, "This tab has a newer connection.");
    }
    if (delivery.ofUser(ticket.user).size > MAX_CONNECTIONS_PER_MEMBER) {
      return delivery.closeWith(
        connection,
        closeCodes.tooMuch,
        "You have too many connections.",
        this.#fullRetryMs(),
      );
    }

    kernel.hostArrived(ticket.role);
    const { requestedName: _, allRooms: __, ...known } = member;
    const requested = name === ticket.name ? {} : { requestedName: ticket.name };
    const address = from === undefined ? {} : { from };
    this.#admit(connection, before, {
      ...{ ...known, name, ...requested, ...address, role },
      ...(role === "admin" && allRooms ? { allRooms } : {}),
    });
    kernel.context.alarm.ringBy(kernel.context.clock.roomAt(ticket.expiresAt));
    // Nothing of the open frame may be told before it is durable: the welcome leaves with it.
    kernel.openFrame().onCommitted.push(() => this.#welcome(connection, ticket));
    kernel.openFrame().afterCommitted.push(() => {
      for (const text of connection.early.splice(0)) this.receiveEarly(connection, text);
    });
    kernel.scheduleCommit(!kernel.openFrame().isDurable);
  }

  /** A socket that outlived the instance that let it in. */
  adopt(peer: Peer, note: SocketNote | undefined, socketCount: number): void {
    // Not welcome yet: it is about to join.
    if (!note) return;
    const { kernel } = this;
    const member = kernel.state.members.byNumber(note.m);
    const role = roles[note.r];
    if (!member || !role) {
      return closeWithRetry(peer, "Please come back.", kernel.retrySpread.forCrowdMs(socketCount));
    }
    // The room's time may have been further ahead than what is stored of it.
    const heardAt = Math.min(note.h, kernel.now);
    const allRooms = note.w === 1 ? true : undefined;
    const connection = new Connection(peer, member, role, note.t, note.x, note.s, heardAt, note.a, allRooms);
    connection.hasPinged = note.g === 1;
    const { log } = kernel.context;
    // It may not know that they are counted: it is left room enough to owe a word of what it reads next.
    const answers = Math.min(note.u ?? 0, PAUSE_BYTES - SEEN_EVERY_BYTES);
    const sentTo = note.c === undefined ? log.end : log.positionOf(note.c);
    if (answers > 0) connection.addUnread(sentTo, answers);
    connection.startAt(log.positionOf(note.s), sentTo, note.v);
    connection.hasProved = note.q === 1;
    if (note.k !== undefined) connection.giveMark(note.k, sentTo, note.b);
    connection.isWelcome = true;
    kernel.delivery.add(connection);
    if (kernel.context.isRenewed) {
      const soon = kernel.retrySpread.forCrowdMs(socketCount);
      kernel.delivery.closeWith(connection, closeCodes.draining, "This room has new code.", soon);
      const away = kernel.state.members.get(member.user);
      if (away?.leavesAt !== undefined)
        this.changeMember({ ...away, leavesAt: kernel.now + RESTART_GRACE_MS });
      return;
    }
    if (note.o) {
      return kernel.delivery.closeWith(
        connection,
        closeCodes.draining,
        "Please ask again.",
        kernel.retrySpread.forCrowdMs(socketCount),
      );
    }
    // Sleep is no excuse: it has read nothing since then.
    if (note.c !== undefined)
      kernel.delivery.pause(connection, note.c, Math.min(note.p ?? kernel.now, kernel.now));
    if (member.leavesAt === undefined) return;
    const { leavesAt: _, ...here } = member;
    this.changeMember(here);
  }

  /** A socket is gone, from its side or the platform's. */
  left(id: string, note: SocketNote | undefined): void {
    const { kernel } = this;
    const connection = kernel.delivery.get(id);
    if (connection) return this.disconnected(connection);
    // Its close is what woke this instance, which therefore never knew it.
    const member = note && kernel.state.members.byNumber(note.m);
    if (!member || kernel.delivery.ofUser(member.user).size > 0) return;
    const leavesAt = this.#leavesAt();
    if ((member.leavesAt ?? Number.POSITIVE_INFINITY) > leavesAt) this.changeMember({ ...member, leavesAt });
    kernel.scheduleCommit();
  }

  /** Also called where we told it `bye`: the platform's own close may lag by seconds. */
  disconnected(connection: Connection): void {
    const { kernel } = this;
    if (kernel.delivery.get(connection.id) !== connection) return;
    kernel.delivery.remove(connection);
    const { user } = connection.member;
    const member = kernel.state.members.get(user);
    if (!member || kernel.delivery.ofUser(user).size > 0) return;
    this.changeMember({ ...member, leavesAt: this.#leavesAt() });
    kernel.scheduleCommit();
  }

  /** Somebody has to go: they have left with the open frame, and are told once that is durable. */
  disconnect({ user, closeCode: code, reason, retryAfterMs }: Disconnect): void {
    const { kernel } = this;
    const theirs = [...kernel.delivery.ofUser(user)];
    const member = kernel.state.members.get(user);
    if (member) {
      kernel.changeMember({ user });
      this.#notifyFeatures("left", member);
    }
    kernel.openFrame().onCommitted.push(() => {
      for (const connection of theirs) kernel.delivery.closeWith(connection, code, reason, retryAfterMs);
    });
  }

  /** Everybody is sent away, or kept out: nobody is said to have left for that. */
  postponeLeaves(until: number): void {
    this.#noLeavesUntil = until;
    for (const member of this.kernel.state.members.all.values()) {
      if ((member.leavesAt ?? until) < until) this.changeMember({ ...member, leavesAt: until });
    }
  }

  /** The graces that have ended: these members are said to have left. */
  leaveExpired(): void {
    for (const member of this.kernel.state.members.expired(this.kernel.now)) {
      this.kernel.changeMember({ user: member.user });
      this.#notifyFeatures("left", member);
    }
  }

  changeMember(member: Member): void {
    this.kernel.changeMember(member);
    for (const connection of this.kernel.delivery.ofUser(member.user)) connection.member = member;
    if (member.leavesAt !== undefined) this.kernel.context.alarm.ringBy(member.leavesAt);
  }

  #leavesAt(): number {
    const { now, context: parts } = this.kernel;
    return Math.max(now + parts.settings.leaveGraceMs, this.#noLeavesUntil);
  }

  #newMember({ user, name, role, guest, from }: JoinTicket): Member {
    const number = this.kernel.state.members.lastNumber + 1;
    const origin = from === undefined ? {} : { from };
    const asGuest = guest ? { guest, ...origin } : {};
    return { user, name, role, number, since: this.kernel.now, ...asGuest };
  }

  /** As it may be shown here, told apart from everybody else's; nothing where this kind of room will not have it. */
  #nameOf({ user, name }: JoinTicket, before: Member | undefined): string | undefined {
    if (before && (before.requestedName ?? before.name) === name) return before.name;
    const clean = this.kernel.filterText(name);
    return clean === undefined
      ? undefined
      : this.kernel.state.members.names.makeDistinct(user, toDisplayName(clean));
  }

  #fullRetryMs(): number {
    return this.kernel.retrySpread.nextMs(FULL_RETRY_MS, FULL_RETRY_MS);
  }

  /** Somebody new, somebody back within the grace, or another socket of somebody here. */
  #admit(connection: Connection, before: Member | undefined, { leavesAt, ...here }: Member): void {
    // Another tab of somebody here says nothing new of who they are, but for a higher role: nobody is to act by one and be
    // moderated by a lower.
    const isAnother = this.kernel.delivery.ofUser(here.user).size > 1;
    const isRaised = before && rankOf(here) > rankOf(before);
    const isSame =
      before && !isRaised && (isAnother || (before.name === here.name && rankOf(before) === rankOf(here)));
    const allRooms = here.allRooms ? { allRooms: here.allRooms } : {};
    const now = before && isAnother && isRaised ? { ...before, role: here.role, ...allRooms } : here;
    // While another of their sockets stays where they were, that is where they are.
    const isMoved = before && !isAnother && before.from !== here.from;
    if (!isSame || leavesAt !== undefined || isMoved) this.changeMember(now);
    if (!isSame) this.#notifyFeatures("joined", now);
    else if (isMoved) this.#notifyFeatures("addressChanged", now);
    connection.member = this.kernel.state.members.get(here.user) ?? here;
  }

  /** A feature whose word cannot be had lets nobody in: it may be the one that keeps somebody out. */
  rejectJoin(request: JoinRequest): Close | undefined {
    const { kernel } = this;
    for (const feature of kernel.features.values()) {
      try {
        const refusal = feature.authorizeJoin?.(kernel.contextFor(feature), request);
        if (refusal) return refusal;
      } catch (error) {
        kernel.context.host.report(
          `${feature.name} could not say whether ${request.user} may come in`,
          error,
        );
        const retryAfterMs = kernel.retrySpread.nextMs(SLOW_RETRY_MS, SLOW_RETRY_MS);
        return { closeCode: closeCodes.draining, reason: "Please come back.", retryAfterMs };
      }
    }
    return undefined;
  }

  #notifyFeatures(what: "joined" | "addressChanged" | "left", member: Member): void {
    const { kernel } = this;
    for (const feature of kernel.features.values()) {
      try {
        const outcome = feature[what]?.(kernel.contextFor(feature), member);
        if (outcome) kernel.apply(feature, outcome);
      } catch (error) {
        kernel.context.host.report(`${feature.name} failed when ${member.user} ${what}`, error);
      }
    }
  }

  #welcome(connection: Connection, { epoch, since, token }: JoinTicket): void {
    if (connection.isClosed) return;
    const { state: memory, delivery, now, context: parts } = this.kernel;
    const { log, journal } = parts;
    const isOfThisLife = epoch === memory.epoch && since !== undefined;
    const isKnown = isOfThisLife && since <= memory.seq && since >= journal.head.floor;
    const resumes = isKnown && (since === memory.seq || log.reaches(since));
    connection.seen = resumes ? since : memory.seq;
    connection.startAt(resumes ? log.positionOf(since) : log.end);
    const isBehind = resumes && since < memory.seq;
    if (isBehind) delivery.pause(connection, since, now);
    delivery.welcome(connection, this.welcomes.text(connection, resumes, token));
    connection.isWelcome = true;
    if (isBehind) delivery.sendFromCursor(connection, memory.seq);
    connection.saveNote();
  }
}

/** An admin of some rooms is less than one of all rooms, and more than a host. */
function rankOf({ role, allRooms }: Member): number {
  return roles.indexOf(role) + (allRooms ? 1 : 0);
}
