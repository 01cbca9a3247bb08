import { describe, expect, it } from "vitest";
import type { FailurePoint, LabState } from "../support/room-features";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const readRangTimers = (tab: RoomTab) => (tab.read().slices.lab as LabState).rang;
const setTimer = (stage: RoomStage, tab: RoomTab, name: string, afterMs: number | null) =>
  stage.do(tab, "lab", "timer", { name, afterMs });

// The stage checks after every turn of every test that a room with stored data has an alarm at most `idleMs` ahead.

describe("a room's alarm", () => {
  it("the alarm is set with the first stored record, in the same commit", async () => {
    const stage = await RoomStage.open();
    stage.isAutoDurable = false;
    expect(stage.runtime.alarmAt).toBeNull();
    stage.join("ann");
    stage.runtime.makeDurable(1);
    const { alarmAt } = stage.runtime;
    stage.runtime.crash();
    expect(stage.runtime.value("room")).toBeDefined();
    expect(stage.runtime.alarmAt).toBe(alarmAt);
    expect(alarmAt).toBe(stage.now + 900_000);
  });

  it("the alarm of an idle room is one, `idleMs` ahead each time, and costs one write each time", async () => {
    const stage = await RoomStage.open();
    stage.join("ann", { expiresAt: stage.now + 100 * 900_000 });
    stage.advance(900_000);
    const before = { ...stage.runtime.counts };
    for (let n = 0; n < 5; n++) {
      expect(stage.runtime.alarmAt).toBe(stage.now + 900_000);
      expect(stage.runtime.timerAt).toBeUndefined();
      stage.advance(900_000);
    }
    expect(stage.runtime.counts).toEqual({ ...before, alarms: before.alarms + 5 });
  });

  it("[T1] the alarm is at a time that a runtime accepts, for any end of a token", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: 9_999_999_999_000 });
    expect(ann.read().welcomes).toHaveLength(1);
    stage.advance(2 * 900_000);
    stage.expectNoViolations();
  });

  it("[M2] the alarm detects that a user who pinged fell silent, after any number of sleeps", async () => {
    const stage = await RoomStage.open();
    stage.join("bob", { expiresAt: stage.now + 100 * 900_000 });
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * 900_000 });
    for (let time = 0; time < 3; time++) {
      stage.advance(20_000);
      await stage.sleep();
      stage.send(ann, "ping");
    }
    await stage.sleep();
    stage.advance(2 * 900_000);
    expect(ann.peer.closes).toMatchObject([{ code: 4408 }]);
  });

  it("the alarm is as early as the next grace, timer or end of a token", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const bob = stage.join("bob", { expiresAt: stage.now + 500_000 });
    expect(stage.runtime.alarmAt).toBe(stage.now + 500_000);
    stage.advance(100);
    setTimer(stage, ann, "t", 400_000);
    expect(stage.runtime.alarmAt).toBe(stage.now + 400_000);
    stage.leave(bob);
    expect(stage.runtime.alarmAt).toBe(stage.now + 5_000);
    stage.advance(5_000);
    expect(stage.runtime.alarmAt).toBe(stage.now + 395_000);
  });

  it("any call to a room that has lost its alarm sets it again", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    setTimer(stage, ann, "t", 60_000);
    stage.advance(100);
    stage.runtime.beginAlarm();
    stage.runtime.makeDurable();
    expect(stage.runtime.alarmAt).toBeNull();
    await stage.sleep();
    expect(stage.runtime.alarmAt).toBe(stage.now + 59_900);
  });

  it.each<FailurePoint>(["due", "left", "joined"])(
    "a handler in which `%s` throws sets the alarm again",
    async (where) => {
      const broken = new Set<FailurePoint>();
      const stage = await RoomStage.open({ kind: labKind({ broken }) });
      const ann = stage.join("ann");
      const eve = stage.join("eve");
      stage.advance(1_000);
      broken.add(where);
      setTimer(stage, ann, "t", 2_000);
      stage.leave(ann);
      stage.join("cat");
      stage.advance(6_000);
      expect(stage.runtime.alarmAt).toBeGreaterThan(stage.now);
      expect(stage.room.summary(stage.now).users).toBe(2);
      expect(eve.read().events.map(({ n }) => n)).toContain("left");
      expect(stage.runtime.reports.length).toBeGreaterThan(0);
      expect(stage.runtime.brokenCount).toBe(0);
      broken.clear();
      stage.advance(20_000);
      expect(readRangTimers(eve)).toHaveLength(1);
      expect(eve.violations).toEqual([]);
    },
  );

  it("an alarm that wakes a room leaves it serving the next user", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.say(ann, "before");
    stage.advance(100);
    stage.die();
    stage.runtime.now = stage.runtime.alarmAt ?? 0;
    await stage.wake();
    stage.fireAlarm();
    const bob = stage.join("bob");
    stage.rejoin(ann);
    stage.say(bob, "after");
    stage.advance(100);
    expect(
      (bob.read().slices.chat as { messages: { text: string }[] }).messages.map(({ text }) => text),
    ).toEqual(["before", "after"]);
    expect(bob.welcomes[0]?.epoch).toBe(ann.read().epoch);
    stage.expectNoViolations();
  });

  it("an alarm that rings again after a crash in its handler repeats what was not made durable", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    setTimer(stage, ann, "t", 3_000);
    stage.advance(2_999);
    stage.isAutoDurable = false;
    stage.advance(1);
    await stage.crash();
    stage.isAutoDurable = true;
    stage.rejoin(ann);
    expect(stage.runtime.alarmAt).toBeLessThanOrEqual(stage.now);
    stage.advance(100);
    expect(readRangTimers(ann)).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("an alarm in a room without stored data leaves nothing behind", async () => {
    const stage = await RoomStage.open();
    stage.fireAlarm();
    expect(stage.runtime.keys()).toEqual([]);
    expect(stage.runtime.alarmAt).toBeNull();
  });
});

