import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PrivateState } from "../../src/features/scores/private-state";
import { RoomHost, type RoomHostOptions } from "../../src/platforms/room-host";
import { Committer } from "../../src/room/commit/committer";
import { Effects } from "../../src/room/commit/effects";
import { Actions } from "../../src/room/inbound/actions";
import { Membership } from "../../src/room/inbound/membership";
import type { Storage } from "../../src/room/ports";
import { Room } from "../../src/room/room";
import { restore } from "../../src/room/storage/restore";
import { AlarmScheduler } from "../../src/room/time/alarm";
import { Timers } from "../../src/room/time/timers";
import { MemoryBoards } from "../support/memory-boards";
import { MemoryRuntime } from "../support/memory-runtime";
import { settings } from "../support/room-stage";
import { scoreKind } from "../support/score-stage";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A platform's object in which any call of the alarm's handler may throw. */
class FailingObject {
  readonly runtime = new MemoryRuntime(1);
  readonly boards = new MemoryBoards();
  readonly kind = scoreKind();
  host = this.#host();
  /** The calls since an alarm rang, and which of them throws. */
  callCount = 0;
  throwsAt = Number.POSITIVE_INFINITY;
  how: "throwing" | "rejecting" = "throwing";
  isRinging = false;

  /** A host scores three points and leaves, so that the room has a pending effect. */
  async createPendingEffect(): Promise<void> {
    const text = (id: string, d: object) => JSON.stringify({ t: "do", id, f: "scores", a: "award", d });
    const socket = { id: "conn-00000000001", state: null as unknown, send: () => {}, close: () => {} };
    const setState = (note: unknown) => {
      socket.state = note;
    };
    const expiresAt = Date.now() + 10 ** 9;
    const ticket = {
      conn: socket.id,
      user: "hanna",
      name: "Hanna",
      role: "host",
      guest: false,
      expiresAt,
      tab: "t",
    };
    await this.host.join({ ...socket, saveNote: setState }, ticket as Parameters<RoomHost["join"]>[1]);
    await this.host.receive(socket, text("1", { user: "hanna", points: 3 }));
    await vi.advanceTimersByTimeAsync(200);
    await this.host.disconnected({ ...socket, setState });
    await vi.advanceTimersByTimeAsync(200);
    this.runtime.makeDurable();
    if (!(await this.hasPendingEffect())) throw new Error("The room has no pending effect.");
  }

  /** Rings the set alarm, as a platform does whose own retries are exhausted. */
  async fireAlarm(): Promise<void> {
    const { runtime } = this;
    vi.setSystemTime(Math.max(Date.now(), runtime.alarmAt ?? 0));
    runtime.now = Date.now();
    runtime.beginAlarm();
    this.isRinging = true;
    this.callCount = 0;
    await this.host.alarm().catch(() => undefined);
    this.isRinging = false;
    await vi.advanceTimersByTimeAsync(50);
    runtime.makeDurable();
  }

  /** Reads storage, as another machine would. */
  async hasPendingEffect(): Promise<boolean> {
    if (!this.runtime.has("room")) return false;
    const { ports } = this.runtime.copy();
    const parts = await restore(ports, this.kind, { kind: "main", id: "hall" }, settings, Date.now());
    const { ledger, sealed } = parts.state.slices.private("scores") as PrivateState;
    return ledger.size > 0 || sealed !== null;
  }

