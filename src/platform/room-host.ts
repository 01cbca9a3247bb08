import type { Hello } from "../room/hello";
import { HEAD, type Head } from "../room/journal";
import type { Kind } from "../room/kind";
import type { Peer, SocketNote, Storage } from "../room/ports";
import { Room } from "../room/room";
import type { RoomSettings } from "../room/settings";

/** What a platform gives for one object. */
export interface Host {
  storage: Storage;
  settings: RoomSettings;
  /** Delivers nothing to this object until the work is done. */
  block<T>(work: () => Promise<T>): Promise<T>;
  /** The sockets that this object holds, also those from before it slept. */
  sockets(): Iterable<{ peer: Peer; note: SocketNote | undefined }>;
  /** A write failed: what this instance knows is not what is stored. */
  abandon(): void;
  /** Tells when an instance comes to life. */
  isDebugging: boolean;
}

/** Keeps the one Room of an object: opens it, gives it a timer, and makes it anew when it is over. */
export class RoomHost {
  #room: Room | undefined;
  #opening: Promise<Room> | undefined;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly host: Host,
    private readonly kindOf: (name: string) => Kind | undefined,
  ) {}

  /** The room if it is there without waiting: what a message on a live socket finds. */
  get live(): Room | undefined {
    return this.#room?.isOver ? undefined : this.#room;
  }

  /** `named` is the room's name where the platform tells it; storage knows it of a room that exists. */
  async open(named?: { kind: string; id: string }): Promise<Room | undefined> {
    if (this.live) return this.live;
    if (!this.#opening) {
      const opening = this.host.block(() => this.#restore(named));
      this.#opening = opening as Promise<Room>;
    }
    try {
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  async #restore(named: { kind: string; id: string } | undefined): Promise<Room | undefined> {
    const head = (await this.host.storage.get(HEAD)) as Head | undefined;
    const name = head ? { kind: head.kind, id: head.id } : named;
    const kind = name && this.kindOf(name.kind);
    if (!name || !kind) return undefined;
    const report = (problem: string, error: unknown) => {
      console.error(`${name.kind}/${name.id}: ${problem}:`, error);
    };
    const world = {
      storage: this.host.storage,
      chance: Math.random,
      freshId: random128,
      wake: (afterMs: number) => this.#wake(afterMs),
      report,
      broken: () => this.#abandon(),
    };
    const room = await Room.open(world, kind, name, this.host.settings, this.host.sockets(), Date.now());
    if (this.host.isDebugging) console.log(`restored ${name.kind}/${name.id}`);
    this.#room = room;
    return room;
  }

  join(room: Room, peer: Peer, hello: Hello): void {
    this.#guard(() => room.join(peer, hello, Date.now()));
  }

  receive(room: Room, id: string, text: unknown): void {
    this.#guard(() => room.receive(id, text, Date.now()));
  }

  left(room: Room, id: string, note: SocketNote | undefined): void {
    this.#guard(() => room.left(id, note, Date.now()));
  }

  /** Never throws: the platform's own retries end after six times, and the wheel has set the next alarm by then. */
  async alarm(): Promise<void> {
    const room = await this.open();
    if (room) this.#guard(() => room.alarm(Date.now()));
  }

  #wake(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const room = this.live;
      if (room) this.#guard(() => room.tick(Date.now()));
    }, afterMs);
  }

  /** A throw out of a room is a bug, after which its memory is not to be trusted: storage is. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      console.error("A room failed and is made anew from storage:", error);
      this.#abandon();
    }
  }

  #abandon(): void {
    clearTimeout(this.#timer);
    this.#room = undefined;
    this.host.abandon();
  }
}

/** An epoch tells one life of a room from every other that ever bears its name. */
function random128(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
