import { describe, expect, it } from "vitest";
import { chat } from "../../src/features/chat/decide";
import { MAX_REJECTIONS, REJECTIONS_MS } from "../../src/protocol/limits";
import { defineKind } from "../../src/room/api/kind";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const limited = { rules: {} };

function sayLines(stage: RoomStage, tab: RoomTab, count: number): void {
  for (let n = 0; n < count; n++) stage.say(tab, `line ${n}`);
}

describe("a rule", () => {
  it("[W5] the welcome lists the rules: the feature's, the kind's, the deployment's, and none that is off", async () => {
    const kind = defineKind({
      name: "main",
      features: [chat],
      rules: { "chat.remove": { count: 3, perMs: 1_000 } },
    });
    const stage = await RoomStage.open({ kind, settings: { rules: { "chat.typing": null } } });
    const { limits } = stage.join("ann").read().welcomes[0] ?? { limits: undefined };
    expect(limits?.rules).toEqual({
      "chat.say": { count: 10, perMs: 60_000 },
      "chat.remove": { count: 3, perMs: 1_000 },
    });
    const over = await RoomStage.open({
      kind,
      settings: { rules: { "chat.remove": { count: 9, perMs: 9 } } },
    });
    expect(over.join("ann").read().welcomes[0]?.limits.rules["chat.remove"]).toEqual({ count: 9, perMs: 9 });
  });

  it("[L1] a rule rejects with the exact wait and its name, and repeated attempts do not lengthen the wait", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const ann = stage.join("ann");
    stage.advance(1_000);
    const firstAt = stage.now;
    sayLines(stage, ann, 10);
    stage.advance(7_123);
    for (let n = 0; n < 100; n++) stage.say(ann, "more", "more");
    const wait = 60_000 - 7_123;
    expect(new Set(ann.read().nacks.map(({ retryAfterMs }) => retryAfterMs))).toEqual(new Set([wait]));
    expect(ann.nacks[0]).toMatchObject({
      id: "more",
      code: "rate_limited",
      info: { rule: "chat.say", limit: { count: 10, perMs: 60_000 } },
    });
    stage.advance(wait - 1);
    stage.say(ann, "more", "more");
    expect(ann.read().nacks.at(-1)).toMatchObject({ retryAfterMs: 1 });
    stage.advance(1);
    expect(stage.now).toBe(firstAt + 60_000);
    stage.say(ann, "more", "more");
    stage.advance(100);
    expect(ann.read().acks.has("more")).toBe(true);
  });

  it("[L1] a rule applies to all tabs of a user and to no other user", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const one = stage.join("ann", { tab: "one" });
    const two = stage.join("ann", { tab: "two" });
    const bob = stage.join("bob");
    stage.advance(100);
    sayLines(stage, one, 5);
    sayLines(stage, two, 5);
    stage.say(two, "eleventh");
    stage.say(one, "eleventh");
    sayLines(stage, bob, 10);
    expect([one, two, bob].map((tab) => tab.read().nacks.length)).toEqual([1, 1, 0]);
  });

  it("[L1] a rule is one window on sockets and over HTTP, even after a crash and a snapshot", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const ann = stage.join("ann");
    stage.advance(100);
    sayLines(stage, ann, 5);
    for (let n = 0; n < 5; n++) expect(stage.post("ann", "chat", "say", { text: `${n}` }).ok).toBe(true);
    const refusal = { code: "rate_limited", retryAfterMs: 60_000, info: { rule: "chat.say" } };
    expect(stage.post("ann", "chat", "say", { text: "more" })).toMatchObject({
      ok: false,
      rejection: refusal,
    });
    stage.say(ann, "more");
    expect(ann.read().nacks).toMatchObject([refusal]);
    expect(stage.post("bob", "chat", "say", { text: "as another" }).ok).toBe(true);
    for (let time = 0; time < 2; time++) {
      stage.advance(1_000);
      await stage.crash();
      expect(stage.post("ann", "chat", "say", { text: "more" })).toMatchObject({
        rejection: { retryAfterMs: 59_000 - time * 1_000 },
      });
      // Enough frames for another snapshot.
      for (let n = 0; n < 600; n++) stage.post(`u${time}-${n}`, "chat", "say", { text: "on" });
    }
  });

  it.each([["ping"], [{ t: "seen", seq: 1 }]])(
    "[L2] [M6] the connection limits %j too: more than a thousand in ten seconds are rejected, and further ones close it",
    async (message) => {
      const stage = await RoomStage.open({ settings: { actionRate: null } });
      const ann = stage.join("ann");
      const bob = stage.join("bob");
      stage.advance(100);
      for (let n = 0; n < 1_000; n++) stage.send(ann, message);
      expect(ann.read().nacks).toEqual([]);
      stage.advance(4_000);
      stage.send(ann, message);
      expect(ann.read().nacks).toMatchObject([
        { code: "rate_limited", retryAfterMs: 6_000, info: { rule: "upkeep" } },
      ]);
      stage.send(bob, message);
      expect(bob.read().nacks, "each connection has a window of its own").toEqual([]);
      stage.advance(6_000);
      stage.send(ann, message);
      expect(ann.read().nacks).toHaveLength(1);
      for (let n = 0; n < 1_000 + MAX_REJECTIONS; n++) stage.send(ann, message);
      expect(ann.read().byes).toMatchObject([{ code: 4429, retryAfterMs: 10_000 }]);
      stage.expectNoViolations();
    },
  );

  it("[L2] [M8] a rule limits all connections of a user together: more tabs are no more windows", async () => {
    const stage = await RoomStage.open({ settings: { actionRate: { count: 50, perMs: 1_000 } } });
    const tabs = Array.from({ length: 40 }, (_, n) => stage.join("ann", { tab: `${n}` }));
    const bob = stage.join("bob");
    stage.advance(1_000);
    const allOf = (say: (tab: RoomTab) => void, times: number) => {
      for (const tab of tabs) for (let n = 0; n < times; n++) say(tab);
      return tabs.flatMap((tab) => tab.read().nacks.splice(0));
    };
    const refused = allOf((tab) => stage.send(tab, { t: "clock", t0: 1 }), 20);
    expect(refused).toHaveLength(40 * 20 - 200);
    expect(refused[0]).toMatchObject({
      code: "rate_limited",
      retryAfterMs: 1_000,
      info: { rule: "connection", limit: { count: 200, perMs: 1_000 } },
    });
    stage.send(bob, { t: "clock", t0: 1 });
    expect(bob.read().nacks).toEqual([]);
    stage.advance(10_000);
    expect(allOf((tab) => stage.verify(tab), 3)).toHaveLength(120 - 80);
    stage.advance(10_000);
    expect(allOf(() => undefined, 0)).toEqual([]);
    stage.expectNoViolations();
  });

  it("[O1] [L1] an action that is sent again over HTTP counts once against its rule", async () => {
    const stage = await RoomStage.open({ settings: limited });
    for (let n = 0; n < 30; n++)
      expect(stage.post("ann", "chat", "say", { text: "once" }, "id").ok).toBe(true);
    for (let n = 0; n < 9; n++) expect(stage.post("ann", "chat", "say", { text: `${n}` }).ok).toBe(true);
    expect(stage.post("ann", "chat", "say", { text: "once" }, "id").ok).toBe(true);
    expect(stage.post("ann", "chat", "say", { text: "eleventh" }).ok).toBe(false);
  });

  it("[L1] a rule counts accepted actions, not those rejected for another reason", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const ann = stage.join("ann");
    for (let n = 0; n < 30; n++) stage.do(ann, "chat", "say", { text: "" });
    sayLines(stage, ann, 10);
    stage.advance(100);
    expect(ann.read().acks.size).toBe(10);
  });

  it("[L1] a rule's count survives a crash and a snapshot, to the millisecond", async () => {
    for (const snapshot of [false, true]) {
      const stage = await RoomStage.open({ settings: { rules: { "presence.set": null } } });
      const ann = stage.join("ann");
      const bob = stage.join("bob");
      stage.advance(100);
      const firstAt = stage.now;
      sayLines(stage, ann, 10);
      stage.advance(20);
      for (let n = 0; snapshot && n < 520; n++) {
        stage.do(bob, "lab", "add", { n: 1 });
        stage.advance(6);
      }
      expect(stage.runtime.keys("s/").length > 0).toBe(snapshot);
      await stage.crash();
      stage.rejoin(ann);
      stage.advance(100);
      stage.say(ann, "more");
      expect(ann.read().nacks.at(-1)).toMatchObject({
        code: "rate_limited",
        retryAfterMs: firstAt + 60_000 - stage.now,
      });
    }
  });

  it("[L1] a reconnect does not reset a rule", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const ann = stage.join("ann");
    sayLines(stage, ann, 10);
    stage.advance(20_000);
    stage.leave(ann);
    stage.advance(20_000);
    stage.rejoin(ann);
    stage.advance(100);
    stage.say(ann, "more");
    expect(ann.read().nacks.at(-1)).toMatchObject({ code: "rate_limited" });
    stage.leave(ann);
    stage.advance(1_000);
    const other = stage.join("ann", { tab: "other" });
    stage.advance(100);
    stage.say(other, "more");
    expect(other.read().nacks.at(-1)).toMatchObject({ code: "rate_limited" });
  });

  it("an action has a size limit, and a larger one is rejected before it is read", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.do(ann, "lab", "small", { text: "x".repeat(29) });
    stage.do(ann, "lab", "small", { text: "x".repeat(30) });
    stage.do(ann, "lab", "small", { text: "é".repeat(15) });
    stage.do(ann, "lab", "small", { nonsense: "x".repeat(100) });
    expect(ann.read().nacks.map(({ code }) => code)).toEqual(["too_large", "too_large", "too_large"]);
  });

  it("an action has a role: a player may not do what a host may", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const hanna = stage.join("hanna", { role: "host" });
    const both = stage.join("ann", { tab: "host's", role: "host" });
    stage.advance(100);
    for (const tab of [ann, hanna, both]) stage.do(tab, "lab", "hosts", {}, "h");
    stage.advance(100);
    expect([ann, hanna, both].map((tab) => tab.read().nacks.map(({ code }) => code))).toEqual([
      ["not_allowed"],
      [],
      [],
    ]);
  });
});