  #host(): RoomHost {
    const { runtime } = this;
    const host: RoomHostOptions = {
      storage: this.#failingStorage(runtime.ports.storage),
      settings,
      roomName: () => ({ kind: "main", id: "hall" }),
      blockWhile: (work) => work(),
      sockets: () => this.#countCall(() => []),
      sync: async () => {},
      effectHandlers: {
        "scores/batch": async (_, ask) => ({ ...this.#countCall(() => this.boards.apply(ask)) }),
      },
      abandon: () => {},
      isDebugging: false,
    };
    return new RoomHost(host, (name) => (name === "main" ? this.kind : undefined));
  }

  /** The instance ends, as when a platform evicts an object: the next alarm starts a new one. */
  sleep(): void {
    this.runtime.makeDurable();
    this.host = this.#host();
  }

  #failingStorage(storage: Storage): Storage {
    const reads = new Set<string>(["get", "list", "getAlarm"]);
    return new Proxy(storage, {
      get: (target, name: keyof Storage) => {
        const work = target[name].bind(target) as (...given: unknown[]) => Promise<unknown>;
        return (...given: unknown[]) => {
          try {
            return this.#countCall(() => work(...given));
          } catch (error) {
            // A read rejects later, a write throws at once or rejects later.
            if (this.how === "rejecting" || reads.has(name)) return Promise.reject(error);
            throw error;
          }
        };
      },
    });
  }

  #countCall<T>(work: () => T): T {
    if (this.isRinging && this.callCount++ === this.throwsAt) throw new Error(`call ${this.throwsAt} failed`);
    return work();
  }
}

const variants = { times: [1, 20], asleep: [false, true] };

/** Rings while something fails, and then until no effect is pending: the three points must arrive once. */
async function expectSettled(
  object: FailingObject,
  { times, where, repair }: { times: number; where: string; repair(): void },
): Promise<number> {
  let calls = 0;
  for (let time = 0; time < times && (await object.hasPendingEffect()); time++) {
    await object.fireAlarm();
    calls = Math.max(calls, object.callCount);
    if (await object.hasPendingEffect())
      expect(object.runtime.alarmAt, `${where}, time ${time}`).not.toBeNull();
  }
  repair();
  for (let ring = 0; ring < 10 && (await object.hasPendingEffect()); ring++) await object.fireAlarm();
  expect([await object.hasPendingEffect(), object.boards.total("main", "hanna")], where).toEqual([false, 3]);
  return calls;
}

describe("[R6] the alarm of a room with pending effects is set", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
  });

  it.each(["throwing", "rejecting"] as const)(
    "any host call that is %s in its handler, once or twenty times",
    async (how) => {
      for (const times of variants.times) {
        for (const isAsleep of variants.asleep) {
          let calls = 1;
          for (let at = 0; at <= calls; at++) {
            const object = new FailingObject();
            await object.createPendingEffect();
            if (isAsleep) object.sleep();
            Object.assign(object, { how, throwsAt: at });
            const repair = () => Object.assign(object, { throwsAt: Number.POSITIVE_INFINITY });
            const where = `call ${at}, ${isAsleep ? "asleep" : "awake"}`;
            calls = Math.max(calls, await expectSettled(object, { times, where, repair }));
          }
          expect(calls).toBeGreaterThan(3);
        }
      }
    },
  );

  const steps: [string, object, string][] = [
    ["reading the clock", Committer.prototype, "readClock"],
    ["noting the ring", AlarmScheduler.prototype, "hasRung"],
    ["running due timers", Timers.prototype, "runDue"],
    ["ending graces", Membership.prototype, "leaveExpired"],
    ["sweeping windows", Actions.prototype, "sweep"],
    ["committing", Committer.prototype, "flush"],
    ["running effects", Effects.prototype, "runDue"],
    ["setting the alarm", Timers.prototype, "rearm"],
    ["restoring the room", Room, "open"],
  ];

  it.each(steps)("any failure of %s, once or twenty times", async (name, of, method) => {
    for (const times of variants.times) {
      for (const isAsleep of variants.asleep) {
        const object = new FailingObject();
        await object.createPendingEffect();
        if (isAsleep) object.sleep();
        const broken = vi.spyOn(of as Record<string, () => void>, method).mockImplementation(() => {
          throw new Error(`${name} is broken`);
        });
        const where = `${name}, ${isAsleep ? "asleep" : "awake"}`;
        await expectSettled(object, { times, where, repair: () => broken.mockRestore() });
      }
    }
  });
});
