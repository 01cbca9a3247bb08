import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { readConfig } from "../../src/config/config";
import { RoomHost } from "../../src/platforms/room-host";
import { Room } from "../../src/room/room";
import { makeRoomName, objectOf, readStored, requestRoom, runInRoom, SocketClient } from "./socket-client";

const read = readConfig({ ...env });
if (!read.ok) throw new Error(read.problems.join(" "));
const { idleMs, leaveGraceMs } = read.config.room;

const readAlarm = (room: string) => runInRoom(room, ({ storage }) => storage.getAlarm());
const fireAlarm = (room: string) => runDurableObjectAlarm(objectOf(room));
/** Runs the same alarm a second time, as a platform does after a failure. */
const fireAlarmAgain = (room: string) => runInDurableObject(objectOf(room), (instance) => instance.alarm?.());

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

/** A room of two, one of whom has just gone: the room waits for the grace. */
async function openDesertedRoom() {
  const room = makeRoomName();
  const ann = await SocketClient.join(room, { name: "Ann" });
  const bob = await SocketClient.join(room, { name: "Bob" });
  await ann.waitForWelcome();
  const { you } = await bob.waitForWelcome();
  bob.socket.close(1000, "");
  await vi.waitFor(async () => expect(await readAlarm(room)).toBeLessThanOrEqual(Date.now() + leaveGraceMs));
  return { room, ann, bob: you?.user };
}

describe("the alarm of a room with a member", () => {
  it("the alarm is set, at most IDLE_MS ahead", async () => {
    const room = makeRoomName();
    expect(await readAlarm(room)).toBeNull();
    await (await SocketClient.join(room, {})).waitForWelcome();
    const at = (await readAlarm(room)) ?? 0;
    expect(at).toBeGreaterThan(Date.now());
    expect(at).toBeLessThanOrEqual(Date.now() + idleMs);
  });

  it("an alarm that runs twice, and too early, does no harm and is set again each time", async () => {
    const room = makeRoomName();
    const ann = await SocketClient.join(room, {});
    const { epoch } = await ann.waitForWelcome();
    const before = await readStored(room);
    for (const rings of [fireAlarm, fireAlarm, fireAlarmAgain, fireAlarmAgain]) {
      await rings(room);
      const at = (await readAlarm(room)) ?? 0;
      expect(at).toBeGreaterThan(Date.now());
      expect(at).toBeLessThanOrEqual(Date.now() + idleMs);
    }
    expect({ ...(await readStored(room)), "the alarm": 0 }).toEqual({ ...before, "the alarm": 0 });
    expect(await (await requestRoom(room)).json()).toMatchObject({ epoch, seq: 1, users: 1, connections: 1 });
    ann.say("1", "still here");
    expect((await ann.waitForEvent("chat", "said")).d).toMatchObject({ text: "still here" });
  });

  it.each<[string, () => MockInstance]>([
    ["the room's handler fails", () => vi.spyOn(Room.prototype, "alarm").mockImplementation(failing)],
    ["the room cannot be restored", () => vi.spyOn(Room, "open").mockImplementation(failing)],
    ["its record cannot be read", () => vi.spyOn(RoomHost.prototype, "alarm").mockImplementation(failing)],
  ])("[R6] is set again where %s, ten times in a row", async (_, broken) => {
    const room = makeRoomName();
    await (await SocketClient.join(room, {})).waitForWelcome();
    const spy = broken();
    for (let time = 0; time < 10; time += 1) {
      // The instance may end with it, as it does on the platform.
      await fireAlarm(room).catch(() => undefined);
      const at = await vi.waitFor(() => readAlarm(room));
      expect(at, `time ${time}`).not.toBeNull();
      expect(at).toBeLessThanOrEqual(Date.now() + idleMs);
    }
    spy.mockRestore();
    expect(await fireAlarm(room)).toBe(true);
    expect(await (await requestRoom(room)).json()).toMatchObject({ seq: 1 });
  });

  it("[P1] an alarm that runs twice when a grace has ended sends one `left`", async () => {
    const { room, ann, bob } = await openDesertedRoom();
    vi.setSystemTime(Date.now() + leaveGraceMs);
    expect(await fireAlarm(room)).toBe(true);
    await fireAlarmAgain(room);
    await fireAlarm(room);
    ann.say("1", "after");
    await ann.waitForEvent("chat", "said");
    expect(ann.events.filter(({ n }) => n === "left").map(({ d }) => d)).toEqual([{ user: bob }]);
  });

  it("an alarm that runs twice when the room was empty for IDLE_MS leaves nothing, not even an alarm", async () => {
    const { room, ann } = await openDesertedRoom();
    ann.socket.close(1000, "");
    await vi.waitFor(async () => {
      vi.setSystemTime(Date.now() + leaveGraceMs);
      await fireAlarm(room);
      expect(await (await requestRoom(room)).json()).toMatchObject({ users: 0, connections: 0 });
    });
    expect(Object.keys(await readStored(room))).toContain("room");
    vi.setSystemTime(Date.now() + idleMs);
    expect(await fireAlarm(room)).toBe(true);
    expect(await readStored(room)).toEqual({});
    expect(await fireAlarm(room)).toBe(false);
    await fireAlarmAgain(room);
    expect(await readStored(room)).toEqual({});
    expect((await requestRoom(room)).status).toBe(404);
  });
});
