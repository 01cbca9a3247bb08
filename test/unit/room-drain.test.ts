import { describe, expect, it } from "vitest";
import { DRAIN_MS, MAX_RETRY_MS } from "../../src/protocol/limits";
import { RoomStage } from "../support/room-stage";
import { ScoreStage } from "../support/score-stage";

async function openRoomWith(people: number) {
  const stage = await RoomStage.open();
  const tabs = Array.from({ length: people }, (_, n) => stage.join(`user ${n}`));
  stage.advance(1_000);
  const drain = () => stage.turn(() => stage.room.drain(stage.now));
  return { stage, tabs, drain };
}

describe("[H2] a drained room", () => {
  it("every user gets a time to come back, none of them before the room accepts users again", async () => {
    const { stage, tabs, drain } = await openRoomWith(50);
    expect(drain()).toEqual({ connections: 50, owes: 0, retryAfterMs: DRAIN_MS });
    const byes = tabs.map((tab) => tab.read().byes.at(-1));
    expect(byes.every((bye) => bye?.code === 1012)).toBe(true);
    const times = byes.map((bye) => bye?.retryAfterMs ?? 0);
    expect(new Set(times).size).toBe(50);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(DRAIN_MS);
    stage.expectNoViolations();
  });

  it("the room lets no user in and does nothing until then, and says how long", async () => {
    const { stage, tabs, drain } = await openRoomWith(2);
    drain();
    stage.advance(4_000);
    const [ann] = tabs;
    if (!ann) throw new Error("No tab is in the room.");
    stage.rejoin(ann);
    const bye = ann.read().byes.at(-1);
    expect(bye?.code).toBe(1012);
    expect(bye?.retryAfterMs).toBeGreaterThanOrEqual(DRAIN_MS - 4_000);
    expect(stage.post("hanna", "chat", "say", { text: "hi" })).toMatchObject({
      ok: false,
      rejection: { code: "draining", retryAfterMs: DRAIN_MS - 4_000 },
    });
    stage.advance(DRAIN_MS - 4_000);
    stage.rejoin(ann);
    expect(ann.read().welcomes).toHaveLength(2);
    expect(stage.post("hanna", "chat", "say", { text: "hi" }).ok).toBe(true);
    stage.expectNoViolations();
  });

  it("a user who comes back at the given time, or on a second try, has not left", async () => {
    const { stage, tabs, drain } = await openRoomWith(20);
    // One socket was already connecting.
    const [gone, ...others] = tabs;
    if (!gone) throw new Error("No tab is in the room.");
    stage.leave(gone);
    stage.advance(4_000);
    drain();
    stage.advance(DRAIN_MS + MAX_RETRY_MS + 5_000);
    expect(stage.room.summary(stage.now).users).toBe(20);
    for (const tab of [gone, ...others]) stage.rejoin(tab);
    stage.advance(60_000);
    expect(tabs.flatMap((tab) => tab.read().events.filter(({ n }) => n === "left"))).toEqual([]);
    expect(tabs.every((tab) => tab.welcomes.at(-1)?.resumed)).toBe(true);
    stage.expectNoViolations();
  });

  it("the room says that a user who does not come back has left", async () => {
    const { stage, tabs, drain } = await openRoomWith(3);
    const [ann] = tabs;
    if (!ann) throw new Error("No tab is in the room.");
    drain();
    stage.advance(DRAIN_MS);
    stage.rejoin(ann);
    stage.advance(60_000);
    expect(stage.room.summary(stage.now).users).toBe(1);
    stage.expectNoViolations();
  });

  it("a new instance of the room accepts users at once", async () => {
    const { stage, tabs, drain } = await openRoomWith(2);
    drain();
    await stage.crash();
    const [ann] = tabs;
    if (!ann) throw new Error("No tab is in the room.");
    stage.rejoin(ann);
    expect(ann.read().welcomes).toHaveLength(2);
    expect(stage.room.summary(stage.now).users).toBe(2);
    stage.expectNoViolations();
  });

  it("the room starts its pending effects at once and says so, and is done once they are answered", async () => {
    const stage = await ScoreStage.open();
    const host = stage.join("hanna", "host");
    stage.join("ann");
    stage.advance(1_000);
    stage.award(host, "ann", 5);
    const drain = () => stage.room.turn(() => stage.room.room.drain(stage.room.now));
    expect(drain()).toMatchObject({ connections: 2, owes: 1 });
    expect(stage.boards.total("main", "ann")).toBe(0);
    stage.deliverEffects();
    expect(stage.boards.total("main", "ann")).toBe(5);
    expect(drain()).toMatchObject({ connections: 0, owes: 0 });
  });
});
