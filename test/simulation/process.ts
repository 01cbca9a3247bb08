import { setImmediate as afterMicrotasks } from "node:timers/promises";
import { type Host, RoomHost } from "../../src/platform/room-host";
import type { PlatformConnection } from "../../src/platform/room-socket-peer";
import { noteOf, SocketPeer } from "../../src/platform/room-socket-peer";
import { closeCodes } from "../../src/protocol/codes";
import type { Kind } from "../../src/room/kind";
import type { Storage } from "../../src/room/ports";
import { Room } from "../../src/room/room";
import type { Random } from "../platforms/random";
import type { MemoryWorld } from "../support/memory-world";
import type { Deployment } from "./deployment";
import { errand } from "./parts/errands";
import { type Machine, runIn } from "./platform-globals";
import type { RoomObject } from "./room-object";
import type { ServerSocket } from "./server-socket";

/** Which process is opening a room: there is no other way to see the room that a host keeps to itself. */
let opening: Process | undefined;
const open = Room.open.bind(Room);
Room.open = async (...given) => {
  const process = opening;
  const room = await open(...given);
  if (process) {
    process.room = room;
    process.couldNotRead = false;
  }
  return room;
};

/** One process that runs an object's code: a host of rooms, its timers, its machine's clock, and the sockets that reached it. */
export class Process implements Machine {
  readonly sockets = new Set<ServerSocket>();
  room: Room | undefined;
  /** It ended: nothing of it runs any more, and its sockets are cut. */
  isDead = false;
  /** Time of the last thing that woke it. */
  heardAt = 0;
  storage: Storage | undefined;
  /** The last time that a room was to come to life here, its disk could not be read. */
  couldNotRead = false;
  #host: RoomHost | undefined;
  #timers = new Set<() => void>();

  constructor(
    readonly deployment: Deployment,
    readonly object: RoomObject,
    readonly world: MemoryWorld,
    readonly kind: Kind,
    /** By how much this machine's clock is wrong. */
    public skewMs: number,
  ) {}

  get now(): number {
    return Math.floor(this.deployment.clock.now + this.skewMs);
  }

  get chance(): Random {
    return this.world.random;
  }

  get isAwake(): boolean {
    return this.#host !== undefined;
  }

  get hasTimers(): boolean {
    return this.#timers.size > 0;
  }

  /** Something reaches the object. It is done when nothing of it is left to run. */
  async deliver(work: (host: RoomHost) => unknown): Promise<void> {
    if (this.isDead) return;
    this.heardAt = this.deployment.clock.now;
    this.world.now = this.now;
    this.world.turn(() => {});
    opening = this;
    await runIn(this, async () => {
      this.#host ??= this.#start();
      let done: unknown;
      try {
        done = work(this.#host);
      } catch (error) {
        this.#threw(error);
      }
      if (done instanceof Promise) {
        done.catch((error) => this.#threw(error));
        await afterMicrotasks();
      } else if (this.world.hasRefused) await afterMicrotasks();
    });
    opening = undefined;
    this.object.turned(this);
  }

  /** Memory goes, sockets stay. */
  sleep(): void {
    this.#host = undefined;
    this.room = undefined;
  }

  get maySleep(): boolean {
    return this.isAwake && !this.hasTimers && this.world.pendingTurns === 0;
  }

  /** Its room failed, and the platform can only send everybody away: whoever comes next finds a new one. */
  startOver(): void {
    this.room = undefined;
    for (const socket of [...this.sockets]) {
      if (!socket.isOpen) continue;
      const bye = { t: "bye", code: closeCodes.draining, reason: "Please come back.", retryAfterMs: 1_000 };
      socket.send(JSON.stringify(bye));
      socket.close(closeCodes.draining, bye.reason);
    }
  }

  /** The process ends; its sockets with it. */
  die(): void {
    this.isDead = true;
    this.sleep();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    for (const socket of [...this.sockets]) socket.cut();
    this.sockets.clear();
  }

  setTimeout(run: () => void, ms: number): () => void {
    const { clock, chance, plan, faults } = this.deployment;
    const late = faults && chance.below(20) === 0 ? chance.below(plan.timersLateMs + 1) : 0;
    if (late > 0) this.deployment.fault("timer late");
    const call = clock.in(Math.ceil(ms) + late, () => {
      this.#timers.delete(cancel);
      // The end of a deadline is heard of by promises, that of a frame's window is not.
      return this.deliver(ms < 1_000 ? run : async () => run());
    });
    const cancel = () => {
      call();
      this.#timers.delete(cancel);
    };
    this.#timers.add(cancel);
    return cancel;
  }

  complained(said: unknown[]): void {
    const text = said.map(String).join(" ");
    if (this.isDead) return;
    if (text.startsWith("A room could not be brought to life")) {
      this.couldNotRead = true;
      this.room = undefined;
    }
    this.deployment.trace(() => `  ${this.object.name} says: ${text.slice(0, 200)}`);
    if (/The disk (refused|cannot be read)|is dead touched the world|A write failed, and/.test(text)) return;
    this.deployment.breach(
      13,
      said.map((part) => (part instanceof Error ? part.stack : String(part))).join(" "),
    );
  }

  #threw(error: unknown): void {
    if (this.isDead || /The disk (refused|cannot be read)|A write failed, and/.test(String(error))) return;
    this.deployment.breach(13, `out of the host: ${error instanceof Error ? error.stack : error}`);
  }

  #start(): RoomHost {
    const { plan, outside } = this.deployment;
    this.deployment.trace(() => `  ${this.object.name} comes to life`);
    this.storage = this.world.ports.storage;
    const host: Host = {
      storage: this.storage,
      settings: plan.settings,
      named: () => ({ kind: this.kind.name, id: this.object.id }),
      block: (work) => work(),
      sockets: () =>
        [...this.sockets]
          .filter(({ isOpen }) => isOpen)
          .map((socket) => ({ peer: this.peer(socket), note: noteOf(socket) })),
      errands: {
        "debt/pay": (_, ask) => errand(this, async () => (ask as { owed: number }).owed),
        "scores/batch": ({ id }, ask) => errand(this, (isGhost) => outside.takeBatch(id, ask, isGhost)),
        "moderation/places": ({ id }, ask) => errand(this, () => outside.tellPlaces(id, ask)),
        "moderation/bans": ({ id }, ask) => errand(this, () => outside.writeBans(id, ask)),
      },
      abandon: () => this.object.abandoned(this),
      sync: async () => {},
      isDebugging: false,
    };
    return new RoomHost(host, (name) => (name === this.kind.name ? this.kind : undefined));
  }

  peer(socket: ServerSocket & PlatformConnection) {
    return this.deployment.plan.answersPings
      ? new SocketPeer(socket, () => socket.pongedAt)
      : new SocketPeer(socket);
  }
}
