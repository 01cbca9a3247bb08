import { describe, expect, it } from "vitest";
import type { FailurePoint, LabState } from "../support/room-features";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

async function openRoomWithTwo(
  broken = new Set<FailurePoint>(),
): Promise<{ stage: RoomStage; ann: RoomTab; bob: RoomTab; broken: Set<FailurePoint> }> {
  const stage = await RoomStage.open({ kind: labKind({ broken }) });
  const ann = stage.join("ann");
  const bob = stage.join("bob");
  stage.advance(1_000);
  return { stage, ann, bob, broken };
}
const deal = (stage: RoomStage, tab: RoomTab, ...to: string[]) => stage.do(tab, "lab", "deal", { to });

describe("a private slice", () => {
  it("the slice is in the welcome, and is sent whole after the frame that changed it, to its user alone", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    expect(ann.read().welcomes[0]?.mine).toEqual({ lab: [] });
    deal(stage, bob, "ann");
    deal(stage, bob, "ann", "ann");
    stage.advance(100);
    expect(ann.read().privateViews.map(({ d, seq }) => [(d as number[]).length, seq])).toEqual([
      [1, ann.seq - 2],
      [3, ann.seq],
    ]);
    expect(bob.read().privateViews).toEqual([]);
    const hand = ann.mine.lab as number[];
    for (const card of hand.filter((other) => other > 99)) {
      expect(
        bob.peer.texts
          .slice(1)
          .filter((text) => !text.startsWith('{"t":"checksum"'))
          .join(""),
      ).not.toMatch(`"card":${card}`);
    }
    stage.verify(ann);
    stage.expectNoViolations();
  });

  it("the slice goes to every tab of its user, once a frame", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    const second = stage.join("ann", { tab: "second" });
    stage.advance(100);
    stage.say(bob, "opens the window");
    for (let n = 0; n < 5; n++) deal(stage, bob, "ann");
    stage.advance(100);
    expect([ann, second].map((tab) => tab.read().privateViews.length)).toEqual([1, 1]);
    expect(second.mine).toEqual(ann.mine);
    stage.expectNoViolations();
  });

  it("the slice is the same after a crash, a snapshot and a resume", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    // Ann's cards are in the snapshot alone, and Bob's in the journal after it.
    for (let n = 0; n < 530; n++) {
      deal(stage, bob, n < 5 ? "ann" : "bob");
      stage.advance(10);
    }
    expect(stage.runtime.keys("s/")).not.toEqual([]);
    const hands = [ann, bob].map((tab) => tab.read().mine.lab);
    await stage.crash();
    for (const tab of [ann, bob]) stage.rejoin(tab);
    stage.advance(100);
    expect([ann, bob].map((tab) => tab.read().welcomes.at(-1)?.mine?.lab)).toEqual(hands);
    expect(ann.welcomes.at(-1)?.resumed).toBe(true);
    deal(stage, bob, "ann");
    stage.advance(100);
    expect((ann.read().mine.lab as number[]).slice(0, 2)).toEqual((hands[0] as number[]).slice(1));
    stage.expectNoViolations();
  });

  it("the slice of a user who was absent waits for that user", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    stage.leave(ann);
    deal(stage, bob, "ann");
    stage.advance(100);
    stage.rejoin(ann);
    stage.advance(100);
    expect(ann.read().mine.lab).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("the slice reaches a paused reader who has caught up", async () => {
    const { stage, ann, bob } = await openRoomWithTwo();
    stage.deaf.add(ann);
    for (let n = 0; n < 60; n++) {
      stage.do(bob, "lab", "many", { count: 10, chars: 1_000 });
      stage.advance(10);
    }
    deal(stage, bob, "ann");
    stage.advance(100);
    expect(ann.read().privateViews).toEqual([]);
    for (let n = 0; n < 5; n++) stage.sendSeen(ann.read());
    expect(ann.read().privateViews.at(-1)).toMatchObject({ seq: ann.seq });
    expect(ann.mine.lab).toHaveLength(1);
    stage.verify(ann);
    stage.expectNoViolations();
  });
});

describe("code that throws", () => {
  it.each<FailurePoint>(["decide", "reduce", "reducePrivate", "concerns"])(
    "[E2] an error in `%s` is answered `internal`, changes nothing, and is shown to no user",
    async (where) => {
      const { stage, ann, bob, broken } = await openRoomWithTwo();
      const { seq } = ann.read();
      broken.add(where);
      const act = (id: string) =>
        where === "decide" || where === "reduce"
          ? stage.do(ann, "lab", "add", { n: 5 }, id)
          : stage.do(ann, "lab", "deal", { to: ["bob"] }, id);
      act("one");
      stage.post(
        "hanna",
        "lab",
        where === "decide" || where === "reduce" ? "add" : "deal",
        where === "decide" || where === "reduce" ? { n: 5 } : { to: ["bob"] },
      );
      stage.advance(1_000);
      expect(ann.read().nacks).toMatchObject([{ id: "one", code: "internal" }]);
      expect(stage.httpAnswers.at(-1)?.answer).toMatchObject({ ok: false, rejection: { code: "internal" } });
      for (const text of [...ann.peer.texts, ...bob.peer.texts, JSON.stringify(stage.httpAnswers)])
        expect(text).not.toMatch(/secret-detail|\bat \S+\.ts/);
      stage.verify(ann);
      expect(ann.read().seq).toBe(seq);
      expect(ann.slices.lab).toEqual({ total: 0, dealt: [], rang: [], filler: 0 } satisfies LabState);
      expect(ann.violations).toEqual([]);
      expect(stage.runtime.reports.length).toBe(2);
      broken.clear();
      stage.say(bob, "and on");
      act("one");
      stage.advance(100);
      stage.verify(ann);
      expect(ann.read().acks.has("one")).toBe(true);
      expect(ann.violations).toEqual([]);
      await stage.crash();
      stage.rejoin(ann);
      stage.advance(100);
      stage.verify(ann);
      expect(ann.read().mine).toEqual({ lab: [] });
      expect(ann.violations).toEqual([]);
    },
  );

  it("an error in `joined` or `left` keeps no user out and none in", async () => {
    const { stage, broken } = await openRoomWithTwo();
    broken.add("joined").add("left");
    const cat = stage.join("cat");
    stage.advance(100);
    expect(cat.read().welcomes).toHaveLength(1);
    expect(cat.slices.presence).toMatchObject({ count: 3 });
    stage.leave(cat);
    stage.advance(6_000);
    expect(stage.room.summary(stage.now).users).toBe(2);
    expect(stage.runtime.reports).toHaveLength(2);
  });

  it("an error in `mine` stops neither the frame nor a join", async () => {
    const { stage, ann, bob, broken } = await openRoomWithTwo();
    broken.add("mine");
    deal(stage, bob, "ann");
    stage.say(bob, "on");
    stage.advance(100);
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "on" } });
    const cat = stage.join("cat");
    stage.advance(100);
    expect(cat.read().welcomes).toHaveLength(1);
    expect(stage.runtime.reports.length).toBeGreaterThan(0);
  });
});
