import { describe, expect, it } from "vitest";
import { presence } from "../../src/features/presence/decide";
import { defineKind } from "../../src/room/kind";
import { type DebtState, debtFeature } from "../support/errand-feature";
import { RoomStage, settings } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const kindWith = (broken?: Parameters<typeof debtFeature>[0]) =>
  defineKind({ name: "main", features: [presence, debtFeature(broken)] });

const open = (broken?: Parameters<typeof debtFeature>[0]) => RoomStage.open({ kind: kindWith(broken) });
const owe = (stage: RoomStage, tab: RoomTab, n: number, now = true) =>
  stage.do(tab, "debt", "owe", { n, now });
const debt = (tab: RoomTab) => tab.read().slices.debt as DebtState;
const asks = (stage: RoomStage) => stage.world.asked.map(({ ask }) => (ask as { owed: number }).owed);
const last = (stage: RoomStage) => {
  const asked = stage.world.asked.at(-1);
  if (!asked) throw new Error("Nothing was asked.");
  return asked;
};

/** Ann, in a room that was quiet for a while. */
async function withAnn(broken?: Parameters<typeof debtFeature>[0]) {
  const stage = await open(broken);
  const ann = stage.join("ann", { expiresAt: stage.now + 100 * settings.idleMs });
  stage.pass(1_000);
  return { stage, ann };
}

