import type { ForwardedCall } from "../edge/forwarded-call";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import type { EffectHandlers } from "../lib/effect-handler";
import { formatRoomRef, type RoomRef } from "../lib/room-ref";
import type { Kind } from "../room/api/kind";
import { closeWithRetry } from "../room/delivery/close-with-retry";
import type { JoinTicket } from "../room/inbound/join-ticket";
import type { EffectCall, HostPorts, Peer, SocketNote, Storage } from "../room/ports";
import { Room } from "../room/room";
import type { RoomSettings } from "../room/settings";
import { HEAD, type Head } from "../room/storage/journal";
import type { WordFilter } from "../text/word-filter";
import { answerCall } from "./room-http";
import { runEffect } from "./run-effect";
import { type PlatformConnection, readNote } from "./socket-peer";

const CANNOT_OPEN = "This room cannot be opened right now. It has been noted.";
const CANNOT_OPEN_RETRY_MS = 10_000;
const FAILED = "A room failed and restarts from storage:";
/** Soon, but not at once, because it may fail again. */
export const AFTER_FAILURE_MS = 5_000;

/** What a deployment provides for its rooms. The platform passes it on, and knows no service or feature by name. */
export interface RoomWiring {
  effectHandlers: EffectHandlers;
  /** Absent: no words are filtered. */
  filter?: WordFilter;
}

/** What a platform provides for one object. */
export interface RoomHostOptions extends RoomWiring {
  storage: Storage;
  settings: RoomSettings;
  /** The room's name, if the platform knows it. For a room that exists, storage has it. */
  roomName(): RoomRef | undefined;
  /** The platform delivers nothing to this object until the work is done. */
  blockWhile<T>(work: () => Promise<T>): Promise<T>;
  /** The object's sockets, including those from before it hibernated. */
  sockets(): Iterable<{ peer: Peer; note: SocketNote | undefined }>;
  /** Resolves once earlier writes are durable, even if this instance ends. */
  sync(): Promise<void>;
  /** Ends this instance. A write failed, so its memory is ahead of storage. */
  abandon(): void;
  /** Logs each restore of a room. */
  isDebugging: boolean;
}

/** Holds the one Room of an object: restores it, runs its timer, and restores it again when it has ended. */
export class RoomHost {
  #room: Room | undefined;
  #opening: Promise<Room | undefined> | undefined;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly options: RoomHostOptions,
    private readonly kindOf: (name: string) => Kind | undefined,
  ) {}

  /** Whether the room is in memory. */
  get isLive(): boolean {
    return this.#live !== undefined;
  }

  async join(peer: Peer, ticket: JoinTicket | undefined): Promise<void> {
    const room = await this.#open();
    if (!ticket) return peer.close(1011, "Missing edge handshake.");
    if (room) return this.#guard(() => room.join(peer, ticket, Date.now()));
    closeWithRetry(peer, CANNOT_OPEN, CANNOT_OPEN_RETRY_MS);
  }

  /** If the room cannot be opened, the client is told to reconnect, and sends its message again. */
  receive(peer: Pick<Peer, "id" | "send" | "close">, text: unknown): void | Promise<void> {
    return this.#whenOpen(
      (room) => room.receive(peer.id, text, Date.now()),
      () => closeWithRetry(peer, CANNOT_OPEN, CANNOT_OPEN_RETRY_MS),
    );
  }

  /** Handles a socket that closed or failed. It also closes this end, because neither platform always does. */
  async disconnected(connection: PlatformConnection): Promise<void> {
    await this.#whenOpen((room) => room.left(connection.id, readNote(connection), Date.now()));
    try {
      connection.close(1000, "");
    } catch {
      // It was closed already.
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

  /** Throws only if no alarm can be set, because the platform retries a failed alarm only six times. */
  async alarm(): Promise<void> {
    const { storage, settings } = this.options;
    const room = await this.#open();
    // Its kind is not in this release, or it cannot be restored. The next release may succeed.
    if (!room) return storage.setAlarm(Date.now() + settings.idleMs);
    try {
      room.alarm(Date.now());
      if (this.#room === room) return;
    } catch (error) {
      console.error(FAILED, error);
    }
    const isOurs = this.#room === room;
    this.#drop();
    // The alarms it set before it failed may be undone, so set one for what the room still owes.
    await storage.setAlarm(Date.now() + AFTER_FAILURE_MS);
    await this.options.sync();
    if (isOurs) this.options.abandon();
  }

  /** `undefined` if the room cannot be restored. The failure is logged, and the next call tries again. */
  async #open(): Promise<Room | undefined> {
    if (this.#live) return this.#live;
    try {
      this.#opening ??= this.options.blockWhile(() => this.#tryToRestore());
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Catches inside the block, because an error that leaves it resets the object, and in time loses its alarm. */
  async #tryToRestore(): Promise<Room | undefined> {
    try {
      return await this.#restore();
    } catch (error) {
      const name = this.options.roomName();
      const which = name ? ` (${formatRoomRef(name)})` : "";
      console.error(`A room could not be restored${which}:`, error);
      return undefined;
    }
  }

  get #live(): Room | undefined {
    return this.#room?.isOver ? undefined : this.#room;
  }

  /** Synchronous if the room is in memory, so that messages keep their order. */
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
      if (name) console.error(`${formatRoomRef(name)}: unknown room kind in this build.`);
      return undefined;
    }
    const ports: HostPorts = {
      storage: this.options.storage,
      random: Math.random,
      freshId: random128,
      wake: (afterMs: number) => this.#setTimer(afterMs),
      runEffect: (call: EffectCall) => void this.#runEffect(name, call, () => room),
      report: (problem: string, error: unknown) =>
        console.error(`${formatRoomRef(name)}: ${problem}:`, error),
      broken: () => this.#abandon(),
      ...(this.options.filter ? { filter: this.options.filter } : {}),
    };
    const room: Room = await Room.open(
      ports,
      kind,
      name,
      this.options.settings,
      this.options.sockets(),
      Date.now(),
    );
    if (this.options.isDebugging) console.log(`restored ${formatRoomRef(name)}`);
    this.#room = room;
    return room;
  }

  /** Answers the instance that started the effect. A later instance starts the effect again itself. */
  async #runEffect(room: RoomRef, call: EffectCall, requester: () => Room): Promise<void> {
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

  /** An error thrown by a room is a bug. Its memory can no longer be trusted, so the room restarts from storage. */
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

/** For epochs, which tell one life of a room from all others under its name. */
function random128(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
