import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { readConfig } from "../../src/platform/config";
import { RoomHost } from "../../src/platform/room-host";
import { Room } from "../../src/room/room";
import { freshRoom, inside, objectOf, request, stored, Visitor } from "./visit";

const read = readConfig({ ...env });
if (!read.ok) throw new Error(read.problems.join(" "));
const { idleMs, leaveGraceMs } = read.config.room;

const alarmOf = (room: string) => inside(room, ({ storage }) => storage.getAlarm());
const ring = (room: string) => runDurableObjectAlarm(objectOf(room));
/** A second time for the same alarm, as a platform does that saw the first one fail. */
const ringAgain = (room: string) => runInDurableObject(objectOf(room), (instance) => instance.alarm?.());

// Tests and rooms share one clock here; the timers stay real.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const failing = () => {
  throw new Error("It fails.");
};

/** Two who are in a room, one of whom has just gone: the room knows, and waits for the grace. */
async function deserted() {
  const room = freshRoom();
  const ann = await Visitor.join(room, { name: "Ann" });
  const bob = await Visitor.join(room, { name: "Bob" });
  await ann.welcome();
  const { you } = await bob.welcome();
  bob.socket.close(1000, "");
  await vi.waitFor(async () => expect(await alarmOf(room)).toBeLessThanOrEqual(Date.now() + leaveGraceMs));
  return { room, ann, bob: you?.user };
}

describe("the alarm of a room that somebody joined", () => {
  it("is there, and at most IDLE_MS ahead", async () => {
    const room = freshRoom();
    expect(await alarmOf(room)).toBeNull();
    await (await Visitor.join(room, {})).welcome();
    const at = (await alarmOf(room)) ?? 0;
    expect(at).toBeGreaterThan(Date.now());
    expect(at).toBeLessThanOrEqual(Date.now() + idleMs);
  });

  it("that rings twice, and too early, does no harm and is set again each time", async () => {
    const room = freshRoom();
    const ann = await Visitor.join(room, {});
    const { epoch } = await ann.welcome();
    const before = await stored(room);
    for (const rings of [ring, ring, ringAgain, ringAgain]) {
      await rings(room);
      const at = (await alarmOf(room)) ?? 0;
      expect(at).toBeGreaterThan(Date.now());
      expect(at).toBeLessThanOrEqual(Date.now() + idleMs);
    }
    expect({ ...(await stored(room)), "the alarm": 0 }).toEqual({ ...before, "the alarm": 0 });
    expect(await (await request(room)).json()).toMatchObject({ epoch, seq: 1, users: 1, connections: 1 });
    ann.say("1", "still here");
    expect((await ann.heard("chat", "said")).d).toMatchObject({ text: "still here" });
  });

  it.each<[string, () => MockInstance]>([
    ["the room's handler fails", () => vi.spyOn(Room.prototype, "alarm").mockImplementation(failing)],
    ["the room cannot be restored", () => vi.spyOn(Room, "open").mockImplementation(failing)],
    ["its record cannot be read", () => vi.spyOn(RoomHost.prototype, "alarm").mockImplementation(failing)],
  ])("[R6] is set again where %s, ten times in a row", async (_, broken) => {
    const room = freshRoom();
    await (await Visitor.join(room, {})).welcome();
    const spy = broken();
    for (let time = 0; time < 10; time += 1) {
      // The instance may end with it, as it does on the platform.
      await ring(room).catch(() => undefined);
      const at = await vi.waitFor(() => alarmOf(room));
      expect(at, `time ${time}`).not.toBeNull();
      expect(at).toBeLessThanOrEqual(Date.now() + idleMs);
    }
    spy.mockRestore();
    expect(await ring(room)).toBe(true);
    expect(await (await request(room)).json()).toMatchObject({ seq: 1 });
  });

  it("[P1] that rings twice when a grace has ended tells of one leaving", async () => {
    const { room, ann, bob } = await deserted();
    vi.setSystemTime(Date.now() + leaveGraceMs);
    expect(await ring(room)).toBe(true);
    await ringAgain(room);
    await ring(room);
    ann.say("1", "after");
    await ann.heard("chat", "said");
    expect(ann.events.filter(({ n }) => n === "left").map(({ d }) => d)).toEqual([{ user: bob }]);
  });

  it("that rings twice when all have been gone for IDLE_MS leaves nothing, not even an alarm", async () => {
    const { room, ann } = await deserted();
    ann.socket.close(1000, "");
    await vi.waitFor(async () => {
      vi.setSystemTime(Date.now() + leaveGraceMs);
      await ring(room);
      expect(await (await request(room)).json()).toMatchObject({ users: 0, connections: 0 });
    });
    expect(Object.keys(await stored(room))).toContain("room");
    vi.setSystemTime(Date.now() + idleMs);
    expect(await ring(room)).toBe(true);
    expect(await stored(room)).toEqual({});
    expect(await ring(room)).toBe(false);
    await ringAgain(room);
    expect(await stored(room)).toEqual({});
    expect((await request(room)).status).toBe(404);
  });
});
