import { describe, expect, it } from "vitest";
import { presence } from "../../src/features/presence/decide";
import { defineKind } from "../../src/room/api/kind";
import { type DebtState, debtFeature } from "../support/effect-feature";
import { RoomStage, settings } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const kindWith = (broken?: Parameters<typeof debtFeature>[0]) =>
  defineKind({ name: "main", features: [presence, debtFeature(broken)] });

const open = (broken?: Parameters<typeof debtFeature>[0]) => RoomStage.open({ kind: kindWith(broken) });
const createDebt = (stage: RoomStage, tab: RoomTab, n: number, now = true) =>
  stage.do(tab, "debt", "owe", { n, now });
const readDebt = (tab: RoomTab) => tab.read().slices.debt as DebtState;
const readRequestedSums = (stage: RoomStage) =>
  stage.runtime.startedEffects.map(({ request: ask }) => (ask as { owed: number }).owed);
const lastEffect = (stage: RoomStage) => {
  const call = stage.runtime.startedEffects.at(-1);
  if (!call) throw new Error("No effect was started.");
  return call;
};

/** Ann in a room that was quiet for a while. */
async function openWithAnn(broken?: Parameters<typeof debtFeature>[0]) {
  const stage = await open(broken);
  const ann = stage.join("ann", { expiresAt: stage.now + 100 * settings.idleMs });
  stage.advance(1_000);
  return { stage, ann };
}

