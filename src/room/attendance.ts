import { closeCodes, roles } from "../protocol/codes";
import {
  FULL_RETRY_MS,
  MAX_CONNECTIONS_PER_MEMBER,
  PAUSE_BYTES,
  RESTART_GRACE_MS,
  SEEN_EVERY_BYTES,
  SLOW_RETRY_MS,
} from "../protocol/limits";
import { Connection } from "./connection";
import type { Ending, Farewell, Newcomer } from "./feature";
import type { Hello } from "./hello";
import type { Kernel } from "./kernel";
import type { Member } from "./members";
import { shownName } from "./names";
import { pauseOf, windowsOf } from "./offences";
import type { Peer, SocketNote } from "./ports";
import { Seats } from "./seats";
import { sendAway } from "./send-away";
import type { Welcomes } from "./welcome";

/** Who is here: sockets that come and go, and the members that they are. */
export class Attendance {
  /** Whoever goes before this is not said to have left before it. */
  #excusedUntil = Number.NEGATIVE_INFINITY;
  readonly #seats: Seats;

  constructor(
    private readonly kernel: Kernel,
    private readonly welcomes: Welcomes,
    /** Says what a socket said before its welcome was out. */
    private readonly speak: (connection: Connection, text: unknown) => void,
  ) {
    this.#seats = new Seats(kernel, (member) => this.change(member));
  }

