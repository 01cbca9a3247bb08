import { describe, expect, it } from "vitest";
import {
  MAX_UNPROVEN_BYTES,
  MAX_UNPROVEN_ORIGINS,
  PAUSE_BYTES,
  UNPROVEN_ORIGIN_SHARES,
  UNPROVEN_REFILL_MS,
  UNPROVEN_ROOM_SHARES,
} from "../../src/protocol/limits";
import { UnprovenBudget } from "../../src/room/delivery/unproven-budget";
import { RoomStage, type TabOptions } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const MIB = 1024 * 1024;

describe("the budget for what is believed without proof", () => {
  it("[F7] a user, an origin of guests and a room have a bound each, and a refused spend costs nothing", () => {
    const budget = new UnprovenBudget();
    expect(budget.spend("ann", undefined, MAX_UNPROVEN_BYTES, 0)).toBe(true);
    expect(budget.spend("ann", undefined, 1, 0), "a user").toBe(false);
    for (let n = 0; n < UNPROVEN_ORIGIN_SHARES; n++)
      expect(budget.spend(`guest-${n}`, `net.address${n}`, MAX_UNPROVEN_BYTES, 0)).toBe(true);
    expect(budget.spend("guest-more", "net.another", 1, 0), "guests of a network").toBe(false);
    expect(budget.spend("guest-far", "elsewhere", 1, 0)).toBe(true);
    for (let n = UNPROVEN_ORIGIN_SHARES + 2; n < UNPROVEN_ROOM_SHARES; n++)
      expect(budget.spend(`user${n}`, undefined, MAX_UNPROVEN_BYTES, 0)).toBe(true);
    expect(budget.spend("bob", undefined, MAX_UNPROVEN_BYTES, 0), "a room").toBe(false);
    expect(budget.spend("bob", undefined, MAX_UNPROVEN_BYTES - 1, 0)).toBe(true);
  });

  it("[F7] the budget fills up evenly within five minutes, and keeps no more entries than its bound", () => {
    const budget = new UnprovenBudget();
    budget.spend("ann", "net.a", MAX_UNPROVEN_BYTES, 1_000);
    const half = 1_000 + UNPROVEN_REFILL_MS / 2;
    expect(budget.spend("ann", "net.a", MAX_UNPROVEN_BYTES / 2 + 1, half)).toBe(false);
    expect(budget.spend("ann", "net.a", MAX_UNPROVEN_BYTES / 2, half)).toBe(true);
    expect(budget.spend("ann", "net.a", MAX_UNPROVEN_BYTES, half + UNPROVEN_REFILL_MS)).toBe(true);
    for (let n = 0; n < 2 * MAX_UNPROVEN_ORIGINS; n++) budget.spend(`u${n}`, `net${n}.a`, 1, 0);
    expect(budget.size).toBe(MAX_UNPROVEN_ORIGINS);
  });
});

/** Sends everyone so many bytes, while the liars say that they have read all of it. */
function fill(stage: RoomStage, talker: RoomTab, liars: readonly RoomTab[], bytes: number): void {
  for (let sent = 0; sent < bytes; sent += 42_000) {
    stage.do(talker, "lab", "many", { count: 40, chars: 1_000 });
    stage.advance(10);
    for (const liar of liars) stage.send(liar, { t: "seen", seq: 2 ** 50 });
  }
}

async function openRoom() {
  const stage = await RoomStage.open();
  const talker = stage.join("talker");
  const reader = stage.join("reader");
  const lie = (user: string, options: TabOptions = {}) => {
    const tab = stage.join(user, { ...options, keepsLastOnly: true });
    stage.deaf.add(tab);
    return tab;
  };
  return { stage, talker, reader, lie };
}

const bytesOf = (tabs: readonly RoomTab[]) => tabs.reduce((sum, { peer }) => sum + peer.bytes, 0);

describe("readers that claim to have read and have not", () => {
  it("[F7] a reader gains nothing by closing its socket and opening another, and a reader that repeats marks is not affected", async () => {
    const { stage, talker, reader, lie } = await openRoom();
    const liars: RoomTab[] = [];
    for (let n = 0; n < 10; n++) {
      const liar = lie("liar", { tab: `t${n}` });
      stage.advance(100);
      fill(stage, talker, [liar], 2.5 * MIB);
      stage.leave(liar);
      liars.push(liar);
    }
    expect(bytesOf(liars)).toBeLessThan(10 * (2 * PAUSE_BYTES + 100_000) + MAX_UNPROVEN_BYTES);
    expect(reader.read().byes).toEqual([]);
    expect(reader.seq).toBe(stage.room.summary(stage.now).seq);
    stage.expectNoViolations();
  }, 90_000);

  it("[F7] a reader of a large welcome is sent the next event at once, although its user's allowance is used up", async () => {
    const { stage, talker, lie } = await openRoom();
    for (let n = 0; n < 45; n++) {
      const to = Array.from({ length: 110 }, (_, i) => `${n}-${i}-`.padEnd(128, "x"));
      stage.do(talker, "lab", "deal", { to });
      stage.advance(50);
    }
    for (let n = 0; n < 8; n++) {
      const liar = lie("bob", { tab: `liar-${n}` });
      stage.advance(100);
      fill(stage, talker, [liar], 2 * MIB);
      stage.leave(liar);
    }
    const honest = stage.join("bob", { tab: "honest" });
    stage.advance(100);
    expect(honest.read().welcomes.map((welcome) => JSON.stringify(welcome).length > PAUSE_BYTES)).toEqual([
      true,
    ]);
    stage.send(honest, { t: "seen", seq: honest.seq });
    stage.do(talker, "lab", "add", { n: 1 });
    stage.advance(1_000);
    expect(honest.read().seq).toBe(stage.room.summary(stage.now).seq);
  }, 60_000);

  it("[F7] many guests of one network have one bound together", async () => {
    const { stage, talker, lie } = await openRoom();
    const liars = Array.from({ length: 14 }, (_, n) =>
      lie(`guest-${n}`, { guest: true, from: `net.address${n}` }),
    );
    stage.advance(1_000);
    fill(stage, talker, liars, 6 * MIB);
    const most = liars.length * (2 * PAUSE_BYTES + 100_000) + UNPROVEN_ORIGIN_SHARES * MAX_UNPROVEN_BYTES;
    expect(bytesOf(liars)).toBeLessThan(most);
    stage.expectNoViolations();
  });

  it("[F7] all users of a room have one bound together", async () => {
    const { stage, talker, lie } = await openRoom();
    const liars = Array.from({ length: 18 }, (_, n) => lie(`user-${n}`));
    stage.advance(1_000);
    fill(stage, talker, liars, 6 * MIB);
    const most = liars.length * (2 * PAUSE_BYTES + 100_000) + UNPROVEN_ROOM_SHARES * MAX_UNPROVEN_BYTES;
    expect(bytesOf(liars)).toBeLessThan(most);
    stage.expectNoViolations();
  });
});
