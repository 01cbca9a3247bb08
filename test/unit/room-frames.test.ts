import { describe, expect, it } from "vitest";
import { MAX_RECORD_CHARS } from "../../src/protocol/limits";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

async function openRoomWith(people: number): Promise<{ stage: RoomStage; tabs: RoomTab[] }> {
  const stage = await RoomStage.open();
  const tabs = Array.from({ length: people }, (_, n) => stage.join(`u${n}`));
  stage.advance(2_000);
  for (const tab of tabs) tab.read();
  return { stage, tabs };
}
const framesSince = (tab: RoomTab, count: number) => tab.read().frames.slice(count);

describe("a quiet room", () => {
  it("[F4] the room commits and sends an action in the call that brings it", async () => {
    const { stage, tabs } = await openRoomWith(3);
    const [ann, bob] = tabs as [RoomTab, RoomTab];
    const { commits } = stage.room.counts;
    const { length } = bob.peer.texts;
    stage.isAutoDurable = false;
    stage.say(ann, "hi");
    expect(stage.room.counts.commits).toBe(commits + 1);
    expect(stage.runtime.timerAt).toBeUndefined();
    expect(bob.peer.texts).toHaveLength(length);
    stage.makeDurable();
    expect(bob.peer.texts).toHaveLength(length + 1);
    expect(framesSince(bob, -1 + bob.read().frames.length)).toMatchObject([
      { at: stage.now, e: [{ n: "said", by: "u0" }] },
    ]);
    stage.expectNoViolations();
  });

  it("the room pays one row and no alarm for an action", async () => {
    const { stage, tabs } = await openRoomWith(2);
    stage.say(tabs[0] as RoomTab, "one");
    stage.advance(1_000);
    const before = { ...stage.runtime.counts };
    stage.say(tabs[0] as RoomTab, "two");
    stage.advance(1_000);
    const { puts, alarms, deletes } = stage.runtime.counts;
    expect([puts - before.puts, alarms - before.alarms, deletes - before.deletes]).toEqual([1, 0, 0]);
  });

  it("the room has no timer once its last frame is sent", async () => {
    const { stage, tabs } = await openRoomWith(2);
    for (let n = 0; n < 5; n++) stage.say(tabs[0] as RoomTab, `${n}`);
    expect(stage.runtime.timerAt).toBeDefined();
    stage.advance(100);
    expect(stage.runtime.timerAt).toBeUndefined();
  });
});

describe("a busy room", () => {
  it("[F4] the room shares frames: a burst of 1,000 actions within a second costs at most 250 commits and 250 sends a peer", async () => {
    const { stage, tabs } = await openRoomWith(20);
    const { commits } = stage.room.counts;
    const texts = tabs.map(({ peer }) => peer.texts.length);
    const { puts } = stage.runtime.counts;
    for (let n = 0; n < 1_000; n++) {
      stage.say(tabs[n % 20] as RoomTab, `line ${n}`);
      stage.advance(1);
    }
    stage.advance(100);
    expect(stage.room.counts.commits - commits).toBeLessThanOrEqual(250);
    expect(stage.runtime.counts.puts - puts).toBeLessThanOrEqual(250);
    tabs.forEach((tab, n) => {
      expect(tab.peer.texts.length - (texts[n] ?? 0)).toBeLessThanOrEqual(250);
      expect(tab.read().events.filter(({ f }) => f === "chat")).toHaveLength(1_000);
    });
    stage.expectNoViolations();
  });

  it("[F4] the room commits 1,000 actions of one moment twice, or as often as they fill a frame", async () => {
    const { stage, tabs } = await openRoomWith(20);
    const { commits } = stage.room.counts;
    let chars = 0;
    for (let n = 0; n < 1_000; n++) stage.say(tabs[n % 20] as RoomTab, `line ${n}`);
    stage.advance(10);
    for (const { e } of framesSince(tabs[0] as RoomTab, 0)) chars += JSON.stringify(e).length;
    expect(stage.room.counts.commits - commits).toBeLessThanOrEqual(
      3 + Math.ceil((chars * 2) / MAX_RECORD_CHARS),
    );
    expect((tabs[3] as RoomTab).read().events.filter(({ f }) => f === "chat")).toHaveLength(1_000);
    stage.expectNoViolations();
  });

  it("[F4] the room gathers what follows the first action for the window, which grows with the peers", async () => {
    for (const [people, windowMs] of [
      [10, 5],
      [600, 48],
    ] as const) {
      const { stage, tabs } = await openRoomWith(people);
      const ann = tabs[0] as RoomTab;
      const before = ann.frames.length;
      stage.say(ann, "first");
      stage.advance(1);
      stage.say(ann, "second");
      stage.advance(1);
      stage.say(ann, "third");
      stage.advance(windowMs - 3);
      expect(framesSince(ann, before).map(({ e }) => e.length)).toEqual([1]);
      stage.advance(2);
      expect(framesSince(ann, before).map(({ e }) => e.length)).toEqual([1, 2]);
      stage.expectNoViolations();
    }
  });

  it("[F4] the room widens its frames while their timer fires late, and narrows them again", async () => {
    const { stage, tabs } = await openRoomWith(10);
    const ann = tabs[0] as RoomTab;
    const windowNow = () => {
      stage.advance(1_000);
      stage.say(ann, "first");
      stage.say(ann, "second");
      return (stage.runtime.timerAt ?? 0) - stage.now;
    };
    expect(windowNow()).toBe(5);
    for (let n = 0; n < 10; n++) {
      windowNow();
      stage.runtime.now = (stage.runtime.timerAt ?? 0) + 42;
      stage.fireTimer();
    }
    expect(windowNow()).toBeGreaterThan(50);
    for (let n = 0; n < 80; n++) windowNow();
    expect(windowNow()).toBeCloseTo(5, 0);
  });

  it("[F4] the room stays wide if actions come before its late timers, and narrows if they are sparse", async () => {
    const { stage, tabs } = await openRoomWith(10);
    const ann = tabs[0] as RoomTab;
    const windowNow = () => {
      stage.say(ann, "first");
      stage.say(ann, "second");
      return (stage.runtime.timerAt ?? 0) - stage.now;
    };
    stage.advance(1_000);
    for (let n = 0; n < 60; n++) {
      stage.advance(1_000);
      windowNow();
      stage.runtime.now = (stage.runtime.timerAt ?? 0) + 42;
      // A timer fires now and then, and an action precedes most of them.
      if (n % 4 === 0) stage.fireTimer();
      else stage.say(ann, "third");
    }
    stage.advance(1_000);
    expect(windowNow()).toBeGreaterThan(50);
    for (let n = 0; n < 100; n++) {
      stage.advance(1_000);
      stage.say(ann, "alone");
    }
    stage.advance(1_000);
    expect(windowNow()).toBeCloseTo(5, 0);
  });
});

