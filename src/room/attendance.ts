import { closeCodes, roles } from "../protocol/codes";
import {
  FULL_RETRY_MS,
  MAX_CONNECTIONS_PER_MEMBER,
  RESTART_GRACE_MS,
  SLOW_RETRY_MS,
} from "../protocol/limits";
import type { Bye } from "../protocol/messages";
import { Connection } from "./connection";
import type { Hello } from "./hello";
import type { Kernel } from "./kernel";
import type { Member } from "./members";
import type { Peer, SocketNote } from "./ports";
import type { Welcomes } from "./welcome";

/** Who is here: sockets that come and go, and the members that they are. */
export class Attendance {
  constructor(
    private readonly kernel: Kernel,
    private readonly welcomes: Welcomes,
    /** Says what a socket said before its welcome was out. */
    private readonly speak: (connection: Connection, text: unknown) => void,
  ) {}

  /** A socket that the edge let through. */
  join(peer: Peer, hello: Hello): void {
    const { kernel } = this;
    const { delivery, memory, now } = kernel;
    const before = memory.members.get(hello.user);
    const member = before ?? this.#newMember(hello);
    const expiresAt = hello.expiresAt + kernel.parts.clock.ahead;
    const connection = new Connection(peer, member, hello.role, hello.tab, expiresAt, 0, now);
    if (!before && memory.members.size >= kernel.parts.settings.maxUsers) {
      return delivery.bye(connection, closeCodes.full, "This room is full.", FULL_RETRY_MS);
    }
    const others = [...delivery.of(hello.user)];
    // The newer one is in before the older goes, so that its member is never seen to be away.
    delivery.add(connection);
    for (const other of others) {
      if (other.tab === hello.tab)
        delivery.bye(other, closeCodes.replaced, "This tab has a newer connection.");
    }
    if (delivery.of(hello.user).size > MAX_CONNECTIONS_PER_MEMBER) {
      return delivery.bye(connection, closeCodes.tooMuch, "You have too many connections.", FULL_RETRY_MS);
    }

    this.#admit(connection, before, { ...member, name: hello.name, role: hello.role });
    kernel.parts.wheel.ensure(expiresAt);
    // Nothing of the open frame may be told before it is durable: the welcome leaves with it.
    kernel.frame().after.push(() => this.#welcome(connection, hello));
    kernel.frame().later.push(() => {
      for (const text of connection.early.splice(0)) this.speak(connection, text);
    });
    kernel.settle(!kernel.frame().isDurable);
  }

  /** A socket that outlived the instance that let it in. */
  adopt(peer: Peer, note: SocketNote | undefined): void {
    // Not welcome yet: it is about to join.
    if (!note) return;
    const { kernel } = this;
    const member = kernel.memory.members.numbered(note.m);
    const role = roles[note.r];
    if (!member || !role) {
      const reason = "Please come back.";
      const code = closeCodes.draining;
      peer.send(JSON.stringify({ t: "bye", code, reason, retryAfterMs: SLOW_RETRY_MS } satisfies Bye));
      return peer.close(code, reason);
    }
    const connection = new Connection(peer, member, role, note.t, note.x, note.s, note.h);
    connection.hasPinged = note.g === 1;
    connection.isWelcome = true;
    connection.readTo = kernel.parts.log.positionOf(note.s);
    kernel.delivery.add(connection);
    if (kernel.parts.isRenewed) {
      const soon = Math.ceil(kernel.parts.world.chance() * SLOW_RETRY_MS);
      kernel.delivery.bye(connection, closeCodes.draining, "This room has new code.", soon);
      const away = kernel.memory.members.get(member.user);
      if (away?.leavesAt !== undefined) this.change({ ...away, leavesAt: kernel.now + RESTART_GRACE_MS });
      return;
    }
    // Sleep is no excuse: it has read nothing since then.
    if (note.c !== undefined) kernel.delivery.hold(connection, note.c, note.p ?? kernel.now);
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
    const leavesAt = kernel.now + kernel.parts.settings.leaveGraceMs;
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
    this.change({ ...member, leavesAt: kernel.now + kernel.parts.settings.leaveGraceMs });
    kernel.settle();
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

  #newMember({ user, name, role }: Hello): Member {
    return { user, name, role, number: this.kernel.memory.members.lastNumber + 1, since: this.kernel.now };
  }

  /** Somebody new, somebody back within the grace, or another socket of somebody here. */
  #admit(connection: Connection, before: Member | undefined, { leavesAt, ...here }: Member): void {
    // Another tab of somebody here says nothing new of who they are.
    const isAnother = this.kernel.delivery.of(here.user).size > 1;
    const isSame = before && (isAnother || (before.name === here.name && before.role === here.role));
    if (!isSame || leavesAt !== undefined) this.change(here);
    if (!isSame) this.#tellFeatures("joined", here);
    connection.member = this.kernel.memory.members.get(here.user) ?? here;
  }

  #tellFeatures(what: "joined" | "left", member: Member): void {
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
    connection.readTo = resumes ? log.positionOf(since) : log.end;
    connection.isWelcome = true;
    const isBehind = resumes && since < memory.seq;
    if (isBehind) delivery.hold(connection, since, now);
    delivery.direct(connection, this.welcomes.text(connection, resumes, token));
    if (isBehind) delivery.pump(connection, memory.seq);
    connection.note();
  }
}
