import { describe, expect, it } from "vitest";
import { MAX_PENDING } from "../../src/client/session/pending";
import { RESEND_MS } from "../../src/protocol/limits";
import { RoomStage } from "../support/room-stage";
import { advance, SessionClient } from "../support/session-client";

async function openRoomWithAnn(settings: Parameters<typeof RoomStage.open>[0] = {}) {
  const stage = await RoomStage.open(settings);
  const ann = new SessionClient(stage, "ann").start();
  const go = (ms: number) => advance(stage, [ann], ms);
  return { stage, ann, go };
}

const readLines = (visitor: SessionClient) =>
  visitor.events.filter(({ n }) => n === "said").map(({ d }) => (d as { text: string }).text);
const readSentActions = (visitor: SessionClient) =>
  visitor.sent
    .flatMap(({ text }) => (text === "ping" ? [] : [JSON.parse(text)]))
    .filter(({ t }) => t === "do");

describe("an action", () => {
  it("[F2] the action settles with the event that it made", async () => {
    const { ann, go } = await openRoomWithAnn();
    const id = ann.say("Hello");
    expect(ann.session.pending).toMatchObject([
      { id, f: "chat", a: "say", d: { text: "Hello" }, isSent: true },
    ]);
    go(200);
    expect(ann.outcome(id)).toMatchObject({
      is: "event",
      event: { n: "said", by: "ann", d: { text: "Hello" }, op: id },
    });
    expect(ann.session.pending).toEqual([]);
  });

  it("the action settles with its answer if it makes no event", async () => {
    const { ann, go } = await openRoomWithAnn();
    const [echo, nothing] = [ann.do("lab", "echo", { text: "there" }), ann.do("lab", "nothing")];
    go(200);
    expect(ann.outcome(echo)).toEqual({ is: "answer", d: "there" });
    expect(ann.outcome(nothing)).toEqual({ is: "answer" });
  });

  it("[L1] a rejected action settles with the code, the sentence, the wait and the rule", async () => {
    const { ann, go } = await openRoomWithAnn();
    const ids = [1, 2, 3].map(() => ann.do("lab", "small", { text: "x" }));
    go(200);
    expect(ids.map((id) => ann.outcomeCode(id))).toEqual(["event", "event", "rate_limited"]);
    expect(ann.outcome(ids[2] as string)).toMatchObject({
      refusal: {
        retryAfterMs: expect.any(Number),
        info: { rule: "lab.small", limit: { count: 2, perMs: 1_000 } },
      },
    });
    const bad = ann.do("chat", "say", { text: 7 });
    go(200);
    expect(ann.outcome(bad)).toMatchObject({
      refusal: { code: "bad_data", info: { issues: [{ path: "text" }] } },
    });
  });

  it("[O1] another user's action with the same id settles nothing", async () => {
    const { stage, ann } = await openRoomWithAnn();
    const bob = new SessionClient(stage, "bob").start();
    advance(stage, [ann, bob], 100);
    const mine = ann.say("Mine", { id: "same" });
    ann.halfOpen();
    bob.say("Theirs", { id: "same" });
    advance(stage, [ann, bob], 1_000);
    expect(ann.outcome(mine)).toBeUndefined();
    advance(stage, [ann, bob], 40_000);
    expect(ann.outcome(mine)).toMatchObject({ event: { by: "ann", d: { text: "Mine" } } });
    expect(bob.outcome("same")).toMatchObject({ event: { by: "bob", d: { text: "Theirs" } } });
    expect(readLines(ann).sort()).toEqual(["Mine", "Theirs"]);
  });

  it("the action keeps its content, even if the caller changes the object later", async () => {
    const { ann, go } = await openRoomWithAnn();
    ann.cut();
    const data = { text: "Before" };
    ann.do("chat", "say", data);
    data.text = "After";
    go(30_000);
    expect(readLines(ann)).toEqual(["Before"]);
  });
});