describe("an errand", () => {
  it("[R1] is begun once what wants it is durable, and not before", async () => {
    const { stage, ann } = await withAnn();
    stage.settles = false;
    owe(stage, ann, 3);
    expect(stage.world.asked).toEqual([]);
    stage.settle();
    expect(stage.world.asked).toMatchObject([{ name: "debt/pay", ask: { owed: 3 } }]);
  });

  it("[R1] of a frame that was lost with its process was never asked", async () => {
    const { stage, ann } = await withAnn();
    stage.settles = false;
    owe(stage, ann, 3);
    await stage.crash();
    stage.settles = true;
    stage.rejoin(ann);
    stage.pass(60_000);
    expect(stage.world.asked).toEqual([]);
    expect(debt(ann)).toEqual({ owed: 0, paid: [] });
  });

  it("[R1] is not begun from what a write that failed has lost", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 3);
    stage.fail(last(stage));
    owe(stage, ann, 1, false);
    owe(stage, ann, 1, false);
    stage.world.failWrites(1, "throwing");
    stage.world.now = stage.now + 20_000;
    const ring = () =>
      stage.world.turn(() => {
        stage.world.ring();
        stage.room.alarm(stage.now);
      });
    expect(ring).toThrow("A write failed");
    expect(stage.world.broken).toBeGreaterThan(0);
    expect(asks(stage)).toEqual([3]);
  });

  it("[R1] ends in the frame that holds what follows from its answer", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 3);
    stage.pass(100);
    const { commits } = stage.room.counts;
    stage.answer(last(stage), 3);
    await stage.crash();
    expect(stage.room.counts.commits, "a restart begins to count anew").toBeLessThan(commits);
    stage.rejoin(ann);
    stage.pass(100_000);
    expect(debt(ann)).toEqual({ owed: 0, paid: [3] });
    expect(asks(stage)).toEqual([3]);
    stage.check();
  });

  it("[R1] whose answer's frame was lost is asked again, from the state as it then is", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 3);
    stage.pass(100);
    stage.settles = false;
    stage.answer(last(stage), 3);
    await stage.crash();
    stage.settles = true;
    stage.rejoin(ann);
    stage.pass(2_000);
    expect(asks(stage)).toEqual([3, 3]);
    expect(stage.world.asked[0]?.call).not.toBe(stage.world.asked[1]?.call);
    stage.answer(last(stage), 3);
    stage.pass(100_000);
    expect(debt(ann)).toEqual({ owed: 0, paid: [3] });
    expect(asks(stage)).toHaveLength(2);
    stage.check();
  });

  it("[R3] is one of its name at a time; wanted meanwhile, it is begun once more after the answer", async () => {
    const { stage, ann } = await withAnn();
    for (const n of [1, 2, 4]) {
      owe(stage, ann, n);
      stage.pass(50);
    }
    expect(asks(stage)).toEqual([1]);
    stage.answer(last(stage), 1);
    stage.pass(50);
    expect(asks(stage)).toEqual([1, 6]);
    stage.answer(last(stage), 6);
    stage.pass(100_000);
    expect(asks(stage)).toEqual([1, 6]);
    expect(debt(ann)).toEqual({ owed: 0, paid: [1, 6] });
    stage.check();
  });

  it("[R3] wanted twice in one frame is begun once", async () => {
    const { stage, ann } = await withAnn();
    stage.signal(ann, "presence", "none");
    owe(stage, ann, 1);
    stage.pass(1);
    owe(stage, ann, 2);
    owe(stage, ann, 4);
    stage.pass(100);
    expect(asks(stage)).toEqual([1]);
    stage.answer(last(stage), 1);
    stage.pass(100);
    expect(asks(stage)).toEqual([1, 6]);
  });

  it("with nothing left to ask is over without a call", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 3);
    stage.do(ann, "debt", "forgive");
    stage.fail(last(stage));
    stage.pass(100_000);
    expect(asks(stage)).toEqual([3]);
    stage.leave(ann);
    stage.pass(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
  });

  it("[R4] that fails waits, longer each time up to a minute, never quite as long as another, and never gives up", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    const pauses: number[] = [];
    for (let failures = 0; failures < 20; failures++) {
      const failedAt = stage.now;
      const before = stage.world.asked.length;
      stage.fail(last(stage));
      while (stage.world.asked.length === before) stage.pass(100);
      pauses.push(stage.now - failedAt);
    }
    for (const [at, pause] of pauses.entries()) {
      const whole = Math.min(60_000, 1_000 * 2 ** at);
      expect(pause).toBeGreaterThanOrEqual(whole / 2);
      expect(pause).toBeLessThanOrEqual(whole + 200);
    }
    expect(new Set(pauses.slice(6)).size).toBeGreaterThan(5);
    stage.answer(last(stage), 1);
    expect(debt(ann).paid).toEqual([1]);
    stage.check();
  });

  it("[R4] keeps its pause over sleep, a crash and a snapshot", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    for (let failures = 0; failures < 9; failures++) {
      const before = stage.world.asked.length;
      stage.fail(last(stage));
      while (failures < 8 && stage.world.asked.length === before) stage.pass(500);
    }
    const before = stage.world.asked.length;
    for (let n = 0; n < 520; n++) {
      owe(stage, ann, 1, false);
      stage.pass(6);
    }
    stage.pass(200);
    await stage.sleep();
    stage.pass(10_000);
    await stage.crash();
    stage.pass(10_000);
    expect(stage.world.asked).toHaveLength(before);
    stage.pass(45_000);
    expect(stage.world.asked).toHaveLength(before + 1);
    expect(asks(stage).at(-1)).toBe(521);
  });

  it("[R4] wanted anew while it waits does not cut its pause short", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    for (let failures = 0; failures < 5; failures++) {
      stage.fail(last(stage));
      while (stage.world.asked.length === failures + 1) stage.pass(100);
    }
    stage.fail(last(stage));
    for (let n = 0; n < 10; n++) owe(stage, ann, 1);
    stage.pass(10_000);
    expect(stage.world.asked).toHaveLength(6);
  });

  it("[R4] whose answer makes no sense waits longer each time as well", async () => {
    const broken = new Set<"answered">(["answered"]);
    const { stage, ann } = await withAnn(broken);
    owe(stage, ann, 1);
    for (let time = 0; time < 12; time++) {
      const before = stage.world.asked.length;
      stage.answer(last(stage), 1);
      stage.pass(10_000);
      if (stage.world.asked.length === before) break;
    }
    expect(stage.world.asked.length).toBeGreaterThan(3);
    expect(stage.world.asked.length, "a pause of more than 10 s by then").toBeLessThan(8);
    broken.clear();
    const before = stage.world.asked.length;
    while (stage.world.asked.length === before) stage.pass(100);
    stage.answer(last(stage), 1);
    expect(debt(ann)).toEqual({ owed: 0, paid: [1] });
  });

  it("[R4] that nobody ever answers is asked again", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    stage.pass(60_000);
    expect(stage.world.asked.length).toBeGreaterThanOrEqual(3);
    expect(stage.world.asked.length).toBeLessThanOrEqual(4);
    stage.check();
  });

  it("[R5] hears of one call once: doubled, late and strange answers change nothing", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    const first = last(stage);
    stage.fail(first);
    stage.answer(first, 1);
    stage.pass(5_000);
    const second = last(stage);
    expect(second.call).not.toBe(first.call);
    stage.answer(first, 1);
    stage.answer({ ...second, call: "no such call" }, 1);
    expect(debt(ann)).toEqual({ owed: 1, paid: [] });
    stage.answer(second, 1);
    stage.answer(second, 1);
    stage.fail(second);
    stage.pass(100_000);
    expect(debt(ann)).toEqual({ owed: 0, paid: [1] });
    stage.check();
  });

  it("[R5] is asked again by an instance that took another's place, which does not hear the other's answer", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    const first = last(stage);
    await stage.crash();
    stage.rejoin(ann);
    stage.answer(first, 1);
    expect(debt(ann).paid).toEqual([]);
    stage.pass(1_500);
    stage.answer(first, 1);
    expect(debt(ann).paid).toEqual([]);
    stage.answer(last(stage), 1);
    stage.answer(last(stage), 1);
    expect(debt(ann)).toEqual({ owed: 0, paid: [1] });
    stage.check();
  });

  it.each([0, 3])(
    "is not asked at the same moment by rooms that woke together, %i failures before",
    async (failures) => {
      const moments = new Set<number>();
      for (let room = 0; room < 20; room++) {
        const { stage, ann } = await withAnn();
        owe(stage, ann, 1);
        for (let failed = 1; failed <= failures; failed++) {
          stage.fail(last(stage));
          while (stage.world.asked.length === failed) stage.pass(100);
        }
        const before = stage.world.asked.length;
        if (failures > 0) stage.fail(last(stage));
        stage.die();
        // All was down for longer than any pause.
        if (failures > 0) stage.world.now += 100_000;
        const from = stage.now;
        await stage.wake();
        while (stage.world.asked.length === before) stage.pass(10);
        expect(stage.now - from).toBeLessThanOrEqual(1_010);
        moments.add(stage.now - from);
      }
      expect(moments.size).toBeGreaterThan(5);
    },
  );

  it.each(["ask", "answered"] as const)(
    "[R6] whose `%s` throws is reported and tried again",
    async (where) => {
      const broken = new Set([where]);
      const { stage, ann } = await withAnn(broken);
      owe(stage, ann, 2);
      if (where === "answered") stage.answer(last(stage), 2);
      expect(stage.world.reports).toHaveLength(1);
      stage.pass(300);
      expect(debt(ann)).toEqual({ owed: 2, paid: [] });
      broken.clear();
      stage.pass(2_000);
      stage.answer(last(stage), 2);
      expect(debt(ann)).toEqual({ owed: 0, paid: [2] });
      expect(stage.world.broken).toBe(0);
    },
  );

  it("of a feature that a later release no longer has is let go", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 2);
    stage.kind = defineKind({ name: "main", features: [presence] });
    await stage.crash();
    stage.pass(20_000);
    expect(stage.world.asked).toHaveLength(1);
    stage.pass(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
    expect(stage.world.reports.map(({ problem }) => problem)).toEqual([expect.stringContaining("debt/pay")]);
  });
});

