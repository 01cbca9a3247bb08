import { describe, expect, it } from "vitest";
import { PAUSE_BYTES, RESTART_GRACE_MS } from "../../src/protocol/limits";
import { defineFeature } from "../../src/room/api/feature";
import { defineKind } from "../../src/room/api/kind";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const readLeavers = (tab: RoomTab) =>
  tab
    .read()
    .events.filter(({ n }) => n === "left")
    .map(({ d }) => (d as { user: string }).user);

/** A room whose newest 2 MiB a reader has not read, so that a replay takes several reads. */
async function openRoomWithLateReader(): Promise<{ stage: RoomStage; talker: RoomTab; late: RoomTab }> {
  const stage = await RoomStage.open();
  const talker = stage.join("talker");
  const late = stage.join("late");
  stage.advance(1_000);
  stage.do(late, "lab", "both", {}, "done-before");
  stage.advance(100);
  late.read();
  stage.leave(late);
  for (let n = 0; n < 40; n++) {
    stage.do(talker, "lab", "many", { count: 50, chars: 1_000 });
    stage.advance(10);
  }
  stage.deaf.add(late);
  stage.rejoin(late);
  return { stage, talker, late };
}
function readAll(stage: RoomStage, late: RoomTab, upTo: number): void {
  for (let n = 0; n < 20 && late.read().seq < upTo; n++) stage.sendSeen(late);
}
const kindsAfterWelcome = (tab: RoomTab) => tab.peer.texts.map((text) => /"t":"(\w+)"/.exec(text)?.[1]);

describe("an answer to a reader who is still catching up", () => {
  it("[O4] the answer comes after the frames that it follows from, not before them", async () => {
    const { stage, talker, late } = await openRoomWithLateReader();
    expect(late.read().seq, "the replay takes more than one reading").toBeLessThan(talker.read().seq);
    stage.do(late, "lab", "both", {}, "done-before");
    stage.do(late, "lab", "both", {}, "done-now");
    stage.do(late, "lab", "echo", { text: "only an answer" }, "answered");
    stage.verify(late);
    stage.advance(100);
    expect(kindsAfterWelcome(late)).not.toContain("ack");
    expect(kindsAfterWelcome(late)).not.toContain("checksum");
    readAll(stage, late, talker.read().seq);
    expect(late.acks.get("done-before")).toMatchObject({ d: { told: true } });
    expect(late.acks.get("done-now")).toMatchObject({ seq: late.seq, d: { told: true } });
    expect(late.acks.get("answered")).toEqual({ d: "only an answer" });
    expect(late.checksums.map(({ seq }) => seq)).toEqual([late.seq]);
    stage.expectNoViolations();
  });

  it("[O4] the answer is not lost with the room's sleep: its reader is asked to come back, and gets it then", async () => {
    const { stage, talker, late } = await openRoomWithLateReader();
    stage.do(late, "lab", "echo", { text: "hello" }, "owed");
    stage.advance(100);
    expect(late.read().acks.has("owed")).toBe(false);
    await stage.sleep();
    expect(late.read().byes).toMatchObject([{ code: 1012, retryAfterMs: expect.any(Number) }]);
    stage.rejoin(late);
    stage.do(late, "lab", "echo", { text: "hello" }, "owed");
    stage.advance(100);
    readAll(stage, late, talker.read().seq);
    expect(late.acks.get("owed")).toEqual({ d: "hello" });
    stage.expectNoViolations();
  });

  it("[F6] the answers do not accumulate without bound: the room closes a user who asks on and reads nothing", async () => {
    const { stage, late } = await openRoomWithLateReader();
    const text = "x".repeat(10_000);
    for (let n = 0; n < 2 * (PAUSE_BYTES / 10_000) && late.peer.state === "open"; n++) {
      stage.do(late, "lab", "echo", { text }, `e${n}`);
    }
    stage.advance(100);
    expect(late.read().byes).toMatchObject([{ code: 4408 }]);
  });
});

describe("an action that was done before a cut", () => {
  it("[O1] the action is answered as done though its connection has spent its rate, because a rejection would be false", async () => {
    const stage = await RoomStage.open({ settings: { actionRate: { count: 5, perMs: 1_000 } } });
    const ann = stage.join("ann");
    stage.advance(2_000);
    const ids: string[] = [];
    for (let n = 0; n < 12; n++) {
      ids.push(stage.say(ann, `line ${n}`));
      stage.advance(400);
    }
    stage.rejoin(ann);
    for (const [n, id] of ids.entries()) stage.say(ann, `line ${n}`, id);
    stage.say(ann, "something new", "new");
    stage.advance(100);
    const refused = ann.read().nacks.map(({ id }) => id);
    expect(refused).toEqual(["new"]);
    expect(ann.peer.texts.filter((text) => text.includes('"t":"ack"'))).toHaveLength(ids.length);
    stage.expectNoViolations();
  });

  it("[M6] an action that is repeated for ever is closed as any flood is", async () => {
    const stage = await RoomStage.open({ settings: { actionRate: { count: 5, perMs: 1_000 } } });
    const ann = stage.join("ann");
    stage.say(ann, "once", "once");
    stage.advance(100);
    for (let n = 0; n < 1_100 && ann.peer.state === "open"; n++) stage.say(ann, "once", "once");
    expect(ann.read().byes).toMatchObject([{ code: 4429 }]);
  });
});