describe("a frame", () => {
  it("the frame has the time of its first event", async () => {
    const { stage, tabs } = await openRoomWith(10);
    const ann = tabs[0] as RoomTab;
    stage.say(ann, "alone");
    stage.advance(1);
    const at = stage.now;
    stage.say(ann, "first");
    stage.advance(2);
    stage.say(ann, "second");
    stage.advance(10);
    expect(framesSince(ann, -1 + ann.read().frames.length)).toMatchObject([{ at, e: [{}, {}] }]);
    const { messages } = ann.slices.chat as { messages: { at: number }[] };
    expect(messages.slice(-2).map((message) => message.at)).toEqual([at, at]);
  });

  it("the frame does not have the time of a signal before its first event", async () => {
    const { stage, tabs } = await openRoomWith(10);
    const ann = tabs[0] as RoomTab;
    stage.say(ann, "alone");
    stage.advance(1);
    stage.signal(ann, "chat", "typing");
    stage.advance(3);
    const at = stage.now;
    stage.say(ann, "first");
    stage.advance(10);
    expect(ann.read().frames.at(-1)).toMatchObject({ at, e: [{ n: "said" }], s: [{ n: "typing" }] });
  });

  it("the frame does not have the time of an action that failed minutes before", async () => {
    const broken = new Set<"reduce">();
    const stage = await RoomStage.open({ kind: labKind({ broken }) });
    const ann = stage.join("ann");
    stage.advance(100);
    broken.add("reduce");
    stage.do(ann, "lab", "add", { n: 1 });
    expect(ann.read().nacks).toMatchObject([{ code: "internal" }]);
    broken.clear();
    stage.advance(60_000);
    stage.say(ann, "a minute later");
    stage.advance(100);
    const { messages } = ann.read().slices.chat as { messages: { at: number; text: string }[] };
    expect(messages).toMatchObject([{ text: "a minute later", at: stage.now - 100 }]);
  });

  it("the frame closes early at 60,000 characters", async () => {
    const { stage, tabs } = await openRoomWith(5);
    const ann = tabs[0] as RoomTab;
    stage.say(ann, "opens the window");
    for (let n = 0; n < 7; n++) stage.do(ann, "lab", "many", { count: 1, chars: 10_000 });
    const early = framesSince(ann, -1 + ann.read().frames.length)[0];
    expect(early?.e).toHaveLength(5);
    expect(stage.runtime.timerAt).toBeDefined();
    stage.advance(10);
    expect(framesSince(ann, -1 + ann.read().frames.length)[0]?.e).toHaveLength(2);
    for (const text of ann.peer.texts.slice(1)) expect(text.length).toBeLessThan(MAX_RECORD_CHARS + 100);
    stage.expectNoViolations();
  });

  it("[F2] the frame contains all events of an action or none, at any point where it closes", async () => {
    const { stage, tabs } = await openRoomWith(3);
    const [ann, bob] = tabs as [RoomTab, RoomTab];
    for (let n = 0; n < 300; n++) {
      const count = 1 + stage.runtime.random.below(12);
      stage.do(
        n % 2 ? ann : bob,
        "lab",
        "many",
        { count, chars: stage.runtime.random.below(2_000) },
        `a${n}-${count}`,
      );
      if (stage.runtime.random.below(3) === 0) stage.advance(stage.runtime.random.below(4));
    }
    stage.advance(100);
    let actions = 0;
    for (const { e } of ann.read().frames) {
      let open = 0;
      for (const event of e) {
        if (event.f !== "lab") continue;
        open++;
        if (event.op === undefined) continue;
        expect(open, `seed ${stage.runtime.seed}`).toBe(Number(event.op.split("-")[1]));
        open = 0;
        actions++;
      }
      expect(open, `seed ${stage.runtime.seed}: a frame ends within an action`).toBe(0);
    }
    expect(actions).toBe(300);
    stage.expectNoViolations();
  });

  it("the room rejects an action whose events fit in no frame, and nothing of it happens", async () => {
    const { stage, tabs } = await openRoomWith(2);
    const ann = tabs[0] as RoomTab;
    const { seq } = ann;
    stage.do(ann, "lab", "many", { count: 70, chars: 1_000 }, "huge");
    stage.advance(100);
    expect(ann.read().nacks).toMatchObject([{ id: "huge", code: "internal" }]);
    expect(ann.seq).toBe(seq);
    stage.say(ann, "and on");
    stage.verify(ann);
    expect(ann.violations).toEqual([]);
    expect(stage.runtime.reports).toHaveLength(1);
  });

  it("the frame closes at once with an urgent event, with all that had gathered", async () => {
    const { stage, tabs } = await openRoomWith(10);
    const ann = tabs[0] as RoomTab;
    const before = ann.frames.length;
    stage.say(ann, "first");
    stage.say(ann, "second");
    stage.do(ann, "lab", "urgent");
    expect(framesSince(ann, before).map(({ e }) => e.map(({ n }) => n))).toEqual([
      ["said"],
      ["said", "added"],
    ]);
    stage.advance(10);
    expect(framesSince(ann, before)).toHaveLength(2);
    stage.expectNoViolations();
  });

  it("[F1] an answer over HTTP closes the frame, and a checksum waits for it", async () => {
    for (const reveal of ["verify", "get", "post"] as const) {
      const { stage, tabs } = await openRoomWith(10);
      const ann = tabs[0] as RoomTab;
      stage.say(ann, "first");
      stage.say(ann, "second");
      const { commits } = stage.room.counts;
      const seq = ann.read().seq + 1;
      if (reveal === "verify") {
        stage.verify(ann);
        expect(ann.read().checksums).toEqual([]);
        stage.advance(20);
        expect(ann.read().checksums).toMatchObject([{ seq }]);
      }
      if (reveal === "get") expect(stage.turn(() => stage.room.summary(stage.now))).toMatchObject({ seq });
      if (reveal === "post")
        expect(stage.post("hanna", "chat", "say", { text: "third" })).toEqual({ ok: true, seq: seq + 1 });
      expect(stage.room.counts.commits, reveal).toBe(commits + 1);
      stage.expectNoViolations();
    }
  });

  it("[O4] the frame carries the acknowledgement, and only a rejection is sent before it", async () => {
    const { stage, tabs } = await openRoomWith(10);
    const ann = tabs[0] as RoomTab;
    stage.say(ann, "first");
    const length = ann.peer.texts.length;
    stage.do(ann, "lab", "nothing", {}, "n");
    stage.do(ann, "lab", "both", {}, "b");
    stage.do(ann, "lab", "peek", {}, "p");
    expect(ann.peer.texts).toHaveLength(length);
    stage.do(ann, "lab", "refused", {}, "r");
    expect(ann.peer.texts).toHaveLength(length + 1);
    expect(ann.read().nacks).toMatchObject([
      { id: "r", code: "conflict", message: "Never.", retryAfterMs: 11 },
    ]);
    stage.advance(10);
    ann.read();
    expect([ann.acks.get("n"), ann.acks.get("b"), ann.acks.get("p")]).toMatchObject([
      {},
      { seq: ann.seq, d: { told: true } },
      { d: [] },
    ]);
    expect(ann.acks.has("r")).toBe(false);
    stage.expectNoViolations();
  });
});