describe("an effect", () => {
  it("[R1] the effect starts once the frame that wants it is durable, and not before", async () => {
    const { stage, ann } = await openWithAnn();
    stage.isAutoDurable = false;
    createDebt(stage, ann, 3);
    expect(stage.runtime.startedEffects).toEqual([]);
    stage.makeDurable();
    expect(stage.runtime.startedEffects).toMatchObject([{ name: "debt/pay", request: { owed: 3 } }]);
  });

  it("[R1] the effect of a frame that was lost with its process never starts", async () => {
    const { stage, ann } = await openWithAnn();
    stage.isAutoDurable = false;
    createDebt(stage, ann, 3);
    await stage.crash();
    stage.isAutoDurable = true;
    stage.rejoin(ann);
    stage.advance(60_000);
    expect(stage.runtime.startedEffects).toEqual([]);
    expect(readDebt(ann)).toEqual({ owed: 0, paid: [] });
  });

  it("[R1] the effect of a failed write never starts", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 3);
    stage.failEffect(lastEffect(stage));
    createDebt(stage, ann, 1, false);
    createDebt(stage, ann, 1, false);
    stage.runtime.failWrites(1, "throwing");
    stage.runtime.now = stage.now + 20_000;
    const ring = () =>
      stage.runtime.turn(() => {
        stage.runtime.beginAlarm();
        stage.room.alarm(stage.now);
      });
    expect(ring).toThrow("A write failed");
    expect(stage.runtime.brokenCount).toBeGreaterThan(0);
    expect(readRequestedSums(stage)).toEqual([3]);
  });

  it("[R1] the effect ends in the frame with the events of its answer", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 3);
    stage.advance(100);
    const { commits } = stage.room.counts;
    stage.answerEffect(lastEffect(stage), 3);
    await stage.crash();
    expect(stage.room.counts.commits, "a restart begins to count again").toBeLessThan(commits);
    stage.rejoin(ann);
    stage.advance(100_000);
    expect(readDebt(ann)).toEqual({ owed: 0, paid: [3] });
    expect(readRequestedSums(stage)).toEqual([3]);
    stage.expectNoViolations();
  });

  it("[R1] the effect starts again, from the present state, if the frame of its answer was lost", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 3);
    stage.advance(100);
    stage.isAutoDurable = false;
    stage.answerEffect(lastEffect(stage), 3);
    await stage.crash();
    stage.isAutoDurable = true;
    stage.rejoin(ann);
    stage.advance(2_000);
    expect(readRequestedSums(stage)).toEqual([3, 3]);
    expect(stage.runtime.startedEffects[0]?.call).not.toBe(stage.runtime.startedEffects[1]?.call);
    stage.answerEffect(lastEffect(stage), 3);
    stage.advance(100_000);
    expect(readDebt(ann)).toEqual({ owed: 0, paid: [3] });
    expect(readRequestedSums(stage)).toHaveLength(2);
    stage.expectNoViolations();
  });

  it("[R3] the effect is in flight once under its name, and starts once more after the answer if it was wanted meanwhile", async () => {
    const { stage, ann } = await openWithAnn();
    for (const n of [1, 2, 4]) {
      createDebt(stage, ann, n);
      stage.advance(50);
    }
    expect(readRequestedSums(stage)).toEqual([1]);
    stage.answerEffect(lastEffect(stage), 1);
    stage.advance(50);
    expect(readRequestedSums(stage)).toEqual([1, 6]);
    stage.answerEffect(lastEffect(stage), 6);
    stage.advance(100_000);
    expect(readRequestedSums(stage)).toEqual([1, 6]);
    expect(readDebt(ann)).toEqual({ owed: 0, paid: [1, 6] });
    stage.expectNoViolations();
  });

  it("[R3] the effect starts once if one frame wants it twice", async () => {
    const { stage, ann } = await openWithAnn();
    stage.signal(ann, "presence", "none");
    createDebt(stage, ann, 1);
    stage.advance(1);
    createDebt(stage, ann, 2);
    createDebt(stage, ann, 4);
    stage.advance(100);
    expect(readRequestedSums(stage)).toEqual([1]);
    stage.answerEffect(lastEffect(stage), 1);
    stage.advance(100);
    expect(readRequestedSums(stage)).toEqual([1, 6]);
  });

  it("an effect without a request completes without a call", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 3);
    stage.do(ann, "debt", "forgive");
    stage.failEffect(lastEffect(stage));
    stage.advance(100_000);
    expect(readRequestedSums(stage)).toEqual([3]);
    stage.leave(ann);
    stage.advance(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
  });

  it("[R4] an effect that fails waits longer each time up to a minute, never quite as long as another, and never gives up", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    const pauses: number[] = [];
    for (let failures = 0; failures < 20; failures++) {
      const failedAt = stage.now;
      const before = stage.runtime.startedEffects.length;
      stage.failEffect(lastEffect(stage));
      while (stage.runtime.startedEffects.length === before) stage.advance(100);
      pauses.push(stage.now - failedAt);
    }
    for (const [at, pause] of pauses.entries()) {
      const whole = Math.min(60_000, 1_000 * 2 ** at);
      expect(pause).toBeGreaterThanOrEqual(whole / 2);
      expect(pause).toBeLessThanOrEqual(whole + 200);
    }
    expect(new Set(pauses.slice(6)).size).toBeGreaterThan(5);
    stage.answerEffect(lastEffect(stage), 1);
    expect(readDebt(ann).paid).toEqual([1]);
    stage.expectNoViolations();
  });

  it("[R4] an effect keeps its pause over sleep, a crash and a snapshot", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    for (let failures = 0; failures < 9; failures++) {
      const before = stage.runtime.startedEffects.length;
      stage.failEffect(lastEffect(stage));
      while (failures < 8 && stage.runtime.startedEffects.length === before) stage.advance(500);
    }
    const before = stage.runtime.startedEffects.length;
    for (let n = 0; n < 520; n++) {
      createDebt(stage, ann, 1, false);
      stage.advance(6);
    }
    stage.advance(200);
    await stage.sleep();
    stage.advance(10_000);
    await stage.crash();
    stage.advance(10_000);
    expect(stage.runtime.startedEffects).toHaveLength(before);
    stage.advance(45_000);
    expect(stage.runtime.startedEffects).toHaveLength(before + 1);
    expect(readRequestedSums(stage).at(-1)).toBe(521);
  });

  it("[R4] an effect that is wanted again while it waits does not shorten its pause", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    for (let failures = 0; failures < 5; failures++) {
      stage.failEffect(lastEffect(stage));
      while (stage.runtime.startedEffects.length === failures + 1) stage.advance(100);
    }
    stage.failEffect(lastEffect(stage));
    for (let n = 0; n < 10; n++) createDebt(stage, ann, 1);
    stage.advance(10_000);
    expect(stage.runtime.startedEffects).toHaveLength(6);
  });

  it("[R4] an effect with an invalid answer waits longer each time as well", async () => {
    const broken = new Set<"answered">(["answered"]);
    const { stage, ann } = await openWithAnn(broken);
    createDebt(stage, ann, 1);
    for (let time = 0; time < 12; time++) {
      const before = stage.runtime.startedEffects.length;
      stage.answerEffect(lastEffect(stage), 1);
      stage.advance(10_000);
      if (stage.runtime.startedEffects.length === before) break;
    }
    expect(stage.runtime.startedEffects.length).toBeGreaterThan(3);
    expect(stage.runtime.startedEffects.length, "a pause of more than 10 s by then").toBeLessThan(8);
    broken.clear();
    const before = stage.runtime.startedEffects.length;
    while (stage.runtime.startedEffects.length === before) stage.advance(100);
    stage.answerEffect(lastEffect(stage), 1);
    expect(readDebt(ann)).toEqual({ owed: 0, paid: [1] });
  });

  it("[R4] an effect that is never answered starts again", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    stage.advance(60_000);
    expect(stage.runtime.startedEffects.length).toBeGreaterThanOrEqual(3);
    expect(stage.runtime.startedEffects.length).toBeLessThanOrEqual(4);
    stage.expectNoViolations();
  });

  it("[R5] an effect accepts one answer for each call: doubled, late and foreign answers change nothing", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    const first = lastEffect(stage);
    stage.failEffect(first);
    stage.answerEffect(first, 1);
    stage.advance(5_000);
    const second = lastEffect(stage);
    expect(second.call).not.toBe(first.call);
    stage.answerEffect(first, 1);
    stage.answerEffect({ ...second, call: "no such call" }, 1);
    expect(readDebt(ann)).toEqual({ owed: 1, paid: [] });
    stage.answerEffect(second, 1);
    stage.answerEffect(second, 1);
    stage.failEffect(second);
    stage.advance(100_000);
    expect(readDebt(ann)).toEqual({ owed: 0, paid: [1] });
    stage.expectNoViolations();
  });

  it("[R5] a new instance starts the effect again, and ignores the answer to the old instance", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    const first = lastEffect(stage);
    await stage.crash();
    stage.rejoin(ann);
    stage.answerEffect(first, 1);
    expect(readDebt(ann).paid).toEqual([]);
    stage.advance(1_500);
    stage.answerEffect(first, 1);
    expect(readDebt(ann).paid).toEqual([]);
    stage.answerEffect(lastEffect(stage), 1);
    stage.answerEffect(lastEffect(stage), 1);
    expect(readDebt(ann)).toEqual({ owed: 0, paid: [1] });
    stage.expectNoViolations();
  });

  it.each([0, 3])(
    "rooms that woke together do not start their effects at the same moment, %i failures before",
    async (failures) => {
      const moments = new Set<number>();
      for (let room = 0; room < 20; room++) {
        const { stage, ann } = await openWithAnn();
        createDebt(stage, ann, 1);
        for (let failed = 1; failed <= failures; failed++) {
          stage.failEffect(lastEffect(stage));
          while (stage.runtime.startedEffects.length === failed) stage.advance(100);
        }
        const before = stage.runtime.startedEffects.length;
        if (failures > 0) stage.failEffect(lastEffect(stage));
        stage.die();
        // The whole server was down for longer than any pause.
        if (failures > 0) stage.runtime.now += 100_000;
        const from = stage.now;
        await stage.wake();
        while (stage.runtime.startedEffects.length === before) stage.advance(10);
        expect(stage.now - from).toBeLessThanOrEqual(1_010);
        moments.add(stage.now - from);
      }
      expect(moments.size).toBeGreaterThan(5);
    },
  );

  it.each(["ask", "answered"] as const)(
    "[R6] an effect whose `%s` throws is reported and tried again",
    async (where) => {
      const broken = new Set([where]);
      const { stage, ann } = await openWithAnn(broken);
      createDebt(stage, ann, 2);
      if (where === "answered") stage.answerEffect(lastEffect(stage), 2);
      expect(stage.runtime.reports).toHaveLength(1);
      stage.advance(300);
      expect(readDebt(ann)).toEqual({ owed: 2, paid: [] });
      broken.clear();
      stage.advance(2_000);
      stage.answerEffect(lastEffect(stage), 2);
      expect(readDebt(ann)).toEqual({ owed: 0, paid: [2] });
      expect(stage.runtime.brokenCount).toBe(0);
    },
  );

  it("an effect of a feature that a later release removed is dropped", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 2);
    stage.kind = defineKind({ name: "main", features: [presence] });
    await stage.crash();
    stage.advance(20_000);
    expect(stage.runtime.startedEffects).toHaveLength(1);
    stage.advance(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
    expect(stage.runtime.reports.map(({ problem }) => problem)).toEqual([
      expect.stringContaining("debt/pay"),
    ]);
  });
});

