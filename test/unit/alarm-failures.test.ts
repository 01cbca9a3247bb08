import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Hidden } from "../../src/features/scores/hidden";
import { type Host, RoomHost } from "../../src/platform/room-host";
import { Actions } from "../../src/room/actions";
import { Attendance } from "../../src/room/attendance";
import { Errands } from "../../src/room/errands";
import { Kernel } from "../../src/room/kernel";
import type { Storage } from "../../src/room/ports";
import { restore } from "../../src/room/restore";
import { Room } from "../../src/room/room";
import { Timekeeping } from "../../src/room/timekeeping";
import { Wheel } from "../../src/room/wheel";
import { MemoryBoards } from "../support/memory-boards";
import { MemoryWorld } from "../support/memory-world";
import { settings } from "../support/room-stage";
import { scoreKind } from "../support/score-stage";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** An object as a platform keeps it, in which anything that the alarm's handler touches may throw. */
class FailingObject {
  readonly world = new MemoryWorld(1);
  readonly boards = new MemoryBoards();
  readonly kind = scoreKind();
  host = this.#host();
  /** Touches since an alarm rang, and which of them throws. */
  touches = 0;
  throwsAt = Number.POSITIVE_INFINITY;
  how: "throwing" | "rejecting" = "throwing";
  isRinging = false;

  /** One who leads the room and goes away again, owed three points. */
  async owe(): Promise<void> {
    const text = (id: string, d: object) => JSON.stringify({ t: "do", id, f: "scores", a: "award", d });
    const socket = { id: "conn-00000000001", state: null as unknown, send: () => {}, close: () => {} };
    const setState = (note: unknown) => {
      socket.state = note;
    };
    const expiresAt = Date.now() + 10 ** 9;
    const hello = {
      conn: socket.id,
      user: "hanna",
      name: "Hanna",
      role: "host",
      guest: false,
      expiresAt,
      tab: "t",
    };
    await this.host.join({ ...socket, keep: setState }, hello as Parameters<RoomHost["join"]>[1]);
    await this.host.hear(socket, text("1", { user: "hanna", points: 3 }));
    await vi.advanceTimersByTimeAsync(200);
    await this.host.gone({ ...socket, setState });
    await vi.advanceTimersByTimeAsync(200);
    this.world.settle();
    if (!(await this.owes())) throw new Error("It owes nothing.");
  }

  /** As a platform rings for what is set, whose own retries have come to their end. */
  async ring(): Promise<void> {
    const { world } = this;
    vi.setSystemTime(Math.max(Date.now(), world.alarmAt ?? 0));
    world.now = Date.now();
    world.ring();
    this.isRinging = true;
    this.touches = 0;
    await this.host.alarm().catch(() => undefined);
    this.isRinging = false;
    await vi.advanceTimersByTimeAsync(50);
    world.settle();
  }

  /** By what is stored: what another machine would find there. */
  async owes(): Promise<boolean> {
    if (!this.world.has("room")) return false;
    const { ports } = this.world.copy();
    const parts = await restore(ports, this.kind, { kind: "main", id: "hall" }, settings, Date.now());
    const { ledger, sealed } = parts.memory.slices.private("scores") as Hidden;
    return ledger.size > 0 || sealed !== null;
  }

  #host(): RoomHost {
    const { world } = this;
    const host: Host = {
      storage: this.#failing(world.ports.storage),
      settings,
      named: () => ({ kind: "main", id: "hall" }),
      block: (work) => work(),
      sockets: () => this.#touch(() => []),
      sync: async () => {},
      errands: { "scores/batch": async (_, ask) => ({ ...this.#touch(() => this.boards.take(ask)) }) },
      abandon: () => {},
      isDebugging: false,
    };
    return new RoomHost(host, (name) => (name === "main" ? this.kind : undefined));
  }

  /** The instance goes, as when an object is evicted: the next alarm finds nobody awake. */
  sleep(): void {
    this.world.settle();
    this.host = this.#host();
  }

  #failing(storage: Storage): Storage {
    const reads = new Set<string>(["get", "list", "getAlarm"]);
    return new Proxy(storage, {
      get: (target, name: keyof Storage) => {
        const work = target[name].bind(target) as (...given: unknown[]) => Promise<unknown>;
        return (...given: unknown[]) => {
          try {
            return this.#touch(() => work(...given));
          } catch (error) {
            // A read is refused later, a write at once or later.
            if (this.how === "rejecting" || reads.has(name)) return Promise.reject(error);
            throw error;
          }
        };
      },
    });
  }

  #touch<T>(work: () => T): T {
    if (this.isRinging && this.touches++ === this.throwsAt) throw new Error(`touch ${this.throwsAt} failed`);
    return work();
  }
}

const whatever = { times: [1, 20], asleep: [false, true] };

/** Rings while something fails, and then until nothing is owed: three points, once. */
async function expectSettled(
  object: FailingObject,
  { times, where, mend }: { times: number; where: string; mend(): void },
): Promise<number> {
  let touches = 0;
  for (let time = 0; time < times && (await object.owes()); time++) {
    await object.ring();
    touches = Math.max(touches, object.touches);
    if (await object.owes()) expect(object.world.alarmAt, `${where}, time ${time}`).not.toBeNull();
  }
  mend();
  for (let ring = 0; ring < 10 && (await object.owes()); ring++) await object.ring();
  expect([await object.owes(), object.boards.total("main", "hanna")], where).toEqual([false, 3]);
  return touches;
}

describe("[R6] the alarm of a room that owes is set", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
  });

  it.each(["throwing", "rejecting"] as const)(
    "whatever touch of the outside is %s in its handler, once or twenty times",
    async (how) => {
      for (const times of whatever.times) {
        for (const isAsleep of whatever.asleep) {
          let touches = 1;
          for (let at = 0; at <= touches; at++) {
            const object = new FailingObject();
            await object.owe();
            if (isAsleep) object.sleep();
            Object.assign(object, { how, throwsAt: at });
            const mend = () => Object.assign(object, { throwsAt: Number.POSITIVE_INFINITY });
            const where = `touch ${at}, ${isAsleep ? "asleep" : "awake"}`;
            touches = Math.max(touches, await expectSettled(object, { times, where, mend }));
          }
          expect(touches).toBeGreaterThan(3);
        }
      }
    },
  );

  const steps: [string, object, string][] = [
    ["the clock", Kernel.prototype, "clock"],
    ["the wheel", Wheel.prototype, "rang"],
    ["what is due", Timekeeping.prototype, "runDue"],
    ["saying goodbye", Attendance.prototype, "sayGoodbye"],
    ["sweeping", Actions.prototype, "sweep"],
    ["the commit", Kernel.prototype, "flush"],
    ["what is owed", Errands.prototype, "runDue"],
    ["setting it", Timekeeping.prototype, "rearm"],
    ["restoring", Room, "open"],
  ];

  it.each(steps)("whatever is wrong with %s, once or twenty times", async (name, of, method) => {
    for (const times of whatever.times) {
      for (const isAsleep of whatever.asleep) {
        const object = new FailingObject();
        await object.owe();
        if (isAsleep) object.sleep();
        const broken = vi.spyOn(of as Record<string, () => void>, method).mockImplementation(() => {
          throw new Error(`${name} is broken`);
        });
        const where = `${name}, ${isAsleep ? "asleep" : "awake"}`;
        await expectSettled(object, { times, where, mend: () => broken.mockRestore() });
      }
    }
  });
});