describe("a connection", () => {
  it("[L2] a connection has a rate of its own over all its messages, which other tabs and users do not share", async () => {
    const stage = await RoomStage.open({ settings: { actionRate: { count: 50, perMs: 1_000 } } });
    const ann = stage.join("ann", { tab: "one" });
    const two = stage.join("ann", { tab: "two" });
    stage.advance(100);
    for (let n = 0; n < 20; n++) stage.do(ann, "lab", "add", { n });
    for (let n = 0; n < 20; n++) stage.signal(ann, "lab", "point", { x: n });
    for (let n = 0; n < 5; n++) stage.verify(ann);
    for (let n = 0; n < 5; n++) stage.send(ann, { t: "clock", t0: 1 });
    stage.advance(400);
    stage.do(ann, "lab", "add", { n: 1 }, "over");
    stage.do(two, "lab", "add", { n: 1 }, "fine");
    stage.advance(100);
    expect(ann.read().nacks).toMatchObject([
      { id: "over", code: "rate_limited", retryAfterMs: 600, info: { rule: "connection" } },
    ]);
    expect(two.read().acks.has("fine")).toBe(true);
    stage.advance(500);
    stage.do(ann, "lab", "add", { n: 1 }, "over");
    stage.advance(100);
    expect(ann.read().acks.has("over")).toBe(true);
  });

  it("[M6] a connection with too many rejections is closed 4429 with a time to come back, and may return", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    stage.advance(100);
    for (let n = 0; n < MAX_REJECTIONS; n++)
      stage.send(ann, n % 2 ? "nonsense" : { t: "do", id: "x", f: "no", a: "such" });
    expect([ann.read().nacks.length, ann.byes.length]).toEqual([MAX_REJECTIONS, 0]);
    stage.send(ann, "nonsense");
    expect(ann.read().byes).toMatchObject([{ code: 4429, retryAfterMs: REJECTIONS_MS }]);
    expect(ann.peer.closes).toMatchObject([{ code: 4429 }]);
    stage.send(ann, "nonsense");
    stage.advance(REJECTIONS_MS);
    stage.rejoin(ann);
    stage.say(ann, "I am back");
    stage.advance(100);
    expect(bob.read().events.at(-1)).toMatchObject({ n: "said", by: "ann" });
    expect(bob.events.some(({ n }) => n === "left")).toBe(true);
    stage.expectNoViolations();
  });

  it("[M6] a user who comes back, or comes with many tabs, continues the same count", async () => {
    const stage = await RoomStage.open();
    const one = stage.join("ann", { tab: "one" });
    stage.advance(100);
    for (let n = 0; n < MAX_REJECTIONS / 2; n++) stage.send(one, "nonsense");
    stage.leave(one);
    const two = stage.join("ann", { tab: "two" });
    stage.advance(100);
    for (let n = 0; n < MAX_REJECTIONS / 2; n++) stage.send(two, "nonsense");
    expect(two.read().byes).toEqual([]);
    stage.send(two, "nonsense");
    expect(two.read().byes).toMatchObject([{ code: 4429 }]);
  });

  it("[M6] an occasional error never closes a connection", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (let n = 0; n < 3 * MAX_REJECTIONS; n++) {
      stage.send(ann, "nonsense");
      stage.advance(REJECTIONS_MS / MAX_REJECTIONS + 1);
    }
    expect(ann.read().byes).toEqual([]);
  });

  it("[M1] a message that is too large closes the connection 4413, which is final", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    stage.send(ann, `{"t":"verify","x":"${"x".repeat(16_385)}"}`);
    expect(ann.read().byes).toMatchObject([{ t: "bye", code: 4413 }]);
    expect(ann.byes[0]).not.toHaveProperty("retryAfterMs");
    expect(ann.peer.closes).toMatchObject([{ code: 4413 }]);
    const { length } = ann.peer.texts;
    stage.verify(ann);
    expect(ann.peer.texts).toHaveLength(length);
  });

  it("[M4] a message that the room cannot read is rejected, by id if it has one", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (const text of [
      "{",
      "[]",
      '{"t":"do","id":"i7","f":1}',
      '{"t":"do","id":"i8","f":"lab","a":"constructor"}',
      '{"t":"do","id":"i9","f":"__proto__","a":"x"}',
    ]) {
      stage.send(ann, text);
    }
    stage.do(ann, "lab", "add", { n: "one", very: "wrong" }, "i10");
    const { nacks } = ann.read();
    expect(nacks.map(({ id, code }) => [id, code])).toEqual([
      [undefined, "bad_message"],
      [undefined, "bad_message"],
      ["i7", "bad_message"],
      ["i8", "bad_action"],
      ["i9", "bad_action"],
      ["i10", "bad_data"],
    ]);
    expect(nacks.at(-1)?.info).toMatchObject({ rule: "lab.add", issues: [{ path: "n" }] });
    stage.turn(() => stage.room.receive(ann.peer.id, new ArrayBuffer(3), stage.now));
    expect(ann.read().nacks.at(-1)).toMatchObject({ code: "bad_message" });
    stage.turn(() => stage.room.receive("nobody", "{}", stage.now));
    stage.expectNoViolations();
  });
});

