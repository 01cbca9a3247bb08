import { describe, expect, it } from "vitest";
import type { Batch } from "../../src/protocol/batch";
import { PING_MS } from "../../src/protocol/limits";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";
import { ScoreStage } from "../support/score-stage";

const DAY_MS = 86_400_000;

/** Sets the machine's clock, and sends a line. */
function set(stage: RoomStage, tab: RoomTab, byMs: number): void {
  stage.runtime.now += byMs;
  stage.send(tab, { t: "clock", t0: 0 });
}

function total(tab: RoomTab): number {
  return (tab.read().slices.lab as { total: number }).total;
}

describe("a machine's clock that steps ahead", () => {
  it("[O2] an accepted action does not become new, live and after a restart, for a step of any size", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(1_000);
    stage.do(ann, "lab", "add", { n: 5 }, "once");
    stage.advance(50);
    for (let n = 0; n < 3; n++) {
      set(stage, ann, 2 * DAY_MS);
      stage.do(ann, "lab", "add", { n: 5 }, "once");
      stage.advance(50);
      await stage.crash();
      stage.rejoin(ann, { expiresAt: stage.now + 100 * DAY_MS });
      stage.advance(50);
      stage.do(ann, "lab", "add", { n: 5 }, "once");
      stage.advance(50);
    }
    expect(total(ann)).toBe(5);
    stage.expectNoViolations();
  });

  it("[O2] the room does not forget ids that were carried out of their records", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 500 } });
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(100);
    const flood = () => {
      for (let n = 0; n < 520; n++) {
        stage.do(ann, "lab", "nothing");
        stage.advance(6);
      }
    };
    stage.do(ann, "lab", "add", { n: 5 }, "once");
    flood();
    expect(stage.runtime.keys("o/").length).toBeGreaterThan(0);
    set(stage, ann, 2 * DAY_MS);
    flood();
    await stage.crash();
    stage.rejoin(ann, { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(50);
    stage.do(ann, "lab", "add", { n: 5 }, "once");
    stage.advance(50);
    expect(total(ann)).toBe(5);
    stage.expectNoViolations();
  });

  it("[B4] after the clock is corrected, points count in their real day, and each point once", async () => {
    const stage = await ScoreStage.open({ settings: { flushMs: 1_000 } });
    const { room } = stage;
    const hanna = stage.join("hanna", "host");
    const ann = stage.join("ann");
    stage.advance(1_000);
    stage.award(hanna, "ann", 1);
    stage.advance(2_000);
    room.runtime.now += 2 * DAY_MS;
    stage.award(hanna, "ann", 10);
    stage.advance(2_500);
    room.runtime.now -= 2 * DAY_MS;
    stage.award(hanna, "ann", 100);
    stage.advance(5_000);
    stage.award(hanna, "ann", 100);
    stage.advance(5_000);
    const entries = room.runtime.startedEffects.flatMap(({ name, request: ask }) =>
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
    expect(ann.violations).toEqual([]);
    room.expectNoViolations();
  });
});

describe("a room that is ahead of its machine's clock", () => {
  it("the room loses its lead within twice its length, and its time never goes back, over restarts too", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(1_000);
    stage.say(ann, "before");
    set(stage, ann, 60_000);
    stage.say(ann, "ahead");
    stage.advance(2_500);
    set(stage, ann, -60_000);
    const { clock } = stage.room["context"];
    // 2.5 s of the lead have passed meanwhile.
    expect(clock.aheadMs).toBe(57_500);
    for (let n = 0; n < 61; n++) {
      stage.advance(1_000);
      stage.say(ann, `${n}`);
      if (n !== 30) continue;
      await stage.crash();
      stage.rejoin(ann, { expiresAt: stage.now + 100 * DAY_MS });
    }
    expect(stage.room["context"].clock.aheadMs).toBeLessThan(31_000);
    for (let n = 0; n < 61; n++) {
      stage.advance(1_000);
      stage.say(ann, `${n}`);
    }
    expect(stage.room["context"].clock.aheadMs).toBe(0);
    const times = ann.read().events.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBe(stage.now);
    stage.expectNoViolations();
  });

  it("[T8] a token ends by the real clock, not by the room's", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(1_000);
    set(stage, ann, DAY_MS);
    set(stage, ann, -DAY_MS);
    const bob = stage.join("bob", { expiresAt: stage.now + 10_000 });
    stage.advance(9_900);
    expect(bob.read().byes).toEqual([]);
    stage.advance(200);
    expect(bob.read().byes).toMatchObject([{ code: 4401 }]);
    expect(ann.read().byes).toEqual([]);
  });

  it("[L1] a rejection names a wait that is right by the real clock", async () => {
    const stage = await RoomStage.open({ settings: { rules: { "chat.say": { count: 1, perMs: 10_000 } } } });
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(1_000);
    set(stage, ann, DAY_MS);
    set(stage, ann, -DAY_MS);
    stage.say(ann, "one");
    stage.say(ann, "two");
    const [nack] = ann.read().nacks;
    expect(nack).toMatchObject({ code: "rate_limited", retryAfterMs: 20_000 });
    stage.advance(nack?.retryAfterMs ?? 0);
    stage.say(ann, "three", "third");
    stage.advance(100);
    expect(ann.read().acks.has("third")).toBe(true);
  });

  it("the room runs its timers within twice their time", async () => {
    const stage = await RoomStage.open({ kind: labKind(), settings: { leaveGraceMs: 5_000 } });
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    const bob = stage.join("bob", { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(1_000);
    set(stage, ann, DAY_MS);
    set(stage, ann, -DAY_MS);
    stage.leave(bob);
    stage.advance(9_900);
    const left = () => ann.read().events.filter(({ n }) => n === "left").length;
    expect(left()).toBe(0);
    stage.advance(200);
    expect(left()).toBe(1);
  });

  it("[M2] the room ignores a ping answer of its platform from the future", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 100 * DAY_MS });
    const bob = stage.join("bob", { expiresAt: stage.now + 100 * DAY_MS });
    stage.advance(1_000);
    stage.runtime.now += DAY_MS;
    bob.peer.pongedAt = stage.now;
    set(stage, ann, -DAY_MS);
    for (let n = 0; n < 12; n++) {
      stage.advance(PING_MS);
      stage.send(ann, "ping");
      stage.send(ann, { t: "clock", t0: 0 });
      for (const word of ["at once", "with the window"]) stage.say(ann, word);
      stage.advance(100);
    }
    expect(bob.read().byes).toMatchObject([{ code: 4408 }]);
  });
});
