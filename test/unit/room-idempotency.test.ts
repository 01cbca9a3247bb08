import { describe, expect, it } from "vitest";
import { RESEND_MS } from "../../src/protocol/limits";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

type SentAction = { tab: RoomTab; id: string; n: number };

/** Resends all actions, and returns the unacknowledged ones with their earlier numbers. */
function findForgotten(
  stage: RoomStage,
  actions: readonly SentAction[],
  acks: ReadonlyMap<string, unknown>,
): string[] {
  const { seq } = stage.room.summary(stage.now);
  const wrong: string[] = [];
  for (const { tab, id, n } of actions) {
    const { length } = tab.peer.texts;
    stage.do(tab, "lab", "many", { count: n, chars: 10 }, id);
    const answer = tab.peer.texts[length];
    if (answer !== JSON.stringify({ t: "ack", id, ...(acks.get(id) as object) }))
      wrong.push(`${id}: ${answer}`);
    if (stage.room.summary(stage.now).seq !== seq) return [...wrong, `${id} was done a second time`];
  }
  return wrong;
}

/** Time passes in a room with a pinging user: without pings, the room could not see that it has passed. */
function passWithPings(stage: RoomStage, tab: RoomTab, ms: number): void {
  const until = stage.now + ms;
  while (stage.now < until) {
    stage.advance(Math.min(5_000, until - stage.now));
    stage.send(tab, "ping");
  }
}

/** So many frames of so many events each, all within a few seconds. */
function sendManyActions(stage: RoomStage, tab: RoomTab, frames: number, events: number): SentAction[] {
  return Array.from({ length: frames }, (_, n) => {
    const id = stage.do(tab, "lab", "many", { count: events, chars: 10 });
    if (n % 50 === 0) tab.read();
    stage.advance(6);
    return { tab, id, n: events };
  });
}

