import { describe, expect, it } from "vitest";
import { RESTART_GRACE_MS } from "../../src/protocol/limits";
import { maxInWindow } from "../support/max-in-window";
import { labKind } from "../support/room-stage";
import { SimulatedRoom } from "../support/simulated-room";

const MINUTE_MS = 60_000;

describe("a restart at 1,000 members", () => {
  async function full(seed: number): Promise<SimulatedRoom> {
    const room = await SimulatedRoom.open({ seed, settings: { maxUsers: 1_000 } });
    for (let n = 0; n < 1_000; n++) room.join({ user: `user-${n}` });
    room.run(15_000);
    expect(room.users).toBe(1_000);
    return room;
  }

  it.each([
    ...(process.env.RECOVERY === "whole" ? ([["is over in a moment", 0]] as const) : []),
    // Clients that came too early come again while others come for the first time.
    ["takes three seconds", 3_000] as const,
    ["takes six seconds", 6_000] as const,
  ])(
    "[P1] after a restart that %s, no member has left or needs a snapshot, and the busiest 250 ms hold at most a tenth",
    async (_, downMs) => {
      const room = await full(13 + downMs);
      const { seq } = room;
      const cutAt = room.now;
      room.die(20);
      room.run(downMs);
      await room.rise();
      const roseAt = room.now;
      expect(room.waitUntil(() => room.clients.every(({ session }) => session.isCaughtUp), MINUTE_MS)).toBe(
        true,
      );
      room.run(2 * RESTART_GRACE_MS);
      const back = room.clients.map(({ openedAt }) => openedAt.filter((at) => at > cutAt).at(-1) ?? 0);
      expect(Math.max(...back) - roseAt, "every client was in time").toBeLessThan(RESTART_GRACE_MS);
      expect(maxInWindow(back, 250)).toBeLessThanOrEqual(100);
      const tries = room.clients.flatMap(({ openedAt }) => openedAt.filter((at) => at > cutAt));
      expect(maxInWindow(tries, 250), "failed attempts stay within the bound too").toBeLessThanOrEqual(100);
      expect(room.clients.every(({ fresh }) => fresh === 1)).toBe(true);
      expect(room.clients.every(({ events }) => events.every(({ n }) => n !== "left"))).toBe(true);
      expect(room.users).toBe(1_000);
      // There is not one more event: a return within the grace is not announced.
      expect(room.seq).toBe(seq);
    },
    120_000,
  );

  it("[W4] after a `bye` with times, every member keeps to its time, and the times are even", async () => {
    const room = await full(14);
    room.run(15_000);
    const sentAt = room.now;
    room.kind = labKind({ version: "2" });
    expect(await room.sleep()).toBe(true);
    expect(room.waitUntil(() => room.clients.every(({ session }) => session.isCaughtUp), MINUTE_MS)).toBe(
      true,
    );
    room.run(2 * RESTART_GRACE_MS);
    const back = room.clients.map(({ openedAt }) => openedAt.filter((at) => at > sentAt));
    expect(
      back.every(({ length }) => length === 1),
      "each client came once",
    ).toBe(true);
    const times = back.flat();
    const even = 1_000 / ((Math.max(...times) - Math.min(...times)) / 250);
    expect(maxInWindow(times, 250)).toBeLessThanOrEqual(even * 1.25 + 2);
    expect(room.users).toBe(1_000);
    expect(room.clients.every(({ events }) => events.every(({ n }) => n !== "left"))).toBe(true);
  }, 120_000);
});
