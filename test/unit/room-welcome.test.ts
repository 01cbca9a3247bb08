import { describe, expect, it } from "vitest";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

describe("a welcome", () => {
  it("[W1] the welcome is the first message, names its user, and contains the user's own `joined`", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { name: "Ann", role: "host" });
    expect(ann.read().welcomes).toMatchObject([
      {
        v: 1,
        room: { kind: "main", id: "hall" },
        you: { user: "ann", name: "Ann", role: "host", conn: ann.peer.id },
        seq: 1,
        at: stage.now,
        resumed: false,
        features: { presence: expect.any(String), chat: expect.any(String), lab: "1" },
        state: {
          presence: { members: { ann: { name: "Ann", role: "host" } }, count: 1 },
          chat: { messages: [] },
        },
        limits: {
          maxBytes: 16_384,
          resendMs: 120_000,
          recoveryMs: 120_000,
          pingMs: 20_000,
          silentMs: 45_000,
        },
      },
    ]);
    expect(ann.welcomes[0]?.you).not.toHaveProperty("token");
    expect(ann.peer.texts).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("[F1] the welcome waits until the join is durable, and nothing comes before it", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    stage.say(ann, "opens the window");
    const bob = stage.join("bob");
    stage.say(ann, "gathers");
    expect(bob.peer.texts).toEqual([]);
    stage.advance(5);
    expect(bob.read().welcomes).toMatchObject([{ seq: 4 }]);
    expect(bob.frames).toEqual([]);
    expect((bob.slices.chat as { messages: unknown[] }).messages).toHaveLength(2);
    stage.expectNoViolations();
  });

  it("[W1] the welcome comes before the room reads earlier messages, and ends no other frame", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    stage.say(ann, "opens the window");
    const { commits } = stage.room.counts;
    const bob = stage.join("bob");
    stage.say(bob, "hasty");
    stage.verify(bob);
    expect(stage.room.counts.commits).toBe(commits);
    expect(bob.read().welcomes).toHaveLength(0);
    stage.advance(100);
    expect(bob.read().welcomes).toHaveLength(1);
    expect(bob.read().events).toMatchObject([{ by: "bob", d: { text: "hasty" } }]);
    expect(bob.read().checksums).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("the welcome of a member's second tab in a quiet room comes in the call that brings it, without a write", async () => {
    const stage = await RoomStage.open();
    stage.join("ann");
    stage.advance(1_000);
    const { puts } = stage.runtime.counts;
    const second = stage.join("ann", { tab: "second" });
    expect(second.read().welcomes).toHaveLength(1);
    expect(stage.runtime.counts.puts).toBe(puts);
  });

  it("the welcome is encoded once a seq: 1,000 returning members share one encoding", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: 1_000 }, (_, n) => stage.join(`u${n}`, { keepsLastOnly: n > 1 }));
    stage.advance(2_000);
    const first = stage.room.counts.encodings;
    expect(first).toBeLessThan(30);
    await stage.crash();
    expect(stage.room.counts.encodings).toBe(0);
    for (const tab of tabs) stage.connect(tab, { name: tab.user, keepsLastOnly: true });
    stage.advance(100);
    expect(stage.room.counts.encodings).toBe(1);
    for (const tab of tabs) expect(tab.peer.texts[0]).toMatch(/^\{"t":"welcome"/);
    for (let n = 0; n < 50; n++) stage.join(`u${n}`, { tab: `again${n}`, keepsLastOnly: true });
    stage.advance(100);
    expect(stage.room.counts.encodings).toBe(1);
    stage.say(tabs[0] as RoomTab, "on");
    stage.join("u7", { tab: "later", keepsLastOnly: true });
    expect(stage.room.counts.encodings).toBe(2);
  });

  it("the welcomes of 1,000 users in one burst cost a few commits, and all of them show the same", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: 1_000 }, (_, n) =>
      stage.join(`u${n}`, { keepsLastOnly: n > 3 && n < 996 }),
    );
    stage.advance(3_000);
    expect(stage.room.counts.commits).toBeLessThan(40);
    expect(stage.room.summary(stage.now)).toMatchObject({ users: 1_000, connections: 1_000 });
    for (const tab of tabs) expect(tab.peer.texts.length).toBeGreaterThan(0);
    const watched = tabs.filter(({ peer }) => !peer.keepsLastOnly);
    for (const tab of watched) stage.verify(tab);
    expect(watched.map((tab) => tab.read().checksums.length)).toEqual(watched.map(() => 1));
    expect((watched[0] as RoomTab).slices.presence).toMatchObject({ count: 1_000 });
    stage.expectNoViolations();
  });

  it("[F1] the welcome contains nothing that is not durable yet", async () => {
    const stage = await RoomStage.open();
    stage.join("ann");
    stage.advance(100);
    stage.isAutoDurable = false;
    const bob = stage.join("bob");
    expect(bob.peer.texts).toEqual([]);
    stage.makeDurable();
    expect(bob.read().welcomes).toHaveLength(1);
  });
});