describe("an empty room", () => {
  it("the room is cleaned up after `idleMs`: nothing of it remains, and the next user finds a new one", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.say(ann, "x");
    stage.advance(1_000);
    stage.leave(ann);
    stage.advance(5_000);
    stage.advance(899_999);
    expect(stage.room.isOver).toBe(false);
    expect(stage.runtime.keys().length).toBeGreaterThan(0);
    stage.advance(1);
    expect([stage.room.isOver, stage.room.exists]).toEqual([true, false]);
    expect(stage.runtime.keys()).toEqual([]);
    expect(stage.runtime.alarmAt).toBeNull();
    await stage.wake();
    const bob = stage.join("bob");
    expect(bob.read().welcomes[0]).toMatchObject({ seq: 1, resumed: false });
    expect(bob.epoch).not.toBe(ann.read().epoch);
    stage.expectNoViolations();
  });

  it("the room is kept as long as its kind says, shorter or longer", async () => {
    for (const keepMs of [60_000, 3_000_000]) {
      const stage = await RoomStage.open({ kind: labKind({}, keepMs) });
      const ann = stage.join("ann");
      stage.advance(1_000);
      stage.leave(ann);
      stage.advance(5_000);
      stage.advance(keepMs - 1);
      expect(stage.room.isOver, `${keepMs}`).toBe(false);
      stage.advance(900_000);
      expect(stage.room.isOver, `${keepMs}`).toBe(true);
      expect(stage.runtime.keys()).toEqual([]);
    }
  });

  it("the room is not cleaned up while it has a member, however long it is quiet", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 50 * 900_000 });
    for (let n = 0; n < 20; n++) {
      stage.advance(900_000);
      await stage.sleep();
    }
    stage.say(ann, "still here");
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "still here" } });
    stage.expectNoViolations();
  });

  it("the room is kept for a user who comes back in time", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.say(ann, "x");
    stage.advance(1_000);
    stage.leave(ann);
    stage.advance(800_000);
    await stage.sleep();
    stage.rejoin(ann);
    stage.advance(800_000);
    stage.verify(ann);
    expect(ann.read().welcomes.at(-1)?.epoch).toBe(ann.welcomes[0]?.epoch);
    stage.expectNoViolations();
  });

  it("the room is cleaned up whole even if it had snapshots and carried ids", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 500 } });
    const ann = stage.join("ann");
    for (let n = 0; n < 1_100; n++) {
      stage.do(ann, "lab", "add", { n });
      stage.advance(6);
    }
    expect(stage.runtime.keys("s/").length * stage.runtime.keys("o/").length).toBeGreaterThan(0);
    stage.leave(ann);
    stage.advance(1_000_000);
    expect(stage.runtime.keys()).toEqual([]);
  });
});

describe("a feature's timer", () => {
  it("the timer rings at its time, once, and may be moved or cleared", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    const from = stage.now;
    for (const [name, afterMs] of [
      ["a", 1_000],
      ["b", 2_000],
      ["c", 3_000],
      ["c", null],
      ["a", 4_000],
      ["d/e", 2_000],
    ] as const) {
      setTimer(stage, ann, name, afterMs);
    }
    stage.advance(60_000);
    expect(readRangTimers(ann)).toEqual([`b@${from + 2_000}`, `d/e@${from + 2_000}`, `a@${from + 4_000}`]);
    stage.expectNoViolations();
  });

  it("the timer is durable: it survives a crash, a sleep and a snapshot, and rings late rather than never", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    setTimer(stage, ann, "early", 20_000);
    setTimer(stage, ann, "late", 100_000);
    for (let n = 0; n < 520; n++) {
      stage.do(ann, "lab", "nothing");
      stage.advance(6);
    }
    await stage.sleep();
    stage.die();
    stage.runtime.now += 50_000;
    await stage.wake();
    stage.rejoin(ann);
    stage.advance(100);
    expect(readRangTimers(ann)).toHaveLength(1);
    stage.advance(100_000);
    expect(readRangTimers(ann)).toHaveLength(2);
    stage.expectNoViolations();
  });

  it("a cleared timer stays cleared over a crash", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    setTimer(stage, ann, "t", 20_000);
    stage.advance(100);
    setTimer(stage, ann, "t", null);
    stage.advance(100);
    await stage.crash();
    stage.rejoin(ann);
    stage.advance(60_000);
    expect(readRangTimers(ann)).toEqual([]);
  });

  it("a timer that throws is tried again every 5 s until it succeeds, and its failed tries have no effect", async () => {
    const broken = new Set<FailurePoint>(["due"]);
    const stage = await RoomStage.open({ kind: labKind({ broken }) });
    const ann = stage.join("ann");
    stage.advance(1_000);
    const from = stage.now;
    setTimer(stage, ann, "t", 2_000);
    stage.advance(13_000);
    expect(stage.runtime.reports).toHaveLength(3);
    await stage.crash();
    stage.rejoin(ann);
    broken.clear();
    stage.advance(10_000);
    expect(readRangTimers(ann)).toEqual([`t@${from + 17_000}`]);
    expect(ann.violations).toEqual([]);
  });

  it("a timer of a feature that a later release removed is dropped", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    setTimer(stage, ann, "t", 2_000);
    stage.advance(10);
    stage.kind = { ...stage.kind, features: stage.kind.features.slice(0, 2) };
    await stage.sleep();
    // Longer than the time for users of another release to come back.
    stage.advance(40_000);
    expect(stage.runtime.alarmAt).toBeGreaterThan(stage.now + 100_000);
    expect(stage.runtime.reports).toEqual([]);
  });
});