describe("a room that was down for longer than the grace", () => {
  it("[P1] members whose grace ended meanwhile get the time to come back once more", async () => {
    const stage = await RoomStage.open();
    const tabs = ["ann", "bob", "cat"].map((user) => stage.join(user));
    stage.advance(1_000);
    // The room starts without users, and crashes again before any could come.
    await stage.crash();
    stage.die();
    stage.runtime.now += RESTART_GRACE_MS + 20_000;
    await stage.wake();
    stage.fireAlarm();
    stage.advance(3_000);
    for (const tab of tabs) stage.rejoin(tab);
    stage.advance(RESTART_GRACE_MS);
    for (const tab of tabs) expect(readLeavers(tab)).toEqual([]);
    stage.expectNoViolations();
  });

  it("[P1] the members do not wait for ever: an alarm that rings in time reports who has left", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    stage.advance(1_000);
    stage.leave(ann);
    stage.advance(1_000);
    for (let n = 0; n < 3; n++) {
      stage.runtime.now = stage.runtime.alarmAt ?? stage.now;
      await stage.wake();
      stage.fireAlarm();
    }
    stage.advance(10);
    expect(readLeavers(bob)).toEqual(["ann"]);
    stage.expectNoViolations();
  });
});

describe("a welcome", () => {
  it("[W2] a welcome of any size reaches its user, who then reads on", async () => {
    const huge = defineFeature({
      name: "huge",
      version: "1",
      schema: { actions: {}, events: {} },
      shared: { initial: () => ({ text: "x".repeat(3 * PAUSE_BYTES) }), reduce: (state) => state },
      actions: {},
    });
    const lab = labKind();
    const stage = await RoomStage.open({
      kind: defineKind({ name: "main", features: [...lab.features, huge] }),
    });
    const ann = stage.join("ann");
    stage.advance(100);
    expect(ann.read().byes).toEqual([]);
    stage.say(ann, "hello");
    stage.advance(100);
    stage.sendSeen(ann);
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "hello" } });
    stage.expectNoViolations();
  });
});

describe("another release of the code", () => {
  it("[W4] a removed feature gives every user a new snapshot, and so does a returning feature", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.say(ann, "hello");
    stage.advance(100);
    const whole = stage.kind;
    stage.kind = defineKind({ name: "main", features: whole.features.filter(({ name }) => name !== "lab") });
    await stage.crash();
    stage.rejoin(ann);
    stage.advance(100);
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: false });
    stage.kind = whole;
    await stage.crash();
    stage.rejoin(ann);
    stage.advance(100);
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: false });
  });

  it("[W4] the room asks sockets older than the release to come back, each at its own time, evenly", async () => {
    const stage = await RoomStage.open({ settings: { maxUsers: 2_000 } });
    const tabs = Array.from({ length: 1_000 }, (_, n) => stage.join(`user-${n}`));
    stage.advance(1_000);
    stage.kind = labKind({ version: "2" });
    await stage.sleep();
    const times = tabs.map((tab) => tab.read().byes[0]?.retryAfterMs ?? -1);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
    const longest = Math.max(...times);
    expect(longest).toBeGreaterThan(4_000);
    const slots = new Map<number, number>();
    for (const ms of times) slots.set(Math.floor(ms / 250), (slots.get(Math.floor(ms / 250)) ?? 0) + 1);
    const even = 1_000 / (longest / 250);
    for (const [slot, count] of slots) {
      expect(count, `coming back from ${slot * 250} ms on`).toBeLessThanOrEqual(even * 1.1 + 1);
    }
    stage.advance(20_000);
    for (const tab of tabs) stage.rejoin(tab);
    stage.advance(RESTART_GRACE_MS);
    expect(readLeavers(tabs[0] as RoomTab)).toEqual([]);
    expect(stage.room.summary(stage.now).users).toBe(1_000);
    stage.expectNoViolations();
  }, 60_000);

  it("[W4] a few sockets are asked to come back at once, because they are no crowd", async () => {
    const stage = await RoomStage.open();
    const tabs = ["ann", "bob", "cat"].map((user) => stage.join(user));
    stage.advance(1_000);
    stage.kind = labKind({ version: "2" });
    await stage.sleep();
    for (const tab of tabs) expect(tab.read().byes[0]?.retryAfterMs).toBeLessThanOrEqual(500);
  });

  it("no feature may have the room's own name", () => {
    expect(() =>
      defineFeature({
        name: "room",
        version: "1",
        schema: { actions: {}, events: {} },
        shared: { initial: () => ({}), reduce: (state) => state },
        actions: {},
      }),
    ).toThrow(/"room"/);
  });
});
