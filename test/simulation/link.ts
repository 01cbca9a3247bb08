import type { JoinTicket } from "../../src/room/inbound/join-ticket";
import type { Deployment } from "./deployment";
import type { RoomObject } from "./room-object";
import { ServerSocket } from "./server-socket";

export interface LinkEnd {
  onText(text: string): void;
  /** Closed by the room, or cut: `code` is absent then. */
  onClosed(code?: number): void;
}

/** How long a platform may take to find out that the other end is gone. */
const MAX_NOTICE_MS = 120_000;

/** One connection between a tab and a room: in order both ways, delayed by the network, until it is cut. */
export class Link {
  socket: ServerSocket | undefined;
  isClosed = false;
  /** Nothing arrives later than this: each way breaks for itself. */
  #upUntil = Number.POSITIVE_INFINITY;
  #downUntil = Number.POSITIVE_INFINITY;
  /** The other end reads nothing while this is set: texts wait on the way. */
  stalledUntil = 0;
  #upAt = 0;
  #downAt = 0;

  constructor(
    private readonly deployment: Deployment,
    readonly object: RoomObject,
    readonly user: string,
    readonly since: { epoch: string; seq: number } | undefined,
    private readonly end: LinkEnd,
  ) {}

  open(ticket: Omit<JoinTicket, "conn">, conn: string): void {
    this.deployment.counts.joins++;
    const heldBackMs = this.deployment.heldBackMs.shift();
    if (heldBackMs !== undefined) {
      this.deployment.countFault("handshake overtaken");
      this.#upAt = this.deployment.clock.now + heldBackMs;
    }
    this.#injectSecondSocketFault();
    this.#deliverUp(async () => {
      const { process } = this.object;
      // Guests of an address come into rooms that exist: who opened a room is not what they test.
      if (ticket.from !== undefined && !process.runtime.has("room")) return this.end.onClosed();
      this.deployment.trace(
        () => `  ${conn} ${ticket.user} joins ${this.object.name} from ${ticket.since ?? "nowhere"}`,
      );
      const socket = new ServerSocket(conn, ticket.user, process, this);
      this.socket = socket;
      process.sockets.add(socket);
      if (this.#isCut) this.deployment.clock.in(this.deployment.plan.noticeMs, () => socket.onGone());
      await process.deliver((host) => host.join(process.createPeer(socket), { ...ticket, conn }));
    });
  }

  sendUp(text: string): void {
    if (this.isClosed) return;
    this.deployment.counts.messages++;
    this.#deliverUp(() => {
      const { socket } = this;
      if (!socket || socket.isGone) return;
      this.#trace("says", text);
      if (text === "ping" && this.deployment.plan.answersPings) {
        socket.pongedAt = socket.process.now;
        return this.sendDown("pong");
      }
      const seen = /^\{"t":"seen","seq":(\d+)/.exec(text);
      if (seen) socket.stream.onSeen(Number(seen[1]));
      return socket.process.deliver((host) => host.receive(socket, text));
    });
  }

  sendDown(text: string): void {
    this.#deliverDown(() => {
      this.socket?.stream.arrived(text);
      this.#trace("hears", text);
      this.end.onText(text);
    });
  }

  /** The room closes it: the client learns of it after all that was sent, and answers. */
  closeFromRoom(code: number, _reason: string): void {
    this.#deliverDown(() => {
      this.end.onClosed(code);
      this.close();
    });
  }

  /** The client closes its side. */
  close(): void {
    if (this.isClosed) return;
    this.#deliverUp(() => this.socket?.onGone());
    this.isClosed = true;
  }

  /** Messages in flight are lost. Each end finds out in its own time, the room's perhaps never. */
  cut(): void {
    if (this.#isCut) return;
    const { clock, random, plan, injectsFaults: faults } = this.deployment;
    // Messages in flight may still arrive; later ones do not.
    this.#upUntil = clock.now + (random.below(2) ? random.below(plan.netMs + 1) : -1);
    this.#downUntil = clock.now + (random.below(2) ? random.below(plan.netMs + 1) : -1);
    const isHalfOpen = faults && random.below(6) === 0;
    if (isHalfOpen) this.deployment.countFault("half-open at the client");
    else {
      clock.in(random.below(plan.noticeMs + 1), () => {
        this.isClosed = true;
        this.end.onClosed();
      });
    }
    const isSilent = faults && random.below(4) === 0;
    if (isSilent) this.deployment.countFault("half-open at the room");
    clock.in(random.below(isSilent ? MAX_NOTICE_MS : plan.noticeMs + 1), () => this.socket?.onGone());
  }

  /** A second socket's handshake is on its way when the client hears that it broke, or closes it; and arrives. */
  #injectSecondSocketFault(): void {
    const { clock, secondSocketFaults: seconds, injectsFaults: faults } = this.deployment;
    const isSecond = [...this.object.process.sockets].some(
      ({ user, isOpen }) => user === this.user && isOpen,
    );
    const how = seconds.get(this.user);
    if (!faults || !isSecond || how === undefined) return;
    seconds.delete(this.user);
    this.deployment.countFault("handshake overtaken");
    if (how === "comes late") {
      this.#upAt = clock.now + 25_000;
      return;
    }
    this.#upAt = clock.now + 1_500;
    clock.in(100, () => {
      this.isClosed = true;
      this.end.onClosed();
    });
    clock.in(6_000, () => this.socket?.onGone());
  }

  get #isCut(): boolean {
    return this.#upUntil !== Number.POSITIVE_INFINITY;
  }

  #trace(what: string, text: string): void {
    this.deployment.trace(() => `  ${this.socket?.id ?? ""} ${this.user} ${what} ${text.slice(0, 160)}`);
  }

  #deliverUp(arrive: () => void | Promise<void>): void {
    const { clock } = this.deployment;
    this.#upAt = Math.max(this.#upAt, clock.now + this.deployment.drawNetMs());
    const at = this.#upAt;
    clock.at(at, () => (at > this.#upUntil ? this.deployment.countFault("message lost") : arrive()));
  }

  #deliverDown(arrive: () => void): void {
    const { clock } = this.deployment;
    this.#downAt = Math.max(this.#downAt, clock.now + this.deployment.drawNetMs(), this.stalledUntil);
    const at = this.#downAt;
    clock.at(at, () => {
      if (at > this.#downUntil) this.deployment.countFault("message lost");
      else if (!this.isClosed) arrive();
    });
  }
}
