import { describe, expect, it } from "vitest";
import { MAX_ASKED_AT_ONCE, MAX_LEADERS_PAST_FULL, UNHEARD_MS } from "../../src/protocol/limits";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const isIn = (tab: RoomTab) => tab.read().welcomes.length > 0;
const codesOf = (tab: RoomTab) => tab.read().byes.map(({ code }) => code);

/** A room of this size, full of guests who never ping. */
async function full(maxUsers: number) {
  const stage = await RoomStage.open({ settings: { maxUsers } });
  const guests = Array.from({ length: maxUsers }, (_, n) => stage.joinAsGuest(`guest-${n}`));
  stage.advance(200);
  return { stage, guests };
}

describe("a full room", () => {
  it("[L9] the room lets in hosts and admins, up to a bound", async () => {
    const { stage } = await full(2);
    const player = stage.join("ann");
    const host = stage.join("hanna", { role: "host" });
    const admin = stage.join("root", { role: "admin" });
    stage.advance(100);
    expect([player, host, admin].map(isIn)).toEqual([false, true, true]);
    expect(codesOf(player)).toEqual([4503]);
    for (let n = 2; n < MAX_LEADERS_PAST_FULL; n++) stage.join(`host${n}`, { role: "host" });
    const last = stage.join("one too many", { role: "host" });
    stage.advance(100);
    expect(stage.room.summary(stage.now).users).toBe(2 + MAX_LEADERS_PAST_FULL);
    expect(codesOf(last)).toEqual([4503]);
    const second = stage.join("hanna", { role: "host", tab: "second" });
    stage.advance(100);
    expect(isIn(second), "a member already").toBe(true);
    stage.expectNoViolations();
  });

  it("[L9] the room does not give the seat of a leaving host to a player", async () => {
    const { stage } = await full(2);
    const host = stage.join("hanna", { role: "host" });
    stage.leave(host);
    stage.advance(60_000);
    expect(codesOf(stage.join("ann"))).toEqual([4503]);
  });

  it("[L10] the room probes members who never pinged and sent nothing, and an unanswered probe frees the seat", async () => {
    const { stage, guests } = await full(3);
    const [silent, alive, talker] = guests as [RoomTab, RoomTab, RoomTab];
    stage.advance(UNHEARD_MS - 1_000);
    stage.say(talker, "still here");
    expect(codesOf(stage.join("early"))).toEqual([4503]);
    expect(guests.map(codesOf), "no member has been silent for long").toEqual([[], [], []]);
    stage.advance(21_000);
    const ann = stage.join("ann");
    expect(codesOf(ann)).toEqual([4503]);
    expect(guests.map(codesOf)).toEqual([[1012], [1012], []]);
    expect(alive.byes[0]?.retryAfterMs).toBeLessThanOrEqual(10_000);
    // Partysocket's longest retry pause.
    stage.advance(10_000);
    stage.rejoin(alive, { guest: true });
    stage.advance(100);
    expect(isIn(alive)).toBe(true);
    expect(alive.welcomes.at(-1)).toMatchObject({ resumed: true });
    const left = () =>
      talker.read().events.flatMap(({ n, d }) => (n === "left" ? [(d as { user: string }).user] : []));
    expect(left(), "the room reports no leave while the member may come back").toEqual([]);
    stage.advance(21_000);
    expect(left()).toEqual([silent.user]);
    stage.rejoin(ann);
    stage.advance(100);
    expect(isIn(ann)).toBe(true);
    stage.expectNoViolations();
  });

  it("[M2] the room closes no member who never pinged while there is a seat, for any length of time", async () => {
    const { stage, guests } = await full(3);
    stage.leave(guests[0] as RoomTab);
    stage.advance(24 * UNHEARD_MS);
    stage.join("ann");
    stage.advance(100);
    expect(guests.slice(1).map(codesOf)).toEqual([[], []]);
  });

  it("[L10] the room probes no member who pings, over a sleep too, and none with another socket that sent something", async () => {
    const { stage, guests } = await full(3);
    const [pings, answered, twice] = guests as [RoomTab, RoomTab, RoomTab];
    stage.advance(UNHEARD_MS);
    await stage.sleep();
    stage.send(pings, "ping");
    answered.peer.pongedAt = stage.now;
    stage.connect(twice, { guest: true, tab: "another" });
    stage.advance(1_000);
    stage.join("ann");
    expect(guests.map(codesOf)).toEqual([[], [], []]);
  });

  it("[L10] the room probes a crowd some at a time, each with its own time to come back, and wakes for no others", async () => {
    const { stage, guests } = await full(100);
    stage.advance(UNHEARD_MS + 1_000);
    const probed = () => guests.filter((tab) => codesOf(tab).length > 0);
    stage.join("ann");
    stage.join("bob");
    expect(probed()).toHaveLength(MAX_ASKED_AT_ONCE);
    expect(new Set(probed().map(({ byes }) => byes[0]?.retryAfterMs)).size).toBeGreaterThan(
      MAX_ASKED_AT_ONCE / 2,
    );
    stage.advance(20_000);
    stage.join("cat");
    expect(probed()).toHaveLength(2 * MAX_ASKED_AT_ONCE);
    stage.expectNoViolations();
  });
});