describe("an action that the room would not accept", () => {
  it("[M1] an action that is too large costs no connection", async () => {
    const { ann, go } = await openRoomWithAnn();
    const id = ann.say("x".repeat(20_000));
    expect(ann.outcomeCode(id)).toBe("too_large");
    go(1_000);
    expect(ann.session.connection.is).toBe("live");
    expect(readSentActions(ann)).toEqual([]);
  });

  it("the client rejects what is no JSON, and the room rejects what has the wrong shape", async () => {
    const { ann, go } = await openRoomWithAnn();
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    for (const data of [circle, { n: 1n }])
      expect(ann.outcomeCode(ann.do("chat", "say", data))).toBe("bad_data");
    for (const id of ["", "i".repeat(65), "\ud800", "\0"])
      expect(ann.outcomeCode(ann.say("x", { id }))).toBe("bad_message");
    const odd = [{ text: "\ud800" }, { text: "\0" }, JSON.parse('{"__proto__":1}')];
    const ids = odd.map((data) => ann.do("chat", "say", data));
    const fine = ann.say("x", { id: "🎲".repeat(64) });
    go(200);
    expect(ids.map((id) => ann.outcomeCode(id))).toEqual(odd.map(() => "bad_message"));
    expect(ann.outcomeCode(fine)).toBe("event");
  });

  it("the client rejects an action if more are pending than a person makes", async () => {
    const { ann } = await openRoomWithAnn();
    ann.cut();
    const ids = Array.from({ length: MAX_PENDING + 1 }, (_, n) => ann.say(String(n)));
    expect(ids.map((id) => ann.outcomeCode(id)).filter((fate) => fate !== undefined)).toEqual([
      "unavailable",
    ]);
    expect(ann.outcomeCode(ids.at(-1) as string)).toBe("unavailable");
  });

  it("the client rejects an action under an id that is in flight", async () => {
    const { ann } = await openRoomWithAnn();
    ann.cut();
    ann.say("One", { id: "a" });
    expect(ann.session.pending).toHaveLength(1);
    ann.say("Two", { id: "a" });
    expect(ann.outcomeCode("a")).toBe("duplicate");
    expect(ann.session.pending).toHaveLength(1);
  });
});