describe("a room that owes", () => {
  it("[R6] has an alarm by which it asks again, whatever dies: at every turn of a payment", async () => {
    for (const died of ["asked", "answered", "failed"] as const) {
      for (const durable of [0, 1]) {
        const { stage, ann } = await withAnn();
        owe(stage, ann, 1);
        stage.pass(100);
        stage.settles = false;
        if (died === "answered") stage.answer(last(stage), 1);
        if (died === "failed") stage.fail(last(stage));
        stage.die(durable);
        stage.settles = true;
        // Nobody comes: only its alarm wakes it.
        stage.world.now = stage.world.alarmAt ?? Number.NaN;
        await stage.wake();
        stage.ring();
        stage.pass(2_000);
        for (const asked of [...stage.world.asked]) stage.answer(asked, 1);
        stage.rejoin(ann);
        stage.pass(100);
        expect(debt(ann), `${died} ${durable}`).toEqual({ owed: 0, paid: [1] });
      }
    }
  });

  it("[R6] is not cleaned up, however long nobody comes and nobody answers", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    stage.leave(ann);
    for (let n = 0; n < 200; n++) {
      stage.pass(60_000);
      if (n % 20 === 0) await stage.sleep();
      expect(stage.room.isOver).toBe(false);
    }
    while (!stage.room.isOver) {
      stage.answer(last(stage), 1);
      stage.pass(60_000);
    }
    expect(stage.world.keys()).toEqual([]);
    stage.check();
  });

  it("[R7] settles what it owes before it is cleaned up", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 7, false);
    stage.leave(ann);
    stage.pass(settings.idleMs + 5_000);
    expect(asks(stage)).toEqual([7]);
    expect(stage.room.isOver).toBe(false);
    stage.answer(last(stage), 7);
    stage.pass(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
    expect(stage.world.keys()).toEqual([]);
    expect(stage.world.alarmAt).toBeNull();
    stage.check();
  });

  it("[R6] is kept where it cannot say what it owes", async () => {
    const broken = new Set(["ending"] as const);
    const { stage, ann } = await withAnn(broken);
    stage.leave(ann);
    stage.pass(3 * settings.idleMs);
    expect(stage.room.isOver).toBe(false);
    expect(stage.world.reports.length).toBeGreaterThan(0);
    broken.clear();
    stage.pass(2 * settings.idleMs);
    expect(stage.room.isOver).toBe(true);
  });

  it("[R8] and is closed is gone for everybody at once, and from storage once it is settled", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 7, false);
    stage.turn(() => stage.room.end(stage.now));
    expect(ann.read().byes).toMatchObject([{ code: 4410 }]);
    expect(stage.room.exists).toBe(false);
    expect(asks(stage)).toEqual([7]);
    const bob = stage.join("bob");
    expect(bob.read().byes).toMatchObject([{ code: 1012, retryAfterMs: expect.any(Number) }]);
    expect(stage.post("host", "debt", "owe", { n: 1, now: true })).toMatchObject({
      refused: { code: "draining" },
    });
    stage.answer(last(stage), 7);
    expect(stage.room.isOver).toBe(true);
    expect(stage.world.keys()).toEqual([]);
    expect(stage.world.alarmAt).toBeNull();
    await stage.wake();
    const cat = stage.join("cat");
    expect(cat.read().welcomes).toMatchObject([{ seq: 1, resumed: false }]);
    expect(cat.epoch).not.toBe(ann.epoch);
  });

  it("[R8] and is closed while the outside is away stays closed over crashes, and is settled at last", async () => {
    const { stage, ann } = await withAnn();
    owe(stage, ann, 1);
    for (let failures = 0; failures < 8; failures++) {
      stage.fail(last(stage));
      stage.pass(70_000);
    }
    stage.fail(last(stage));
    const before = stage.world.asked.length;
    stage.turn(() => stage.room.end(stage.now));
    expect(stage.world.asked, "no pause is worth waiting for").toHaveLength(before + 1);
    for (let crashes = 0; crashes < 5; crashes++) {
      await stage.crash();
      expect(stage.room.exists).toBe(false);
      expect(stage.join(`visitor ${crashes}`).read().byes).toMatchObject([{ code: 1012 }]);
      stage.pass(10_000);
    }
    stage.answer(last(stage), 1);
    expect(stage.room.isOver).toBe(true);
    expect(stage.world.keys()).toEqual([]);
  });

  it("[R8] that owes nothing is gone as soon as it is closed", async () => {
    const { stage } = await withAnn();
    stage.turn(() => stage.room.end(stage.now));
    expect(stage.room.isOver).toBe(true);
    expect(stage.world.asked).toEqual([]);
    expect(stage.world.keys()).toEqual([]);
  });

  it("[R2] keeps time for everything else while nobody answers", async () => {
    const { stage, ann } = await withAnn();
    const bob = stage.join("bob");
    owe(stage, ann, 1);
    stage.leave(bob);
    stage.pass(settings.leaveGraceMs);
    expect(ann.read().events.at(-1)).toMatchObject({ n: "left", d: { user: "bob" } });
  });
});
