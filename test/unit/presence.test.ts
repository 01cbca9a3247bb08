import { describe, expect, it } from "vitest";
import { presenceSchema } from "../../src/features/presence/schema";
import { initial, type PresenceEvent, type PresenceState, reduce } from "../../src/features/presence/state";
import { MAX_LISTED_MEMBERS } from "../../src/protocol/limits";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

type UnnumberedEvent = PresenceEvent extends infer E
  ? E extends { n: infer N; d: infer D }
    ? { n: N; d: D }
    : never
  : never;
const fold = (events: UnnumberedEvent[]) =>
  events.reduce<PresenceState>(
    (state, event, at) => reduce(state, { ...event, seq: at + 1, at } as PresenceEvent),
    initial(),
  );
const joinedEvent = (user: string, name = user): UnnumberedEvent => ({
  n: "joined",
  d: { user, name, role: "player" },
});

/** Names of an object's prototype members, and one that looks like an index. */
const BORN = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "1", "-1", " "];

describe("presence's reducer", () => {
  it("[P] the reducer lists who joins, counts them, and removes who leaves", () => {
    const state = fold([joinedEvent("ann"), joinedEvent("bob", "Bob"), { n: "left", d: { user: "ann" } }]);
    expect(JSON.parse(JSON.stringify(state))).toEqual({
      members: { bob: { name: "Bob", role: "player", since: 1 } },
      count: 1,
    });
  });

  it("[P] the reducer keeps the join time and the status of a user who is announced again", () => {
    const state = fold([
      joinedEvent("ann"),
      { n: "changed", d: { user: "ann", status: "away" } },
      joinedEvent("ann", "Anna"),
    ]);
    expect(state.members.ann).toEqual({ name: "Anna", role: "player", since: 0, status: "away" });
    expect(state.count).toBe(1);
  });

  it("[P3] the reducer keeps omitted fields, and clears empty and null ones", () => {
    const set = (d: Record<string, unknown>): UnnumberedEvent => ({ n: "changed", d: { user: "ann", ...d } });
    const first = [joinedEvent("ann"), set({ status: "here", data: { x: 1 } })];
    expect(fold([...first, set({})]).members.ann).toMatchObject({ status: "here", data: { x: 1 } });
    expect(fold([...first, set({ status: "there" })]).members.ann).toMatchObject({
      status: "there",
      data: { x: 1 },
    });
    expect(fold([...first, set({ status: "" })]).members.ann).toEqual({
      name: "ann",
      role: "player",
      since: 0,
      data: { x: 1 },
    });
    expect(fold([...first, set({ data: null })]).members.ann).toEqual({
      name: "ann",
      role: "player",
      since: 0,
      status: "here",
    });
    expect(fold([...first, set({ data: 0 })]).members.ann).toMatchObject({ data: 0 });
  });

  it("the reducer ignores unknown users and events that a later release may add", () => {
    const state = fold([joinedEvent("ann")]);
    expect(fold([joinedEvent("ann"), { n: "left", d: { user: "bob" } }])).toEqual(state);
    expect(reduce(state, { n: "changed", d: { user: "bob", status: "x" }, seq: 2, at: 2 })).toBe(state);
    expect(reduce(state, { n: "later", d: {}, seq: 2, at: 2 } as never)).toBe(state);
  });

  it("[T1] the reducer accepts names of an object's prototype members, even after a trip through JSON", () => {
    let state = fold(BORN.map((user) => joinedEvent(user)));
    expect(state.count).toBe(BORN.length);
    state = JSON.parse(JSON.stringify(state));
    expect(Object.keys(state.members).sort()).toEqual([...BORN].sort());
    for (const user of BORN) {
      state = reduce(state, { n: "changed", d: { user, status: "x" }, seq: 9, at: 9 });
      expect(Object.getOwnPropertyDescriptor(state.members, user)?.value.status).toBe("x");
      state = reduce(state, { n: "left", d: { user }, seq: 9, at: 9 });
    }
    expect([Object.keys(state.members), state.count]).toEqual([[], 0]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("the reducer never changes the state that it was given", () => {
    const state = fold([joinedEvent("ann")]);
    const before = JSON.stringify(state);
    for (const event of [
      joinedEvent("bob"),
      { n: "left", d: { user: "ann" } },
      { n: "changed", d: { user: "ann", status: "x" } },
      { n: "counted", d: { count: 9 } },
    ]) {
      reduce(state, { ...event, seq: 2, at: 2 } as PresenceEvent);
    }
    expect(JSON.stringify(state)).toBe(before);
  });
});

describe("a member's own data", () => {
  it("[P] the data is a status of 64 characters and 1 KiB of JSON", () => {
    const { set } = presenceSchema.actions;
    expect(set.safeParse({ status: "💥".repeat(64) }).success).toBe(true);
    expect(set.safeParse({ status: "💥".repeat(65) }).success).toBe(false);
    expect(set.safeParse({ data: "x".repeat(1022) }).success).toBe(true);
    expect(set.safeParse({ data: "x".repeat(1023) }).success).toBe(false);
    expect(set.safeParse({ data: "é".repeat(511) }).success).toBe(true);
    expect(set.safeParse({ data: "é".repeat(512) }).success).toBe(false);
    expect(set.safeParse({ data: { deep: [1, null, { x: true }] } }).success).toBe(true);
  });
});

describe("a crowd", () => {
  const listedBy = (tab: RoomTab) => Object.keys((tab.read().slices.presence as PresenceState).members);
  const countedBy = (tab: RoomTab) => (tab.read().slices.presence as PresenceState).count;

  async function crowd(size: number): Promise<{ stage: RoomStage; tabs: RoomTab[] }> {
    const stage = await RoomStage.open({ kind: labKind(), settings: { maxUsers: 10_000 } });
    const tabs = Array.from({ length: size }, (_, n) => stage.join(`u${n}`));
    stage.advance(2_000);
    return { stage, tabs };
  }

  it("[P2] a crowd of 200 is listed whole", async () => {
    const { stage, tabs } = await crowd(MAX_LISTED_MEMBERS);
    expect(listedBy(tabs[0] as RoomTab)).toHaveLength(200);
    expect(countedBy(tabs[0] as RoomTab)).toBe(200);
    expect((tabs[0] as RoomTab).events.some(({ n }) => n === "counted")).toBe(false);
    stage.expectNoViolations();
  });

  it("[P2] a crowd past 200 lists the first, counts all, and sends the count at most once a second", async () => {
    const { stage, tabs } = await crowd(230);
    const first = tabs[0] as RoomTab;
    expect(listedBy(first)).toEqual(Array.from({ length: 200 }, (_, n) => `u${n}`));
    expect(countedBy(first)).toBe(230);
    const countedAt: number[] = [];
    const before = first.events.length;
    for (let n = 0; n < 600; n++) {
      if (n < 500) stage.join(`late${n}`);
      stage.advance(10);
      const count = first
        .read()
        .events.slice(before)
        .filter(({ n }) => n === "counted").length;
      while (countedAt.length < count) countedAt.push(stage.now);
    }
    expect(countedAt).toHaveLength(5);
    for (let n = 1; n < countedAt.length; n++) {
      expect((countedAt[n] ?? 0) - (countedAt[n - 1] ?? 0)).toBeGreaterThanOrEqual(1_000);
    }
    expect(countedBy(first)).toBe(730);
    expect(first.events.filter(({ n, f }) => f === "presence" && n === "joined").length).toBeLessThanOrEqual(
      200,
    );
    stage.expectNoViolations();
  });

  it("[P2] the member who has waited longest moves into the list when a listed one leaves", async () => {
    const { stage, tabs } = await crowd(203);
    stage.leave(tabs[7] as RoomTab);
    stage.leave(tabs[201] as RoomTab);
    stage.advance(8_000);
    const first = tabs[0] as RoomTab;
    const listed = listedBy(first);
    expect(listed).toHaveLength(200);
    expect(listed).not.toContain("u7");
    expect(listed).toContain("u200");
    expect(listed).not.toContain("u202");
    expect(countedBy(first)).toBe(201);
    stage.leave(tabs[8] as RoomTab);
    stage.advance(8_000);
    expect(listedBy(first)).toContain("u202");
    expect(countedBy(first)).toBe(200);
    stage.expectNoViolations();
  });

  it("[P2] a crowd whose listed members all leave at once is listed from those who stay", async () => {
    const { stage, tabs } = await crowd(230);
    for (const tab of tabs.slice(0, 200)) stage.leave(tab);
    stage.advance(8_000);
    const last = tabs.at(-1) as RoomTab;
    expect(listedBy(last)).toEqual(tabs.slice(200).map(({ user }) => user));
    expect(countedBy(last)).toBe(30);
    stage.expectNoViolations();
  });

  it("[P2] a new member does not overtake those who wait", async () => {
    const { stage, tabs } = await crowd(201);
    stage.leave(tabs[3] as RoomTab);
    stage.advance(5_000);
    stage.join("newcomer");
    stage.advance(3_000);
    expect(listedBy(tabs[0] as RoomTab)).toContain("u200");
    expect(listedBy(tabs[0] as RoomTab)).not.toContain("newcomer");
    expect(countedBy(tabs[0] as RoomTab)).toBe(201);
    stage.expectNoViolations();
  });

  it("[P2] the room shows a status of listed members alone, and says so to the others", async () => {
    const { stage, tabs } = await crowd(201);
    stage.do(tabs[3] as RoomTab, "presence", "set", { status: "here" });
    stage.do(tabs[200] as RoomTab, "presence", "set", { status: "me too" });
    stage.advance(100);
    expect((tabs[0] as RoomTab).read().events.filter(({ n }) => n === "changed")).toHaveLength(1);
    expect((tabs[200] as RoomTab).read().nacks).toMatchObject([{ code: "unavailable" }]);
  });

  it("[T1] users who are named like an object's prototype members form a crowd like any other", async () => {
    const stage = await RoomStage.open();
    const tabs = BORN.map((user) => stage.join(user));
    for (const tab of tabs) stage.do(tab, "presence", "set", { status: `I am ${tab.user}` });
    stage.advance(200);
    await stage.crash();
    const again = tabs.map((tab) => stage.rejoin(tab));
    stage.verify(again[0] as RoomTab);
    expect(listedBy(again[0] as RoomTab).sort()).toEqual([...BORN].sort());
    const late = stage.join("newcomer");
    stage.advance(100);
    const members = (late.read().slices.presence as PresenceState).members;
    for (const user of BORN)
      expect(Object.getOwnPropertyDescriptor(members, user)?.value.status).toBe(`I am ${user}`);
    stage.leave(again[0] as RoomTab);
    stage.advance(6_000);
    stage.verify(late);
    expect(listedBy(late).includes("__proto__")).toBe(false);
    expect(countedBy(late)).toBe(BORN.length);
    stage.expectNoViolations();
  });
});
