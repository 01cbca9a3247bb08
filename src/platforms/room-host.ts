import type { ForwardedCall } from "../edge/forwarded-call";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import type { Kind } from "../room/api/kind";
import { closeWithRetry } from "../room/delivery/close-with-retry";
import type { JoinTicket } from "../room/inbound/join-ticket";
import type { EffectCall, HostPorts, Peer, SocketNote, Storage } from "../room/ports";
import { Room } from "../room/room";
import type { RoomSettings } from "../room/settings";
import { HEAD, type Head } from "../room/storage/journal";
import { englishFilter } from "../text/english-filter";
import { answerCall } from "./room-http";
import { type EffectHandlers, runEffect } from "./run-effect";
import { type PlatformConnection, readNote } from "./socket-peer";

const CANNOT_OPEN = "This room cannot be opened right now. It has been noted.";
const CANNOT_OPEN_RETRY_MS = 10_000;
const FAILED = "A room failed and is made anew from storage:";
/** Soon, but not at once, for it may fail again. */
export const AFTER_FAILURE_MS = 5_000;

/** What a platform gives for one object. */
export interface RoomHostOptions {
  storage: Storage;
  settings: RoomSettings;
  /** The room's name where the platform tells it; storage knows it of a room that exists. */
  roomName(): { kind: string; id: string } | undefined;
  /** Delivers nothing to this object until the work is done. */
  blockWhile<T>(work: () => Promise<T>): Promise<T>;
  /** The sockets that this object holds, also those from before it slept. */
  sockets(): Iterable<{ peer: Peer; note: SocketNote | undefined }>;
  /** Waits until what was written is durable, whatever becomes of this instance. */
  sync(): Promise<void>;
  /** What this platform does for a room. */
  effectHandlers: EffectHandlers;
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
    private readonly options: RoomHostOptions,
    private readonly kindOf: (name: string) => Kind | undefined,
  ) {}

  /** Whether a room is there without waiting. */
  get isLive(): boolean {
    return this.#live !== undefined;
  }

  async join(peer: Peer, ticket: JoinTicket | undefined): Promise<void> {
    const room = await this.#open();
    if (!ticket) return peer.close(1011, "Not by way of the edge.");
    if (room) return this.#guard(() => room.join(peer, ticket, Date.now()));
    closeWithRetry(peer, CANNOT_OPEN, CANNOT_OPEN_RETRY_MS);
  }

  /** Whoever cannot be heard is told so, and comes back to say it again. */
  receive(peer: Pick<Peer, "id" | "send" | "close">, text: unknown): void | Promise<void> {
    return this.#whenOpen(
      (room) => room.receive(peer.id, text, Date.now()),
      () => closeWithRetry(peer, CANNOT_OPEN, CANNOT_OPEN_RETRY_MS),
    );
  }

  /** A socket has closed, or failed; the close is answered, for neither platform does so in every case. */
  async disconnected(connection: PlatformConnection): Promise<void> {
    await this.#whenOpen((room) => room.left(connection.id, readNote(connection), Date.now()));
    try {
      connection.close(1000, "");
    } catch {
      // It was answered already.
    }
  }

  async answer(call: ForwardedCall): Promise<Response> {
    const room = await this.#open();
    let response = rejectionResponse(rejectHttp(500, "internal", CANNOT_OPEN));
    if (room) {
      this.#guard(() => {
        response = answerCall(room, call, Date.now());
      });
    }
    return response;
  }

  /** Throws only where no alarm can be set: the platform's own retries end after six times. */
  async alarm(): Promise<void> {
    const { storage, settings } = this.options;
    const room = await this.#open();
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
    await this.options.sync();
    if (isOurs) this.options.abandon();
  }

  /** The room, or nothing where it cannot be brought to life; which is noted, and tried again at the next call. */
  async #open(): Promise<Room | undefined> {
    if (this.#live) return this.#live;
    try {
      this.#opening ??= this.options.blockWhile(() => this.#tryToRestore());
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
      const name = this.options.roomName();
      const which = name ? ` (${name.kind}/${name.id})` : "";
      console.error(`A room could not be brought to life${which}:`, error);
      return undefined;
    }
  }

  get #live(): Room | undefined {
    return this.#room?.isOver ? undefined : this.#room;
  }

  /** Without a turn of the event loop where the room is there: what sockets say keeps its order. */
  #whenOpen(step: (room: Room) => void, fallback?: () => void): void | Promise<void> {
    const room = this.#live;
    if (room) return this.#guard(() => step(room));
    return this.#open().then((opened) => (opened ? this.#guard(() => step(opened)) : fallback?.()));
  }

  async #restore(): Promise<Room | undefined> {
    const head = (await this.options.storage.get(HEAD)) as Head | undefined;
    const name = head ? { kind: head.kind, id: head.id } : this.options.roomName();
    const kind = name && this.kindOf(name.kind);
    if (!name || !kind) {
      if (name) console.error(`${name.kind}/${name.id}: no kind of this release bears that name.`);
      return undefined;
    }
    const ports: HostPorts = {
      storage: this.options.storage,
      random: Math.random,
      freshId: random128,
      wake: (afterMs: number) => this.#setTimer(afterMs),
      runEffect: (call: EffectCall) => void this.#runEffect(name, call, () => room),
      report: (problem: string, error: unknown) =>
        console.error(`${name.kind}/${name.id}: ${problem}:`, error),
      broken: () => this.#abandon(),
      filter: englishFilter,
    };
    const room: Room = await Room.open(
      ports,
      kind,
      name,
      this.options.settings,
      this.options.sockets(),
      Date.now(),
    );
    if (this.options.isDebugging) console.log(`restored ${name.kind}/${name.id}`);
    this.#room = room;
    return room;
  }

  /** The instance that asked is answered, if it still is the one; whichever came after it asks for itself. */
  async #runEffect(
    room: { kind: string; id: string },
    call: EffectCall,
    requester: () => Room,
  ): Promise<void> {
    const result = await runEffect(this.options.effectHandlers, room, call);
    const live = this.#live;
    if (live && live === requester()) this.#guard(() => live.effectAnswered(call.call, result, Date.now()));
  }

  #setTimer(afterMs: number): void {
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
    this.options.abandon();
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