describe("a room that is full", () => {
  it("the room rejects a new user with a time to come back, and lets in existing members", async () => {
    const stage = await RoomStage.open({ settings: { maxUsers: 2 } });
    const ann = stage.join("ann");
    stage.join("bob");
    const cat = stage.join("cat");
    const second = stage.join("ann", { tab: "second" });
    stage.advance(100);
    expect(cat.read().byes).toMatchObject([{ code: 4503 }]);
    expect(cat.byes[0]?.retryAfterMs).toBeGreaterThanOrEqual(10_000);
    expect(cat.byes[0]?.retryAfterMs).toBeLessThanOrEqual(20_000);
    expect(cat.welcomes).toEqual([]);
    expect(second.read().welcomes).toHaveLength(1);
    stage.leave(ann);
    stage.leave(second);
    expect(stage.rejoin(cat).read().byes).toHaveLength(2);
    stage.advance(5_000);
    stage.rejoin(cat);
    stage.advance(100);
    expect(cat.read().welcomes).toHaveLength(1);
    expect(stage.room.summary(stage.now)).toMatchObject({ users: 2, connections: 2 });
    stage.expectNoViolations();
  });

  it("the room stores nothing about users whom it rejected", async () => {
    const stage = await RoomStage.open({ kind: labKind(), settings: { maxUsers: 0 } });
    stage.join("ann");
    expect(stage.runtime.keys()).toEqual([]);
    expect(stage.room.exists).toBe(false);
    expect(stage.runtime.alarmAt).toBeNull();
  });
});