describe("actions made while disconnected", () => {
  it("the actions are sent in order after the reconnect, and after the missed events", async () => {
    const { stage, ann } = await openRoomWithAnn();
    const bob = new SessionClient(stage, "bob").start();
    ann.cut();
    bob.say("Meanwhile");
    for (const text of ["One", "Two", "Three"]) ann.say(text);
    expect(ann.session.pending.map(({ isSent }) => isSent)).toEqual([false, false, false]);
    advance(stage, [bob], 10);
    advance(stage, [ann, bob], 30_000);
    expect(readLines(ann)).toEqual(["Meanwhile", "One", "Two", "Three"]);
    expect(readLines(bob)).toEqual(readLines(ann));
  });

  it("[L2] the actions keep within the connection's rate and are not rejected", async () => {
    const { ann, go } = await openRoomWithAnn({ settings: { actionRate: { count: 10, perMs: 1_000 } } });
    ann.cut();
    const ids = Array.from({ length: 100 }, (_, n) => ann.do("lab", "add", { n }));
    go(60_000);
    expect(ids.map((id) => ann.outcomeCode(id))).toEqual(ids.map(() => "event"));
    expect(readSentActions(ann)).toHaveLength(100);
    const added = ann.events.filter(({ n }) => n === "added").map(({ d }) => (d as { n: number }).n);
    expect(added).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  it("the actions time out if the room does not come back, and were not done", async () => {
    const { ann, go } = await openRoomWithAnn();
    ann.cut();
    ann.isOffline = true;
    const [short, usual, patient] = [
      ann.say("A", { timeoutMs: 5_000 }),
      ann.say("B"),
      ann.say("C", { timeoutMs: Number.POSITIVE_INFINITY }),
    ];
    go(4_999);
    expect(ann.outcomeCode(short)).toBeUndefined();
    go(1);
    expect(ann.outcomeCode(short)).toBe("timeout");
    go(55_000);
    expect([ann.outcomeCode(usual), ann.outcomeCode(patient)]).toEqual(["timeout", undefined]);
    go(600_000);
    ann.isOffline = false;
    go(30_000);
    expect(ann.outcomeCode(patient)).toBe("event");
    expect(readLines(ann)).toEqual(["C"]);
  });

  it("actions that were never sent are sent in the room's next epoch too", async () => {
    const { stage, ann, go } = await openRoomWithAnn();
    ann.cut();
    const id = ann.say("Still here");
    stage.room.close(stage.now);
    stage.makeDurable();
    await stage.wake();
    go(30_000);
    expect(ann.outcomeCode(id)).toBe("event");
  });
});

describe("an action whose answer is lost", () => {
  it("[O1] the client sends the action again under its id, and the room does it once whether or not it had arrived", async () => {
    for (const arrives of [true, false]) {
      const { stage, ann, go } = await openRoomWithAnn();
      const id = ann.say("Once");
      if (arrives) ann.deliverUp();
      ann.cut();
      go(30_000);
      expect(ann.outcomeCode(id)).toBe("event");
      expect(readLines(ann)).toEqual(["Once"]);
      expect(stage.room.summary(stage.now).seq).toBe(2);
      // The client does not ask for an outcome that the replay contains.
      expect(readSentActions(ann).map((message) => message.id)).toEqual(arrives ? [id] : [id, id]);
    }
  });

  it("[O1] an action whose event is in a new snapshot gets its number", async () => {
    const { stage, ann } = await openRoomWithAnn({ settings: { recoveryMs: 1_000 } });
    const bob = new SessionClient(stage, "bob").start();
    const id = ann.say("Once");
    ann.deliverUp();
    ann.cut();
    ann.isOffline = true;
    advance(stage, [ann, bob], 20_000);
    bob.say("Later");
    advance(stage, [ann, bob], 2_000);
    stage.runtime.now += 10_000;
    bob.say("Last");
    advance(stage, [ann, bob], 10);
    ann.isOffline = false;
    advance(stage, [ann, bob], 15_000);
    expect(ann.freshCount).toBe(2);
    expect(ann.outcome(id)).toEqual({ is: "answer", seq: expect.any(Number) });
  });

  it("[O2] the action is not sent in another epoch of the room, and its outcome is unknown", async () => {
    const { stage, ann, go } = await openRoomWithAnn();
    const id = ann.say("Before");
    ann.cut();
    stage.room.close(stage.now);
    stage.makeDurable();
    await stage.wake();
    go(30_000);
    expect(ann.outcomeCode(id)).toBe("unknown_outcome");
    expect(readSentActions(ann)).toHaveLength(1);
    expect(readLines(ann)).toEqual([]);
  });

  it("[O2] the action is not sent after half of the time that the room remembers it, and its outcome is unknown", async () => {
    const { ann, go } = await openRoomWithAnn();
    const id = ann.say("Before", { timeoutMs: Number.POSITIVE_INFINITY });
    ann.cut();
    ann.isOffline = true;
    go(RESEND_MS / 2 - 1);
    expect(ann.outcomeCode(id)).toBeUndefined();
    go(2);
    expect(ann.outcomeCode(id)).toBe("unknown_outcome");
    ann.isOffline = false;
    go(30_000);
    expect(readSentActions(ann)).toHaveLength(1);
  });

  it("[O2] the action's age follows the room's clock if the client's machine has slept", async () => {
    const { stage, ann, go } = await openRoomWithAnn();
    const id = ann.say("Before", { timeoutMs: Number.POSITIVE_INFINITY });
    ann.cut();
    // The room runs for a minute during which this machine's clock stands still.
    const asleep = new SessionClient(stage, "bob").start();
    advance(stage, [asleep], RESEND_MS / 2 + 1);
    Object.assign(ann, { skewMs: -(RESEND_MS / 2 + 1) });
    go(30_000);
    expect(ann.outcomeCode(id)).toBe("unknown_outcome");
    expect(readSentActions(ann)).toHaveLength(1);
  });

  it("the action's age counts from its first sending, however often it was sent again", async () => {
    const { ann, go } = await openRoomWithAnn();
    const id = ann.say("Often", { timeoutMs: Number.POSITIVE_INFINITY });
    for (let cuts = 0; cuts < 4; cuts++) {
      ann.cut();
      go(5_000);
      ann.session.do({ f: "lab", a: "nothing", d: {} }, ann.now);
      if (cuts === 0) break;
    }
    expect(ann.outcomeCode(id)).toBe("event");
  });
});

describe("the end of a visit", () => {
  it("every promise settles with the truth: actions never sent were not done, and the outcome of the others is unknown", async () => {
    const { stage, ann, go } = await openRoomWithAnn();
    const maybe = ann.say("Maybe");
    ann.cut();
    const never = ann.say("Never");
    ann.tabOptions = { role: "player" };
    ann.tokenFailure = { code: 4403, reason: "You are banned." };
    go(30_000);
    expect(ann.session.connection).toEqual({ is: "ended", code: 4403, reason: "You are banned." });
    expect([ann.outcomeCode(maybe), ann.outcomeCode(never)]).toEqual(["unknown_outcome", "unavailable"]);
    expect(ann.outcomeCode(ann.say("After"))).toBe("unavailable");
    stage.expectNoViolations();
  });

  it("the user can end the visit", async () => {
    const { stage, ann } = await openRoomWithAnn();
    const id = ann.say("Bye");
    ann.session.stop();
    expect(ann.outcomeCode(id)).toBe("unknown_outcome");
    expect(ann.session.connection).toEqual({ is: "idle" });
    expect(stage.room.summary(stage.now).connections).toBe(0);
    ann.start();
    advance(stage, [ann], 100);
    expect(ann.session.connection).toEqual({ is: "live" });
  });
});
