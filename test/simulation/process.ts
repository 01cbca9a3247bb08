import { setImmediate as afterMicrotasks } from "node:timers/promises";
import { RoomHost, type RoomHostOptions } from "../../src/platforms/room-host";
import type { PlatformConnection } from "../../src/platforms/socket-peer";
import { readNote, SocketPeer } from "../../src/platforms/socket-peer";
import { closeCodes } from "../../src/protocol/codes";
import type { Kind } from "../../src/room/api/kind";
import type { Storage } from "../../src/room/ports";
import { Room } from "../../src/room/room";
import { englishFilter } from "../../src/text/english-filter";
import type { Random } from "../platforms/random";
import type { MemoryRuntime } from "../support/memory-runtime";
import type { Deployment } from "./deployment";
import { runEffect } from "./modules/effects";
import { type Machine, runIn } from "./platform-globals";
import type { RoomObject } from "./room-object";
import type { ServerSocket } from "./server-socket";

/** Which process is opening a room: there is no other way to see the room that a host keeps to itself. */
let openingProcess: Process | undefined;
const originalOpen = Room.open.bind(Room);
Room.open = async (...given) => {
  const process = openingProcess;
  const room = await originalOpen(...given);
  if (process) {
    process.room = room;
    process.hasReadFailed = false;
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
  lastActiveAt = 0;
  storage: Storage | undefined;
  /** The last time that a room was to come to life here, its disk could not be read. */
  hasReadFailed = false;
  #host: RoomHost | undefined;
  #timers = new Set<() => void>();

  constructor(
    readonly deployment: Deployment,
    readonly object: RoomObject,
    readonly runtime: MemoryRuntime,
    readonly kind: Kind,
    /** By how much this machine's clock is wrong. */
    public skewMs: number,
  ) {}

  get now(): number {
    return Math.floor(this.deployment.clock.now + this.skewMs);
  }

  get random(): Random {
    return this.runtime.random;
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
    this.lastActiveAt = this.deployment.clock.now;
    this.runtime.now = this.now;
    this.runtime.turn(() => {});
    openingProcess = this;
    await runIn(this, async () => {
      this.#host ??= this.#createHost();
      let done: unknown;
      try {
        done = work(this.#host);
      } catch (error) {
        this.#onThrow(error);
      }
      if (done instanceof Promise) {
        done.catch((error) => this.#onThrow(error));
        await afterMicrotasks();
      } else if (this.runtime.hasRejectedWrite) await afterMicrotasks();
    });
    openingProcess = undefined;
    this.object.onTurn(this);
  }

  /** Memory goes, sockets stay. */
  sleep(): void {
    this.#host = undefined;
    this.room = undefined;
  }

  get canSleep(): boolean {
    return this.isAwake && !this.hasTimers && this.runtime.pendingTurns === 0;
  }

  /** Its room failed, and the platform can only send everybody away: whoever comes next finds a new one. */
  restartInPlace(): void {
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
    const { clock, random: chance, plan, injectsFaults: faults } = this.deployment;
    const late = faults && chance.below(20) === 0 ? chance.below(plan.timersLateMs + 1) : 0;
    if (late > 0) this.deployment.countFault("timer late");
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

  onLog(args: unknown[]): void {
    const text = args.map(String).join(" ");
    if (this.isDead) return;
    if (text.startsWith("A room could not be restored")) {
      this.hasReadFailed = true;
      this.room = undefined;
    }
    this.deployment.trace(() => `  ${this.object.name} says: ${text.slice(0, 200)}`);
    if (/The disk (refused|cannot be read)|is dead touched the world|A write failed, and/.test(text)) return;
    this.deployment.reportBreach(
      13,
      args.map((part) => (part instanceof Error ? part.stack : String(part))).join(" "),
    );
  }

  #onThrow(error: unknown): void {
    if (this.isDead || /The disk (refused|cannot be read)|A write failed, and/.test(String(error))) return;
    this.deployment.reportBreach(13, `out of the host: ${error instanceof Error ? error.stack : error}`);
  }

  #createHost(): RoomHost {
    const { plan, services: outside } = this.deployment;
    this.deployment.trace(() => `  ${this.object.name} comes to life`);
    this.storage = this.runtime.ports.storage;
    const host: RoomHostOptions = {
      storage: this.storage,
      settings: plan.settings,
      roomName: () => ({ kind: this.kind.name, id: this.object.id }),
      blockWhile: (work) => work(),
      sockets: () =>
        [...this.sockets]
          .filter(({ isOpen }) => isOpen)
          .map((socket) => ({ peer: this.createPeer(socket), note: readNote(socket) })),
      effectHandlers: {
        "debt/pay": (_, ask) => runEffect(this, async () => (ask as { owed: number }).owed),
        "scores/batch": ({ id }, ask) => runEffect(this, (isGhost) => outside.applyBatch(id, ask, isGhost)),
        "moderation/places": ({ id }, ask) => runEffect(this, () => outside.reportPresence(id, ask)),
        "moderation/bans": ({ id }, ask) => runEffect(this, () => outside.writeBans(id, ask)),
      },
      filter: englishFilter,
      abandon: () => this.object.onAbandoned(this),
      sync: async () => {},
      isDebugging: false,
    };
    return new RoomHost(host, (name) => (name === this.kind.name ? this.kind : undefined));
  }

  createPeer(socket: ServerSocket & PlatformConnection) {
    return this.deployment.plan.answersPings
      ? new SocketPeer(socket, () => socket.pongedAt)
      : new SocketPeer(socket);
  }
}
