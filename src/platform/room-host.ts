import type { Hello } from "../room/hello";
import { HEAD, type Head } from "../room/journal";
import type { Kind } from "../room/kind";
import type { AskedErrand, Peer, SocketNote, Storage } from "../room/ports";
import { Room } from "../room/room";
import { sendAway } from "../room/send-away";
import type { RoomSettings } from "../room/settings";
import { englishFilter } from "../words/english-filter";
import type { ForwardedCall } from "./edge/forwarded-call";
import { refusalResponse, refuseHttp } from "./edge/http-refusal";
import { carryOut, type ErrandHandlers } from "./errands";
import { answerCall } from "./room-http";
import { noteOf, type PlatformConnection } from "./room-socket-peer";

const CANNOT_OPEN = "This room cannot be opened right now. It has been noted.";
const CANNOT_OPEN_RETRY_MS = 10_000;
const FAILED = "A room failed and is made anew from storage:";
/** Soon, but not at once, for it may fail again. */
export const AFTER_FAILURE_MS = 5_000;

/** What a platform gives for one object. */
export interface Host {
  storage: Storage;
  settings: RoomSettings;
  /** The room's name where the platform tells it; storage knows it of a room that exists. */
  named(): { kind: string; id: string } | undefined;
  /** Delivers nothing to this object until the work is done. */
  block<T>(work: () => Promise<T>): Promise<T>;
  /** The sockets that this object holds, also those from before it slept. */
  sockets(): Iterable<{ peer: Peer; note: SocketNote | undefined }>;
  /** Waits until what was written is durable, whatever becomes of this instance. */
  sync(): Promise<void>;
  /** What this platform does for a room. */
  errands: ErrandHandlers;
  /** A write failed: what this instance knows is not what is stored. */
  abandon(): void;
  /** Tells when an instance comes to life. */
  isDebugging: boolean;
}

/** Keeps the one Room of an object: opens it, gives it a timer, and makes it anew when it is over. */
export class RoomHost {
  #room: Room | undefined;
  #opening: Promise<Room | undefined> | undefined;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly host: Host,
    private readonly kindOf: (name: string) => Kind | undefined,
  ) {}

  /** Whether a room is there without waiting. */
  get isLive(): boolean {
    return this.#live !== undefined;
  }

  async join(peer: Peer, hello: Hello | undefined): Promise<void> {
    const room = await this.#opened();
    if (!hello) return peer.close(1011, "Not by way of the edge.");
    if (room) return this.#guard(() => room.join(peer, hello, Date.now()));
    sendAway(peer, CANNOT_OPEN, CANNOT_OPEN_RETRY_MS);
  }

  /** Whoever cannot be heard is told so, and comes back to say it again. */
  hear(from: Pick<Peer, "id" | "send" | "close">, text: unknown): void | Promise<void> {
    return this.#with(
      (room) => room.receive(from.id, text, Date.now()),
      () => sendAway(from, CANNOT_OPEN, CANNOT_OPEN_RETRY_MS),
    );
  }

  /** A socket has closed, or failed; the close is answered, for neither platform does so in every case. */
  async gone(connection: PlatformConnection): Promise<void> {
    await this.#with((room) => room.left(connection.id, noteOf(connection), Date.now()));
    try {
      connection.close(1000, "");
    } catch {
      // It was answered already.
    }
  }

  async answer(call: ForwardedCall): Promise<Response> {
    const room = await this.#opened();
    let response = refusalResponse(refuseHttp(500, "internal", CANNOT_OPEN));
    if (room) {
      this.#guard(() => {
        response = answerCall(room, call, Date.now());
      });
    }
    return response;
  }

  /** Throws only where no alarm can be set: the platform's own retries end after six times. */
  async alarm(): Promise<void> {
    const { storage, settings } = this.host;
    const room = await this.#opened();
    // Its kind is not in this release, or it cannot be restored: the next release may find it.
    if (!room) return storage.setAlarm(Date.now() + settings.idleMs);
    try {
      room.alarm(Date.now());
      if (this.#room === room) return;
    } catch (error) {
      console.error(FAILED, error);
    }
    const isOurs = this.#room === room;
    this.#drop();
    // What it had set before it failed may be undone with it: whatever it owes, somebody has to look again.
    await storage.setAlarm(Date.now() + AFTER_FAILURE_MS);
    await this.host.sync();
    if (isOurs) this.host.abandon();
  }

  /** The room, or nothing where it cannot be brought to life; which is noted, and tried again at the next call. */
  async #opened(): Promise<Room | undefined> {
    if (this.#live) return this.#live;
    try {
      this.#opening ??= this.host.block(() => this.#tryToRestore());
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Caught within the block: what throws out of one takes the object with it, and in time its alarm. */
  async #tryToRestore(): Promise<Room | undefined> {
    try {
      return await this.#restore();
    } catch (error) {
      const name = this.host.named();
      const which = name ? ` (${name.kind}/${name.id})` : "";
      console.error(`A room could not be brought to life${which}:`, error);
      return undefined;
    }
  }

  get #live(): Room | undefined {
    return this.#room?.isOver ? undefined : this.#room;
  }

  /** Without a turn of the event loop where the room is there: what sockets say keeps its order. */
  #with(step: (room: Room) => void, otherwise?: () => void): void | Promise<void> {
    const room = this.#live;
    if (room) return this.#guard(() => step(room));
    return this.#opened().then((opened) => (opened ? this.#guard(() => step(opened)) : otherwise?.()));
  }

  async #restore(): Promise<Room | undefined> {
    const head = (await this.host.storage.get(HEAD)) as Head | undefined;
    const name = head ? { kind: head.kind, id: head.id } : this.host.named();
    const kind = name && this.kindOf(name.kind);
    if (!name || !kind) {
      if (name) console.error(`${name.kind}/${name.id}: no kind of this release bears that name.`);
      return undefined;
    }
    const world = {
      storage: this.host.storage,
      chance: Math.random,
      freshId: random128,
      wake: (afterMs: number) => this.#wake(afterMs),
      errand: (asked: AskedErrand) => void this.#errand(name, asked, () => room),
      report: (problem: string, error: unknown) =>
        console.error(`${name.kind}/${name.id}: ${problem}:`, error),
      broken: () => this.#abandon(),
      filter: englishFilter,
    };
    const room: Room = await Room.open(
      world,
      kind,
      name,
      this.host.settings,
      this.host.sockets(),
      Date.now(),
    );
    if (this.host.isDebugging) console.log(`restored ${name.kind}/${name.id}`);
    this.#room = room;
    return room;
  }

  /** The instance that asked is answered, if it still is the one; whichever came after it asks for itself. */
  async #errand(room: { kind: string; id: string }, asked: AskedErrand, asker: () => Room): Promise<void> {
    const result = await carryOut(this.host.errands, room, asked);
    const live = this.#live;
    if (live && live === asker()) this.#guard(() => live.answered(asked.call, result, Date.now()));
  }

  #wake(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const room = this.#live;
      if (room) this.#guard(() => room.tick(Date.now()));
    }, afterMs);
  }

  /** A throw out of a room is a bug, after which its memory is not to be trusted: storage is. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      console.error(FAILED, error);
      this.#abandon();
    }
  }

  #abandon(): void {
    this.#drop();
    this.host.abandon();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#room = undefined;
  }
}

/** An epoch tells one life of a room from every other that ever bears its name. */
function random128(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
