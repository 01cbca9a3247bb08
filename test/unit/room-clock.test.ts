import { describe, expect, it } from "vitest";
import type { Batch } from "../../src/protocol/batch";
import { PING_MS } from "../../src/protocol/limits";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";
import { ScoreStage } from "../support/score-stage";

const DAY_MS = 86_400_000;

/** The machine's clock is set, and somebody says something. */
function set(stage: RoomStage, tab: RoomTab, byMs: number): void {
  stage.world.now += byMs;
  stage.tell(tab, { t: "clock", t0: 0 });
}

function total(tab: RoomTab): number {
  return (tab.read().slices.lab as { total: number }).total;
}

describe("a machine's clock that steps ahead", () => {
  it("[O2] does not make an accepted action new, live and after a restart, however far it steps", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(1_000);
    stage.do(ann, "lab", "add", { n: 5 }, "once");
    stage.pass(50);
    for (let n = 0; n < 3; n++) {
      set(stage, ann, 2 * DAY_MS);
      stage.do(ann, "lab", "add", { n: 5 }, "once");
      stage.pass(50);
      await stage.crash();
      stage.rejoin(ann, { expiresAt: stage.now + 100 * DAY_MS });
      stage.pass(50);
      stage.do(ann, "lab", "add", { n: 5 }, "once");
      stage.pass(50);
    }
    expect(total(ann)).toBe(5);
    stage.check();
  });

  it("[O2] does not let go of ids that were carried out of their records", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 500 } });
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(100);
    const flood = () => {
      for (let n = 0; n < 520; n++) {
        stage.do(ann, "lab", "nothing");
        stage.pass(6);
      }
    };
    stage.do(ann, "lab", "add", { n: 5 }, "once");
    flood();
    expect(stage.world.keys("o/").length).toBeGreaterThan(0);
    set(stage, ann, 2 * DAY_MS);
    flood();
    await stage.crash();
    stage.rejoin(ann, { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(50);
    stage.do(ann, "lab", "add", { n: 5 }, "once");
    stage.pass(50);
    expect(total(ann)).toBe(5);
    stage.check();
  });

  it("[B4] and is set right counts what follows in the day that it is, and each point once", async () => {
    const stage = await ScoreStage.open({ settings: { flushMs: 1_000 } });
    const { room } = stage;
    const hanna = stage.join("hanna", "host");
    const ann = stage.join("ann");
    stage.pass(1_000);
    stage.award(hanna, "ann", 1);
    stage.pass(2_000);
    room.world.now += 2 * DAY_MS;
    stage.award(hanna, "ann", 10);
    stage.pass(2_500);
    room.world.now -= 2 * DAY_MS;
    stage.award(hanna, "ann", 100);
    stage.pass(5_000);
    stage.award(hanna, "ann", 100);
    stage.pass(5_000);
    const entries = room.world.asked.flatMap(({ name, ask }) =>
      name === "scores/batch" ? ((ask as unknown as Batch).entries ?? []) : [],
    );
    const byDay = new Map<number, number>();
    for (const { points, firstAt, lastAt } of entries) {
      const day = Math.round((lastAt - room.now) / DAY_MS);
      byDay.set(day, (byDay.get(day) ?? 0) + points);
      expect(firstAt).toBeLessThanOrEqual(lastAt);
    }
    expect([...byDay]).toEqual([
      [0, 201],
      [2, 10],
    ]);
    expect(ann.faults).toEqual([]);
    room.check();
  });
});

describe("a room that is ahead of its machine's clock", () => {
  it("is so no longer after twice its lead, and its time never goes back, over restarts too", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(1_000);
    stage.say(ann, "before");
    set(stage, ann, 60_000);
    stage.say(ann, "ahead");
    stage.pass(2_500);
    set(stage, ann, -60_000);
    const { clock } = stage.room["parts"];
    // 2.5 s of it have passed meanwhile.
    expect(clock.ahead).toBe(57_500);
    for (let n = 0; n < 61; n++) {
      stage.pass(1_000);
      stage.say(ann, `${n}`);
      if (n !== 30) continue;
      await stage.crash();
      stage.rejoin(ann, { expiresAt: stage.now + 100 * DAY_MS });
    }
    expect(stage.room["parts"].clock.ahead).toBeLessThan(31_000);
    for (let n = 0; n < 61; n++) {
      stage.pass(1_000);
      stage.say(ann, `${n}`);
    }
    expect(stage.room["parts"].clock.ahead).toBe(0);
    const times = ann.read().events.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBe(stage.now);
    stage.check();
  });

  it("[T8] ends a token when the world's clock says so, not its own", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(1_000);
    set(stage, ann, DAY_MS);
    set(stage, ann, -DAY_MS);
    const bob = stage.join("bob", { expiresAt: stage.now + 10_000 });
    stage.pass(9_900);
    expect(bob.read().byes).toEqual([]);
    stage.pass(200);
    expect(bob.read().byes).toMatchObject([{ code: 4401 }]);
    expect(ann.read().byes).toEqual([]);
  });

  it("[L1] tells a wait as long as it takes by the world's clock", async () => {
    const stage = await RoomStage.open({ settings: { rules: { "chat.say": { count: 1, perMs: 10_000 } } } });
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(1_000);
    set(stage, ann, DAY_MS);
    set(stage, ann, -DAY_MS);
    stage.say(ann, "one");
    stage.say(ann, "two");
    const [nack] = ann.read().nacks;
    expect(nack).toMatchObject({ code: "rate_limited", retryAfterMs: 20_000 });
    stage.pass(nack?.retryAfterMs ?? 0);
    stage.say(ann, "three", "third");
    stage.pass(100);
    expect(ann.read().acks.has("third")).toBe(true);
  });

  it("runs its timers, no later than twice their time", async () => {
    const stage = await RoomStage.open({ kind: labKind(), settings: { leaveGraceMs: 5_000 } });
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    const bob = stage.join("bob", { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(1_000);
    set(stage, ann, DAY_MS);
    set(stage, ann, -DAY_MS);
    stage.leave(bob);
    stage.pass(9_900);
    const left = () => ann.read().events.filter(({ n }) => n === "left").length;
    expect(left()).toBe(0);
    stage.pass(200);
    expect(left()).toBe(1);
  });

  it("[M2] takes no answer of its platform to a ping for one of a time to come", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    const bob = stage.join("bob", { expiresAt: stage.now + 100 * DAY_MS });
    stage.pass(1_000);
    stage.world.now += DAY_MS;
    bob.peer.pongedAt = stage.now;
    set(stage, ann, -DAY_MS);
    for (let n = 0; n < 12; n++) {
      stage.pass(PING_MS);
      stage.tell(ann, "ping");
      stage.tell(ann, { t: "clock", t0: 0 });
      for (const word of ["at once", "with the window"]) stage.say(ann, word);
      stage.pass(100);
    }
    expect(bob.read().byes).toMatchObject([{ code: 4408 }]);
  });
});