describe("a room with a pending effect", () => {
  it("[R6] the room has an alarm that starts the effect again after any crash: at every turn of a payment", async () => {
    for (const died of ["asked", "answered", "failed"] as const) {
      for (const durable of [0, 1]) {
        const { stage, ann } = await openWithAnn();
        createDebt(stage, ann, 1);
        stage.advance(100);
        stage.isAutoDurable = false;
        if (died === "answered") stage.answerEffect(lastEffect(stage), 1);
        if (died === "failed") stage.failEffect(lastEffect(stage));
        stage.die(durable);
        stage.isAutoDurable = true;
        // No user comes: only the alarm wakes the room.
        stage.runtime.now = stage.runtime.alarmAt ?? Number.NaN;
        await stage.wake();
        stage.fireAlarm();
        stage.advance(2_000);
        for (const call of [...stage.runtime.startedEffects]) stage.answerEffect(call, 1);
        stage.rejoin(ann);
        stage.advance(100);
        expect(readDebt(ann), `${died} ${durable}`).toEqual({ owed: 0, paid: [1] });
      }
    }
  });

  it("[R6] the room is not cleaned up while no user comes and no answer arrives", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    stage.leave(ann);
    for (let n = 0; n < 200; n++) {
      stage.advance(60_000);
      if (n % 20 === 0) await stage.sleep();
      expect(stage.room.isOver).toBe(false);
    }
    while (!stage.room.isOver) {
      stage.answerEffect(lastEffect(stage), 1);
      stage.advance(60_000);
    }
    expect(stage.runtime.keys()).toEqual([]);
    stage.expectNoViolations();
  });

  it("[R7] the room settles its effect before it is cleaned up", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 7, false);
    stage.leave(ann);
    stage.advance(settings.idleMs + 5_000);
    expect(readRequestedSums(stage)).toEqual([7]);
    expect(stage.room.isOver).toBe(false);
    stage.answerEffect(lastEffect(stage), 7);
    stage.advance(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
    expect(stage.runtime.keys()).toEqual([]);
    expect(stage.runtime.alarmAt).toBeNull();
    stage.expectNoViolations();
  });

  it("[R6] the room is kept if its request cannot be made", async () => {
    const broken = new Set(["ending"] as const);
    const { stage, ann } = await openWithAnn(broken);
    stage.leave(ann);
    stage.advance(3 * settings.idleMs);
    expect(stage.room.isOver).toBe(false);
    expect(stage.runtime.reports.length).toBeGreaterThan(0);
    broken.clear();
    stage.advance(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
  });

  it("[R8] a closed room disappears for all users at once, and from storage once its effect is settled", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 7, false);
    stage.turn(() => stage.room.close(stage.now));
    expect(ann.read().byes).toMatchObject([{ code: 4410 }]);
    expect(stage.room.exists).toBe(false);
    expect(readRequestedSums(stage)).toEqual([7]);
    const bob = stage.join("bob");
    expect(bob.read().byes).toMatchObject([{ code: 1012, retryAfterMs: expect.any(Number) }]);
    expect(stage.post("host", "debt", "owe", { n: 1, now: true })).toMatchObject({
      rejection: { code: "draining" },
    });
    stage.answerEffect(lastEffect(stage), 7);
    expect(stage.room.isOver).toBe(true);
    expect(stage.runtime.keys()).toEqual([]);
    expect(stage.runtime.alarmAt).toBeNull();
    await stage.wake();
    const cat = stage.join("cat");
    expect(cat.read().welcomes).toMatchObject([{ seq: 1, resumed: false }]);
    expect(cat.epoch).not.toBe(ann.epoch);
  });

  it("[R8] a room that is closed during an outage stays closed over crashes, and is settled at last", async () => {
    const { stage, ann } = await openWithAnn();
    createDebt(stage, ann, 1);
    for (let failures = 0; failures < 8; failures++) {
      stage.failEffect(lastEffect(stage));
      stage.advance(70_000);
    }
    stage.failEffect(lastEffect(stage));
    const before = stage.runtime.startedEffects.length;
    stage.turn(() => stage.room.close(stage.now));
    expect(stage.runtime.startedEffects, "the closed room does not wait for the pause").toHaveLength(
      before + 1,
    );
    for (let crashes = 0; crashes < 5; crashes++) {
      await stage.crash();
      expect(stage.room.exists).toBe(false);
      expect(stage.join(`visitor ${crashes}`).read().byes).toMatchObject([{ code: 1012 }]);
      stage.advance(10_000);
    }
    stage.answerEffect(lastEffect(stage), 1);
    expect(stage.room.isOver).toBe(true);
    expect(stage.runtime.keys()).toEqual([]);
  });

  it("[R8] a room without effects disappears as soon as it is closed", async () => {
    const { stage } = await openWithAnn();
    stage.turn(() => stage.room.close(stage.now));
    expect(stage.room.isOver).toBe(true);
    expect(stage.runtime.startedEffects).toEqual([]);
    expect(stage.runtime.keys()).toEqual([]);
  });

  it("[R2] the room's other timers run while the effect has no answer", async () => {
    const { stage, ann } = await openWithAnn();
    const bob = stage.join("bob");
    createDebt(stage, ann, 1);
    stage.leave(bob);
    stage.advance(settings.leaveGraceMs);
    expect(ann.read().events.at(-1)).toMatchObject({ n: "left", d: { user: "bob" } });
  });
});