describe("an accepted action", () => {
  it("[O1] an action sent again is acknowledged with its number and happens once, even while its frame is open", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    stage.say(ann, "first", "a0");
    stage.say(ann, "second", "a1");
    stage.say(ann, "second", "a1");
    stage.advance(20);
    const { seq } = ann.read();
    expect(ann.peer.texts.slice(-2).map((text) => JSON.parse(text))).toMatchObject([
      { t: "frame", seq, e: [{ op: "a1" }] },
      { t: "ack", id: "a1", seq },
    ]);
    stage.advance(100);
    expect(ann.read().seq).toBe(seq);
    stage.expectNoViolations();
  });

  it("[O1] an action without an event gets the same answer again", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    stage.do(ann, "lab", "peek", {}, "p");
    stage.do(ann, "lab", "nothing", {}, "n");
    stage.advance(100);
    stage.do(ann, "lab", "deal", { to: ["ann"] });
    stage.advance(100);
    await stage.crash();
    stage.rejoin(ann);
    stage.advance(100);
    const { length } = ann.peer.texts;
    stage.do(ann, "lab", "peek", {}, "p");
    stage.do(ann, "lab", "nothing", {}, "n");
    stage.do(ann, "lab", "peek", {}, "another");
    stage.advance(100);
    const [p, n, another] = ann.peer.texts.slice(length).map((text) => JSON.parse(text));
    expect([p, n]).toEqual([
      { t: "ack", id: "p", d: [] },
      { t: "ack", id: "n" },
    ]);
    expect(another.d).toHaveLength(1);
  });

  it("[O1] an action under the same id with other content is a duplicate, and changes nothing", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    stage.do(ann, "lab", "add", { n: 1 }, "x");
    stage.advance(100);
    const { seq } = ann.read();
    stage.do(ann, "lab", "add", { n: 2 }, "x");
    stage.do(ann, "lab", "nothing", {}, "x");
    stage.do(ann, "chat", "say", { text: "x" }, "x");
    stage.advance(100);
    expect(ann.read().nacks).toMatchObject([
      { id: "x", code: "duplicate" },
      { id: "x", code: "duplicate" },
      { id: "x", code: "duplicate" },
    ]);
    expect(ann.seq).toBe(seq);
  });

  it("[O1] an id belongs to its user, and an action over HTTP has ids of its own", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    stage.advance(100);
    stage.do(ann, "lab", "add", { n: 1 }, "x");
    stage.do(bob, "lab", "add", { n: 2 }, "x");
    stage.advance(100);
    const first = stage.post("ann", "lab", "add", { n: 3 }, "x");
    expect(stage.post("ann", "lab", "add", { n: 3 }, "x")).toEqual(first);
    expect(stage.post("bob", "lab", "add", { n: 4 }, "x")).toMatchObject({ ok: true });
    expect(stage.post("bob", "lab", "add", { n: 5 }, "x")).toMatchObject({
      ok: false,
      rejection: { code: "duplicate" },
    });
    expect(ann.read().nacks).toEqual([]);
    expect((ann.slices.lab as { total: number }).total).toBe(10);
    expect(ann.events.filter(({ op }) => op === "x").map(({ by }) => by)).toEqual([
      "ann",
      "bob",
      undefined,
      undefined,
    ]);
    stage.expectNoViolations();
  });

  it("[O2] a rejected action is not remembered: the same id is decided again", async () => {
    const stage = await RoomStage.open({ settings: { rules: {} } });
    const ann = stage.join("ann");
    stage.advance(100);
    for (let n = 0; n < 10; n++) stage.say(ann, `${n}`);
    stage.say(ann, "too many", "late");
    stage.do(ann, "lab", "refused", {}, "r");
    stage.do(ann, "chat", "say", { text: "" }, "r");
    expect(ann.read().nacks.map(({ id, code }) => [id, code])).toEqual([
      ["late", "rate_limited"],
      ["r", "conflict"],
      ["r", "bad_data"],
    ]);
    stage.advance(60_000);
    stage.say(ann, "too many", "late");
    stage.say(ann, "and another", "r");
    stage.advance(100);
    expect(ann.read().acks.has("late")).toBe(true);
    expect(ann.acks.has("r")).toBe(true);
  });

  it("[O2] the action is remembered for `resendMs` over a restart, and then done again", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    const actions = [{ tab: ann, id: stage.do(ann, "lab", "many", { count: 1, chars: 10 }), n: 1 }];
    stage.advance(50);
    await stage.crash();
    stage.rejoin(ann);
    passWithPings(stage, ann, RESEND_MS - 51);
    stage.rejoin(ann);
    stage.advance(0);
    expect(findForgotten(stage, actions, ann.read().acks)).toEqual([]);
    stage.advance(1);
    const { seq } = stage.room.summary(stage.now);
    stage.do(ann, "lab", "many", { count: 1, chars: 10 }, actions[0]?.id);
    expect(stage.room.summary(stage.now).seq).toBe(seq + 1);
  });
});