  /** A socket that the edge let through. */
  join(peer: Peer, told: Hello): void {
    const { kernel } = this;
    const hello = inRoomTime(told, kernel.parts.clock.ahead);
    const { delivery, memory, now } = kernel;
    const before = memory.members.get(hello.user);
    const member = before ?? this.#newMember(hello);
    const from = hello.guest ? hello.from : undefined;
    const { role, tab, expiresAt, allRooms } = hello;
    const connection = new Connection(peer, member, role, tab, expiresAt, 0, now, from, allRooms);
    const pauseMs = pauseOf(memory.windows, windowsOf(hello.user, from), now);
    if (pauseMs > 0) return delivery.bye(connection, closeCodes.tooMuch, "You did too much here.", pauseMs);
    const refusal = this.turnsAway(hello);
    if (refusal) return delivery.bye(connection, refusal.code, refusal.reason, refusal.retryAfterMs);
    const name = this.#nameOf(hello, before);
    if (name === undefined)
      return delivery.bye(connection, closeCodes.notAllowed, "That name is not used here.");
    if (!before && memory.members.size >= this.#seats.limitFor(hello.role)) {
      this.#seats.askUnheard();
      return delivery.bye(connection, closeCodes.full, "This room is full.", this.#whenThereIsRoom());
    }
    const others = [...delivery.of(hello.user)];
    // The newer one is in before the older goes, so that its member is never seen to be away.
    delivery.add(connection);
    for (const other of others) {
      if (other.tab === hello.tab)
        delivery.bye(other, closeCodes.replaced, "This tab has a newer connection.");
    }
    if (delivery.of(hello.user).size > MAX_CONNECTIONS_PER_MEMBER) {
      return delivery.bye(
        connection,
        closeCodes.tooMuch,
        "You have too many connections.",
        this.#whenThereIsRoom(),
      );
    }

    kernel.ledBy(hello.role);
    const { asked: _, ...known } = member;
    const asked = name === hello.name ? {} : { asked: hello.name };
    const whence = from === undefined ? {} : { from };
    this.#admit(connection, before, { ...known, name, ...asked, ...whence, role: hello.role });
    kernel.parts.wheel.ensure(kernel.parts.clock.roomAt(hello.expiresAt));
    // Nothing of the open frame may be told before it is durable: the welcome leaves with it.
    kernel.frame().after.push(() => this.#welcome(connection, hello));
    kernel.frame().later.push(() => {
      for (const text of connection.early.splice(0)) this.speak(connection, text);
    });
    kernel.settle(!kernel.frame().isDurable);
  }

  /** A socket that outlived the instance that let it in. */
  adopt(peer: Peer, note: SocketNote | undefined, of: number): void {
    // Not welcome yet: it is about to join.
    if (!note) return;
    const { kernel } = this;
    const member = kernel.memory.members.numbered(note.m);
    const role = roles[note.r];
    if (!member || !role) {
      return sendAway(peer, "Please come back.", kernel.comeBack.ofCrowd(of));
    }
    // The room's time may have been further ahead than what is stored of it.
    const heardAt = Math.min(note.h, kernel.now);
    const allRooms = note.w === 1 ? true : undefined;
    const connection = new Connection(peer, member, role, note.t, note.x, note.s, heardAt, note.a, allRooms);
    connection.hasPinged = note.g === 1;
    const { log } = kernel.parts;
    // It may not know that they are counted: it is left room enough to owe a word of what it reads next.
    const answers = Math.min(note.u ?? 0, PAUSE_BYTES - SEEN_EVERY_BYTES);
    const sentTo = note.c === undefined ? log.end : log.positionOf(note.c);
    if (answers > 0) connection.owe(sentTo, answers);
    connection.beginAt(log.positionOf(note.s), sentTo, note.v);
    connection.hasProved = note.q === 1;
    if (note.k !== undefined) connection.giveMark(note.k, sentTo);
    connection.isWelcome = true;
    kernel.delivery.add(connection);
    if (kernel.parts.isRenewed) {
      const soon = kernel.comeBack.ofCrowd(of);
      kernel.delivery.bye(connection, closeCodes.draining, "This room has new code.", soon);
      const away = kernel.memory.members.get(member.user);
      if (away?.leavesAt !== undefined) this.change({ ...away, leavesAt: kernel.now + RESTART_GRACE_MS });
      return;
    }
    if (note.o) {
      return kernel.delivery.bye(
        connection,
        closeCodes.draining,
        "Please ask again.",
        kernel.comeBack.ofCrowd(of),
      );
    }
    // Sleep is no excuse: it has read nothing since then.
    if (note.c !== undefined)
      kernel.delivery.hold(connection, note.c, Math.min(note.p ?? kernel.now, kernel.now));
    if (member.leavesAt === undefined) return;
    const { leavesAt: _, ...here } = member;
    this.change(here);
  }

  /** A socket is gone, from its side or the platform's. */
  left(id: string, note: SocketNote | undefined): void {
    const { kernel } = this;
    const connection = kernel.delivery.get(id);
    if (connection) return this.gone(connection);
    // Its close is what woke this instance, which therefore never knew it.
    const member = note && kernel.memory.members.numbered(note.m);
    if (!member || kernel.delivery.of(member.user).size > 0) return;
    const leavesAt = this.#leavesAt();
    if ((member.leavesAt ?? Number.POSITIVE_INFINITY) > leavesAt) this.change({ ...member, leavesAt });
    kernel.settle();
  }

  /** Also called where we told it `bye`: the platform's own close may lag by seconds. */
  gone(connection: Connection): void {
    const { kernel } = this;
    if (kernel.delivery.get(connection.id) !== connection) return;
    kernel.delivery.remove(connection);
    const { user } = connection.member;
    const member = kernel.memory.members.get(user);
    if (!member || kernel.delivery.of(user).size > 0) return;
    this.change({ ...member, leavesAt: this.#leavesAt() });
    kernel.settle();
  }

  /** Somebody has to go: they have left with the open frame, and are told once that is durable. */
  end({ user, code, reason, retryAfterMs }: Ending): void {
    const { kernel } = this;
    const theirs = [...kernel.delivery.of(user)];
    const member = kernel.memory.members.get(user);
    if (member) {
      kernel.changeMember({ user });
      this.#tellFeatures("left", member);
    }
    kernel.frame().after.push(() => {
      for (const connection of theirs) kernel.delivery.bye(connection, code, reason, retryAfterMs);
    });
  }

  /** Everybody is sent away, or kept out: nobody is said to have left for that. */
  excuse(until: number): void {
    this.#excusedUntil = until;
    for (const member of this.kernel.memory.members.all.values()) {
      if ((member.leavesAt ?? until) < until) this.change({ ...member, leavesAt: until });
    }
  }

  /** The graces that have ended: these members are said to have left. */
  sayGoodbye(): void {
    for (const member of this.kernel.memory.members.gone(this.kernel.now)) {
      this.kernel.changeMember({ user: member.user });
      this.#tellFeatures("left", member);
    }
  }

  change(member: Member): void {
    this.kernel.changeMember(member);
    for (const connection of this.kernel.delivery.of(member.user)) connection.member = member;
    if (member.leavesAt !== undefined) this.kernel.parts.wheel.ensure(member.leavesAt);
  }

  #leavesAt(): number {
    const { now, parts } = this.kernel;
    return Math.max(now + parts.settings.leaveGraceMs, this.#excusedUntil);
  }

  #newMember({ user, name, role, guest, from, openedAt }: Hello): Member {
    const number = this.kernel.memory.members.lastNumber + 1;
    const whence = from === undefined ? {} : { from };
    const opened = openedAt === undefined ? {} : { openedAt };
    const asGuest = guest ? { guest, ...whence, ...opened } : {};
    return { user, name, role, number, since: this.kernel.now, ...asGuest };
  }

  /** As it may be shown here, told apart from everybody else's; nothing where this kind of room will not have it. */
  #nameOf({ user, name }: Hello, before: Member | undefined): string | undefined {
    if (before && (before.asked ?? before.name) === name) return before.name;
    const clean = this.kernel.clean(name);
    return clean === undefined
      ? undefined
      : this.kernel.memory.members.names.distinct(user, shownName(clean));
  }

  #whenThereIsRoom(): number {
    return this.kernel.comeBack.next(FULL_RETRY_MS, FULL_RETRY_MS);
  }

  /** Somebody new, somebody back within the grace, or another socket of somebody here. */
  #admit(connection: Connection, before: Member | undefined, { leavesAt, ...here }: Member): void {
    // Another tab of somebody here says nothing new of who they are, but for a higher role: nobody is to act by one and be
    // moderated by a lower.
    const isAnother = this.kernel.delivery.of(here.user).size > 1;
    const isRaised = before && roles.indexOf(here.role) > roles.indexOf(before.role);
    const isSame =
      before && !isRaised && (isAnother || (before.name === here.name && before.role === here.role));
    const now = before && isAnother && isRaised ? { ...before, role: here.role } : here;
    // While another of their sockets stays where they were, that is where they are.
    const isMoved = before && !isAnother && before.from !== here.from;
    if (!isSame || leavesAt !== undefined || isMoved) this.change(now);
    if (!isSame) this.#tellFeatures("joined", now);
    else if (isMoved) this.#tellFeatures("moved", now);
    connection.member = this.kernel.memory.members.get(here.user) ?? here;
  }

