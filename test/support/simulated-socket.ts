import type { JoinTicket } from "../../src/room/inbound/join-ticket";
import type { Peer, SocketNote } from "../../src/room/ports";
import type { SimulatedClient } from "./simulated-client";
import type { SimulatedRoom } from "./simulated-room";

/** When an end of a broken connection learns of it: after so long, or (half-open) never by itself. */
export interface BreakTimes {
  hereAfterMs: number;
  thereAfterMs: number;
}

/**
 * A socket between a client and a room, with a network in it: each way takes its time and keeps its order. When it breaks,
 * some messages in flight still arrive and the rest never do, each way for itself.
 */
export class SimulatedSocket implements Peer {
  note: SocketNote | undefined;
  isOpenHere = true;
  isOpenThere = false;
  #upAt = 0;
  #downAt = 0;
  /** Nothing arrives later than this. */
  #upUntil = Number.POSITIVE_INFINITY;
  #downUntil = Number.POSITIVE_INFINITY;

  constructor(
    private readonly room: SimulatedRoom,
    readonly client: SimulatedClient,
    readonly link: number,
    readonly id: string,
  ) {}

  get isBroken(): boolean {
    return this.#upUntil !== Number.POSITIVE_INFINITY;
  }

  // ---- as the room sees it

  send(text: string): void {
    if (!this.isOpenThere) throw new TypeError("The socket cannot be sent to after it was closed.");
    this.room.world.release(() => this.#down(() => this.client.heard(this.link, text)));
  }

  close(code: number, reason: string): void {
    if (!this.isOpenThere) throw new TypeError("The socket is closed.");
    this.isOpenThere = false;
    this.room.world.release(() => {
      this.room.sockets.delete(this);
      this.#down(() => this.client.parted(this, { code, reason }));
    });
  }

  saveNote(note: SocketNote): void {
    this.note = structuredClone(note);
  }

  // ---- as the client sees it

  /** The handshake goes up. If the server is away, a close comes back. */
  open(ticket: JoinTicket): void {
    this.#upAt = this.room.now + (this.room.heldBackMs.shift() ?? 0);
    this.#up(
      () => {
        this.isOpenThere = true;
        this.room.sockets.add(this);
        this.room.turn((room, now) => room.join(this, ticket, now));
      },
      () => this.#down(() => this.client.parted(this, { code: 1006, reason: "" })),
    );
  }

  say(text: string): void {
    this.#up(() => {
      if (this.isOpenThere) this.room.turn((room, now) => room.receive(this.id, text, now));
    });
  }

  hangUp(): void {
    this.isOpenHere = false;
    this.#up(() => this.#gone());
  }

  // ---- what happens to it

  break({ hereAfterMs, thereAfterMs }: BreakTimes): void {
    if (this.isBroken) return;
    const { room } = this;
    this.#upUntil = room.now + room.latency();
    this.#downUntil = room.now + room.latency();
    if (Number.isFinite(hereAfterMs)) {
      room.at(room.now + hereAfterMs, () => this.client.parted(this, { code: 1006, reason: "" }));
    }
    if (Number.isFinite(thereAfterMs)) room.at(room.now + thereAfterMs, () => this.#gone());
  }

  /** With the server's process. */
  lose(hereAfterMs: number): void {
    this.isOpenThere = false;
    this.break({ hereAfterMs, thereAfterMs: Number.POSITIVE_INFINITY });
    this.#upUntil = this.room.now - 1;
  }

  #gone(): void {
    if (!this.room.sockets.delete(this)) return;
    this.isOpenThere = false;
    this.room.turn((room, now) => room.left(this.id, this.note, now));
  }

  #up(step: () => void, onAway?: () => void): void {
    const { room } = this;
    const at = Math.max(this.#upAt, room.now + room.latency());
    this.#upAt = at;
    room.at(at, () => {
      if (at > this.#upUntil) return;
      if (room.isUp) step();
      else onAway?.();
    });
  }

  #down(step: () => void): void {
    const { room } = this;
    const at = Math.max(this.#downAt, room.now + room.latency());
    this.#downAt = at;
    room.at(at, () => {
      if (at <= this.#downUntil && this.isOpenHere) step();
    });
  }
}