describe("accepted ids", () => {
  it("[O2] the ids survive the records that recovery drops: 35,000 events and two snapshots later, live and after a restart", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    const actions = sendManyActions(stage, ann, 700, 50);
    ann.read();
    expect(stage.runtime.keys("s/").length).toBeGreaterThan(0);
    expect((stage.runtime.value("room") as { first: number }).first).toBeGreaterThan(5);
    const acks = new Map(ann.acks);
    expect(acks.size).toBe(700);
    expect(findForgotten(stage, actions, acks)).toEqual([]);
    await stage.crash();
    stage.connect(ann, {});
    stage.advance(100);
    expect(findForgotten(stage, actions, acks)).toEqual([]);
    expect(stage.runtime.reports).toEqual([]);
  });

  it("[O2] the ids survive several snapshots and restarts between them if recovery is short", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 500 } });
    const ann = stage.join("ann");
    stage.advance(100);
    const actions: SentAction[] = [];
    for (let round = 0; round < 4; round++) {
      actions.push(...sendManyActions(stage, ann, 600, 3));
      ann.read();
      await stage.crash();
      stage.connect(ann, {});
      stage.advance(100);
    }
    expect(
      (stage.runtime.value("room") as { operations: unknown[] }).operations.length,
    ).toBeGreaterThanOrEqual(3);
    expect(findForgotten(stage, actions, ann.read().acks)).toEqual([]);
    await stage.crash();
    stage.connect(ann, {});
    stage.advance(100);
    expect(findForgotten(stage, actions, ann.read().acks)).toEqual([]);
  });

  it("[O2] the ids survive two releases that find the same newest record", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 30_000 } });
    const ann = stage.join("ann");
    stage.advance(100);
    const first = sendManyActions(stage, ann, 3, 1);
    stage.advance(10_000);
    const second = sendManyActions(stage, ann, 3, 1);
    const acks = new Map(ann.read().acks);
    stage.advance(25_000);
    stage.kind = labKind({ version: "2" });
    await stage.sleep();
    stage.advance(10_000);
    stage.kind = labKind({ version: "3" });
    await stage.sleep();
    await stage.sleep();
    stage.rejoin(ann);
    expect(findForgotten(stage, [...first, ...second], acks)).toEqual([]);
  });

  it("[O2] the ids cost storage as long as they are remembered, and no longer", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 500 } });
    const ann = stage.join("ann");
    stage.advance(100);
    sendManyActions(stage, ann, 600, 1);
    ann.read();
    expect(stage.runtime.keys("o/").length).toBeGreaterThan(0);
    passWithPings(stage, ann, RESEND_MS);
    sendManyActions(stage, ann, 520, 1);
    passWithPings(stage, ann, RESEND_MS);
    sendManyActions(stage, ann, 520, 1);
    const { operations } = stage.runtime.value("room") as { operations: unknown[] };
    expect(operations).toHaveLength(1);
    expect(stage.runtime.keys("o/").length).toBe(1);
  });

  it("[O3] a full memory answers a new id `unavailable` with a wait, and an old id as before", async () => {
    // Filling the real memory of 200,000 ids would take too long, so the test lowers the limit to a few.
    const { IdempotencyLog } = await import("../../src/room/state/idempotency");
    const { hasRoomFor: hasSpaceFor } = IdempotencyLog.prototype;
    const mayRefuse = Object.getOwnPropertyDescriptor(
      IdempotencyLog.prototype,
      "mayRefuse",
    ) as PropertyDescriptor;
    Object.defineProperty(IdempotencyLog.prototype, "mayRefuse", { configurable: true, get: () => true });
    IdempotencyLog.prototype.hasRoomFor = function (_, now) {
      this.find("", "", now);
      return this.size < 5;
    };
    try {
      const stage = await RoomStage.open();
      const ann = stage.join("ann");
      stage.advance(100);
      for (let n = 0; n < 5; n++) {
        stage.do(ann, "lab", "add", { n }, `o${n}`);
        stage.advance(1_000);
      }
      stage.do(ann, "lab", "add", { n: 9 }, "o9");
      const wait = RESEND_MS - 5_000;
      expect(ann.read().nacks).toMatchObject([{ id: "o9", code: "unavailable", retryAfterMs: wait }]);
      stage.do(ann, "lab", "add", { n: 0 }, "o0");
      expect(ann.peer.texts.at(-1)).toMatch(/"ack","id":"o0"/);
      stage.advance(wait);
      stage.do(ann, "lab", "add", { n: 9 }, "o9");
      stage.advance(100);
      expect(ann.read().acks.has("o9")).toBe(true);
      stage.expectNoViolations();
    } finally {
      IdempotencyLog.prototype.hasRoomFor = hasSpaceFor;
      Object.defineProperty(IdempotencyLog.prototype, "mayRefuse", mayRefuse);
    }
  });
});
