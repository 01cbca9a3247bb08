import type { FeatureTable } from "../../src/client/session/slices";
import type { Kind } from "../../src/room/api/kind";
import { Room } from "../../src/room/room";
import type { RoomSettings } from "../../src/room/settings";
import { EventQueue } from "./event-queue";
import { MemoryRuntime } from "./memory-runtime";
import { labKind, ROOM_NAME, settings } from "./room-stage";
import { SimulatedClient, type SimulatedClientOptions } from "./simulated-client";
import type { SimulatedSocket } from "./simulated-socket";

export interface SimulatedRoomOptions {
  seed?: number;
  kind?: Kind;
  settings?: Partial<RoomSettings>;
  /** Each way takes from … to …. */
  latencyMs?: readonly [least: number, most: number];
}

/** A real room and real sessions, with a network between them, on one simulated clock: hours take seconds, and a seed repeats a run. */
export class SimulatedRoom {
  readonly world: MemoryRuntime;
  readonly clients: SimulatedClient[] = [];
  /** The sockets that the room has. */
  readonly sockets = new Set<SimulatedSocket>();
  /** Delays of the next handshakes, one after the other, as by a proxy that has stalled. */
  readonly heldBackMs: number[] = [];
  kind: Kind;
  #room!: Room;
  #isUp = false;
  readonly #settings: RoomSettings;
  readonly #latencyMs: readonly [number, number];
  readonly #events = new EventQueue();
  #ids = 0;

  private constructor({ seed, kind = labKind(), latencyMs = [2, 40], settings: own }: SimulatedRoomOptions) {
    this.world = new MemoryRuntime(seed);
    this.kind = kind;
    this.#latencyMs = latencyMs;
    this.#settings = { ...settings, ...own };
  }

  static async open(options: SimulatedRoomOptions = {}): Promise<SimulatedRoom> {
    const room = new SimulatedRoom(options);
    await room.rise();
    return room;
  }

  get now(): number {
    return this.world.now;
  }
  get random() {
    return this.world.random;
  }
  get isUp(): boolean {
    return this.#isUp;
  }
  get users(): number {
    return this.#room.summary(this.now).users;
  }
  get seq(): number {
    return this.#room.summary(this.now).seq;
  }

  /** What a client of this kind of room knows of its features. */
  get features(): FeatureTable {
    return Object.fromEntries(
      this.kind.features.map(({ name, version, shared }) => [
        name,
        { version, initial: () => shared.initial(), reduce: (state, event) => shared.reduce(state, event) },
      ]),
    );
  }

  join(options: SimulatedClientOptions): SimulatedClient {
    const client = new SimulatedClient(this, options);
    this.clients.push(client);
    return client;
  }

  freshId(): string {
    return `conn-${String(++this.#ids).padStart(11, "0")}`;
  }

  latency(): number {
    const [least, most] = this.#latencyMs;
    return least + this.random.next() * (most - least);
  }

  at(at: number, step: () => void): void {
    this.#events.add(at, step);
  }

  turn(work: (room: Room, now: number) => void): void {
    if (!this.#isUp) return;
    this.world.turn(() => work(this.#room, this.now));
    this.world.makeDurable();
  }

  /** Time passes, and due events happen. */
  run(ms: number): void {
    this.runUntil(() => false, ms);
  }

  /** Advances until the condition holds; returns whether it did in time. */
  runUntil(isSo: () => boolean, ms: number): boolean {
    const until = this.now + ms;
    while (!isSo()) {
      const { timerAt, alarmAt } = this.world;
      const timer = (this.#isUp ? timerAt : undefined) ?? Number.POSITIVE_INFINITY;
      const alarm = (this.#isUp ? alarmAt : undefined) ?? Number.POSITIVE_INFINITY;
      const next = Math.min(this.#events.nextAt, timer, alarm);
      if (next > until) {
        this.world.now = until;
        return isSo();
      }
      this.world.now = Math.max(this.now, next);
      if (next === timer) this.#tick();
      else if (next === alarm) this.#ring();
      else this.#events.take()?.();
    }
    return true;
  }

  /** The same for an expensive condition: checks every so often, and not at every step. */
  waitUntil(isSo: () => boolean, ms: number): boolean {
    const until = this.now + ms;
    while (!isSo() && this.now < until) this.run(100);
    return isSo();
  }

  /** The process dies, and every socket with it; each client learns of it within that time. */
  die(noticedWithinMs = 50): void {
    for (const socket of this.sockets) socket.lose(this.random.next() * noticedWithinMs);
    this.sockets.clear();
    this.#isUp = false;
    this.world.crash(this.random.below(3));
  }

  /** Deletes all of it, as if its storage had been lost: the next join begins a new epoch. */
  forget(): void {
    this.die();
    this.world.wipe();
  }

  /** A new instance over what is stored, with the sockets that are still there. */
  async rise(): Promise<void> {
    const open = [...this.sockets].map((peer) => ({ peer, note: peer.note }));
    this.#room = await Room.open(this.world.ports, this.kind, ROOM_NAME, this.#settings, open, this.now);
    this.world.makeDurable();
    this.#isUp = true;
  }

  /** Memory goes, sockets stay; only a room without a timer and without a handshake in flight does that. */
  async sleep(): Promise<boolean> {
    this.world.makeDurable();
    const isBusy = this.world.timerAt !== undefined || [...this.sockets].some(({ note }) => !note);
    if (isBusy || !this.#isUp) return false;
    await this.rise();
    return true;
  }

  #tick(): void {
    this.world.timerAt = undefined;
    this.turn((room, now) => room.tick(now));
  }

  #ring(): void {
    this.turn((room, now) => {
      this.world.beginAlarm();
      room.alarm(now);
    });
  }
}
