import { describe, expect, it } from "vitest";
import { chat } from "../../src/features/chat/decide";
import { moderation } from "../../src/features/moderation/decide";
import type { ModerationState } from "../../src/features/moderation/state";
import { presence } from "../../src/features/presence/decide";
import type { PresenceState } from "../../src/features/presence/state";
import { canonical } from "../../src/protocol/checksum";
import { defineKind } from "../../src/room/api/kind";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

// The memory runtime rejects what the platform would: a value over 131,072 bytes, a key over 2 KiB, 128 pairs in a call.
const MAX_VALUE_BYTES = 131_072;
const LONGEST_USER = "💥".repeat(124);
const LONGEST_NAME = "💥".repeat(40);
const longUser = (n: number) => `${LONGEST_USER}${String(n).padStart(4, "0")}`;

function actAll(
  stage: RoomStage,
  tabs: readonly RoomTab[],
  act: (tab: RoomTab, n: number) => void,
  rounds = 1,
): void {
  for (let round = 0; round < rounds; round++) {
    tabs.forEach((tab, n) => {
      act(tab, round * tabs.length + n);
    });
    stage.advance(300);
  }
}

async function expectSameAfterCrash(stage: RoomStage, tab: RoomTab): Promise<void> {
  stage.verify(tab);
  const before = canonical(tab.read().slices);
  await stage.crash();
  stage.rejoin(tab);
  stage.advance(300);
  stage.verify(tab);
  expect(canonical(tab.read().slices)).toBe(before);
  stage.expectNoViolations();
}

