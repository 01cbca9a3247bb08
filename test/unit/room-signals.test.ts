import { describe, expect, it } from "vitest";
import { SIGNAL_NACK_MS } from "../../src/protocol/limits";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

async function openRoomWithTwo(): Promise<{ stage: RoomStage; ann: RoomTab; bob: RoomTab }> {
  const stage = await RoomStage.open();
  const ann = stage.join("ann");
  const bob = stage.join("bob");
  stage.advance(1_000);
  return { stage, ann, bob };
}
const point = (stage: RoomStage, tab: RoomTab, x: number) => stage.signal(tab, "lab", "point", { x });

describe("a signal", () => {
  it("[F5] a signal in a quiet room is sent at once, has no number, and is not stored", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    const { seq } = ann.read();
    const before = { ...stage.runtime.counts };
    point(stage, ann, 1);
    expect(bob.read().frames.at(-1)).toEqual({
      seq,
      at: stage.now,
      e: [],
      s: [{ f: "lab", n: "point", d: { x: 1 }, by: "ann" }],
    });
    stage.advance(1_000);
    expect(stage.runtime.counts).toEqual(before);
    expect(stage.room.counts.commits).toBe(2);
    const late = stage.join("late");
    stage.advance(100);
    expect(late.read().signals).toEqual([]);
    expect(late.welcomes[0]?.seq).toBe(seq + 1);
    stage.expectNoViolations();
  });

  it("[F5] a signal within a frame is the newest of each kind and user, beside the frame's events", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    stage.say(ann, "opens the window");
    for (let x = 0; x < 10; x++) point(stage, ann, x);
    for (let x = 20; x < 25; x++) point(stage, bob, x);
    stage.signal(ann, "chat", "typing");
    stage.say(bob, "an event");
    point(stage, ann, 99);
    stage.advance(10);
    const last = ann.read().frames.at(-1);
    expect(last?.e).toHaveLength(1);
    expect(last?.s.map(({ n, d, by }) => [n, by, (d as { x?: number }).x])).toEqual([
      ["point", "ann", 99],
      ["point", "bob", 24],
      ["typing", "ann", undefined],
    ]);
    stage.expectNoViolations();
  });

  it("[F4] signals of many users cost no more frames than the window allows", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    const { length } = bob.peer.texts;
    for (let n = 0; n < 1_000; n++) {
      point(stage, ann, n);
      stage.advance(1);
    }
    stage.advance(10);
    expect(bob.peer.texts.length - length).toBeLessThanOrEqual(205);
    expect(bob.read().signals.at(-1)).toMatchObject({ d: { x: 999 } });
    stage.expectNoViolations();
  });

  it("[M] a rejected signal is answered at most once a second, and an accepted one never", async () => {
    const { stage, ann } = await openRoomWithTwo();
    const { length } = ann.peer.texts;
    for (let n = 0; n < 50; n++) {
      stage.signal(ann, "lab", "nosuch");
      stage.signal(ann, "lab", "point", { x: "no number" });
      stage.advance(50);
    }
    const messages = ann.peer.texts.slice(length).map((text) => JSON.parse(text));
    expect(messages).toHaveLength(Math.ceil((50 * 50) / SIGNAL_NACK_MS));
    for (const nack of messages) {
      expect(nack).toMatchObject({ t: "nack" });
      expect(nack).not.toHaveProperty("id");
    }
    stage.expectNoViolations();
  });

  it("[L1] a signal has a rate and a size like an action", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    stage.signal(ann, "lab", "rare", { x: 1 });
    stage.signal(ann, "lab", "rare", { x: 2 });
    stage.advance(4_000);
    stage.signal(bob, "lab", "rare", { x: 3 });
    stage.signal(ann, "lab", "point", { x: 1, more: "x".repeat(100) });
    stage.advance(100);
    expect(ann.read().nacks).toMatchObject([
      { code: "rate_limited", retryAfterMs: 10_000, info: { rule: "lab.rare" } },
      { code: "too_large" },
    ]);
    expect(bob.read().signals.map(({ d }) => (d as { x: number }).x)).toEqual([1, 3]);
    stage.advance(6_000);
    stage.signal(ann, "lab", "rare", { x: 4 });
    stage.advance(100);
    expect(bob.read().signals.at(-1)).toMatchObject({ d: { x: 4 } });
  });

  it("[M5] a signal carries the fields of its schema, and no others", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    stage.send(ann, '{"t":"sig","f":"chat","n":"typing","d":{"more":1},"by":"eve"}');
    stage.advance(10);
    expect(bob.read().signals).toEqual([{ f: "chat", n: "typing", d: {}, by: "ann" }]);
  });

  it("a signal leaves the room as able to sleep as before", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    point(stage, ann, 1);
    point(stage, ann, 2);
    stage.advance(10);
    await stage.sleep();
    point(stage, ann, 3);
    expect(bob.read().signals.map(({ d }) => (d as { x: number }).x)).toEqual([1, 2, 3]);
    stage.expectNoViolations();
  });
});

describe("a probe of the clock, and a ping", () => {
  it("[M2] the room answers both at once with its time, and neither closes a frame", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    stage.say(ann, "opens the window");
    stage.say(ann, "gathers");
    const { commits } = stage.room.counts;
    stage.send(bob, { t: "clock", t0: 12.5 });
    stage.send(bob, "ping");
    expect(bob.read().clocks).toEqual([{ t: "clock", t0: 12.5, t1: stage.now, t2: stage.now }]);
    expect(bob.pongCount).toBe(1);
    expect(stage.room.counts.commits).toBe(commits);
    stage.expectNoViolations();
  });
});