  /** A feature whose word cannot be had lets nobody in: it may be the one that keeps somebody out. */
  turnsAway(newcomer: Newcomer): Farewell | undefined {
    const { kernel } = this;
    for (const feature of kernel.features.values()) {
      try {
        const refusal = feature.admits?.(kernel.situation(feature), newcomer);
        if (refusal) return refusal;
      } catch (error) {
        kernel.parts.world.report(
          `${feature.name} could not say whether ${newcomer.user} may come in`,
          error,
        );
        const retryAfterMs = kernel.comeBack.next(SLOW_RETRY_MS, SLOW_RETRY_MS);
        return { code: closeCodes.draining, reason: "Please come back.", retryAfterMs };
      }
    }
    return undefined;
  }

  #tellFeatures(what: "joined" | "moved" | "left", member: Member): void {
    const { kernel } = this;
    for (const feature of kernel.features.values()) {
      try {
        const outcome = feature[what]?.(kernel.situation(feature), member);
        if (outcome) kernel.apply(feature, outcome);
      } catch (error) {
        kernel.parts.world.report(`${feature.name} failed when ${member.user} ${what}`, error);
      }
    }
  }

  #welcome(connection: Connection, { epoch, since, token }: Hello): void {
    if (connection.isClosed) return;
    const { memory, delivery, now, parts } = this.kernel;
    const { log, journal } = parts;
    const isOfThisLife = epoch === memory.epoch && since !== undefined;
    const isKnown = isOfThisLife && since <= memory.seq && since >= journal.head.floor;
    const resumes = isKnown && (since === memory.seq || log.reaches(since));
    connection.seen = resumes ? since : memory.seq;
    connection.beginAt(resumes ? log.positionOf(since) : log.end);
    const isBehind = resumes && since < memory.seq;
    if (isBehind) delivery.hold(connection, since, now);
    delivery.welcome(connection, this.welcomes.text(connection, resumes, token));
    connection.isWelcome = true;
    if (isBehind) delivery.pump(connection, memory.seq);
    connection.note();
  }
}

/** A token's times are by the machine's clock. */
function inRoomTime(hello: Hello, ahead: number): Hello {
  const { openedAt } = hello;
  return openedAt === undefined ? hello : { ...hello, openedAt: openedAt + ahead };
}