describe("nothing stored exceeds 128 KiB", () => {
  it.each([
    ["500 emoji", "💥".repeat(500)],
    ["500 letters", "x".repeat(500)],
    ["500 of one byte and one of three", `${"é".repeat(499)}€`],
    ["500 controls, six characters each on the wire", "\u0001".repeat(500)],
    ["500 quotes", '"'.repeat(500)],
    ["500 line separators", "\u2028".repeat(500)],
  ])("the room stores lines of %s, from every user at once", async (_, text) => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: 20 }, (_, n) => stage.join(`u${n}`));
    stage.advance(300);
    for (let n = 0; n < 160; n++) stage.say(tabs[n % 20] as RoomTab, text);
    stage.advance(300);
    expect(stage.runtime.largest.bytes).toBeGreaterThan(40_000);
    expect(stage.runtime.largest.bytes).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    await expectSameAfterCrash(stage, tabs[0] as RoomTab);
  });

  it("the room stores the state of 200 members with a status and 1 KiB of data each, in snapshots too", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: 200 }, (_, n) =>
      stage.join(longUser(n), { name: LONGEST_NAME, keepsLastOnly: n > 0 }),
    );
    stage.advance(300);
    const data = { x: "é".repeat(505) };
    actAll(
      stage,
      tabs,
      (tab, n) => stage.do(tab, "presence", "set", { status: "💥".repeat(64), data: { ...data, n } }),
      6,
    );
    actAll(stage, tabs.slice(0, 100), (tab) => stage.say(tab, "💥".repeat(500)));
    for (let n = 0; n < 512; n++) {
      stage.do(tabs[0] as RoomTab, "lab", "nothing");
      stage.advance(60);
    }
    expect(stage.runtime.keys("s/").length).toBeGreaterThan(3);
    expect(stage.runtime.largest.bytes).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    await expectSameAfterCrash(stage, tabs[0] as RoomTab);
  });

  it("the room stores the leave of 400 members with ids of 128 emoji, while others move into the list", async () => {
    const stage = await RoomStage.open({ settings: { maxUsers: 2_000 } });
    const tabs = Array.from({ length: 400 }, (_, n) =>
      stage.join(longUser(n), { name: LONGEST_NAME, tab: `${n}`, keepsLastOnly: n < 399 }),
    );
    stage.advance(2_000);
    for (const tab of tabs.slice(0, 200)) stage.leave(tab);
    stage.advance(20_000);
    const last = tabs.at(-1) as RoomTab;
    const { members, count } = last.read().slices.presence as PresenceState;
    expect([Object.keys(members).length, count]).toEqual([200, 200]);
    stage.expectNoViolations();
  });

  it("the room stores 200 muted users with ids of 128 emoji, whose time ends while the room is down", async () => {
    const kind = defineKind({ name: "main", features: [presence, chat, moderation] });
    const stage = await RoomStage.open({ kind });
    const hosts = Array.from({ length: 4 }, (_, n) => stage.join(`host${n}`, { role: "host" }));
    for (let n = 0; n < 200; n++) {
      const host = hosts[n % 4] as RoomTab;
      stage.do(host, "moderation", "mute", { user: longUser(n), forMs: 60_000 + n });
    }
    stage.advance(1_000);
    stage.die();
    stage.runtime.now += 120_000;
    await stage.wake();
    stage.advance(1_000);
    const ann = stage.join("ann");
    stage.advance(1_000);
    expect((ann.read().slices.moderation as ModerationState).muted).toEqual({});
    stage.expectNoViolations();
  });

  it("the room stores 1,000 members with ids of 128 emoji, who join, act and leave at once", async () => {
    const stage = await RoomStage.open({ settings: { maxUsers: 2_000 } });
    const tabs = Array.from({ length: 1_000 }, (_, n) =>
      stage.join(longUser(n), { name: LONGEST_NAME, tab: `${n}`, keepsLastOnly: n > 0 }),
    );
    stage.advance(2_000);
    actAll(stage, tabs, (tab) => stage.do(tab, "lab", "nothing", {}, "💥".repeat(64)), 1);
    actAll(stage, tabs, (tab) => stage.do(tab, "lab", "add", { n: 1 }), 1);
    for (const tab of tabs.slice(1)) stage.leave(tab);
    stage.advance(10_000);
    expect(stage.room.summary(stage.now).users).toBe(1);
    expect(stage.runtime.largest.bytes).toBeGreaterThan(60_000);
    expect(stage.runtime.largest.bytes).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    await expectSameAfterCrash(stage, tabs[0] as RoomTab);
  }, 30_000);

  it("the room stores simultaneous private events by 500 users with ids of 128 emoji", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: 500 }, (_, n) =>
      stage.join(longUser(n), { tab: `${n}`, keepsLastOnly: n > 0 }),
    );
    stage.advance(2_000);
    actAll(stage, tabs, (tab) => stage.do(tab, "lab", "hide", {}));
    expect(stage.runtime.largest.bytes).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    await expectSameAfterCrash(stage, tabs[0] as RoomTab);
  });

  it("the room stores the answers of actions", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: 60 }, (_, n) => stage.join(`u${n}`));
    stage.advance(2_000);
    actAll(stage, tabs, (tab) => stage.do(tab, "lab", "echo", { text: "💥".repeat(3_000) }));
    actAll(stage, tabs, (tab) => stage.do(tab, "lab", "echo", { text: "\u0001".repeat(2_000) }));
    expect(stage.runtime.largest.bytes).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    await expectSameAfterCrash(stage, tabs[0] as RoomTab);
  });

  it("the room stores a thousand timers, set and cleared at once", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: 10 }, (_, n) => stage.join(`u${n}`));
    stage.advance(2_000);
    actAll(stage, tabs, (tab, n) => stage.do(tab, "lab", "timers", { count: 100, from: n * 100 }), 1);
    expect(stage.runtime.largest.bytes).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    stage.advance(20_000);
    await expectSameAfterCrash(stage, tabs[0] as RoomTab);
  });

  it("the room stores the windows of 300 users who have spent their rates", async () => {
    const stage = await RoomStage.open({ kind: labKind(), settings: { rules: {} } });
    const tabs = Array.from({ length: 300 }, (_, n) =>
      stage.join(longUser(n), { tab: `${n}`, keepsLastOnly: n > 0 }),
    );
    stage.advance(2_000);
    actAll(stage, tabs, (tab) => stage.say(tab, "x"), 10);
    for (let n = 0; n < 512; n++) {
      stage.do(tabs[0] as RoomTab, "lab", "nothing");
      stage.advance(60);
    }
    expect(stage.runtime.largest.bytes).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    stage.expectNoViolations();
  });
});
