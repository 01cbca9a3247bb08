import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BanInForce, BanLookup, type BansCall } from "../../src/services/bans/ban-lookup";
import { shardOf } from "../../src/services/directory/contract";

const BANNED: BanInForce = { scope: "everywhere", reason: "spam" };
const NOW = 1_790_000_000_000;

beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => undefined));
afterEach(() => void vi.restoreAllMocks());

/** Whoever keeps the bans: answers, is away, or says nothing at all. */
function fakeBanService(bans: Record<string, BanInForce[]> = {}) {
  const state = { bans, is: "there" as "there" | "away" | "silent", asked: 0 };
  const ask: BansCall = async (user) => {
    state.asked++;
    if (state.is === "away") throw new Error("away");
    if (state.is === "silent") await new Promise(() => undefined);
    return { bans: state.bans[user] ?? [], askedAt: NOW };
  };
  return { state, ask };
}

/** Somebody of this share of the users. */
function of(share: string): string {
  for (let n = 0; ; n++) if (shardOf(`user${n}`) === share) return `user${n}`;
}

describe("the edge's book of bans", () => {
  it("[D4] keeps no admin out of a room whose hosts did not know them, and out of everywhere like anybody", async () => {
    const { state, ask } = fakeBanService({ ada: [{ scope: "room" }] });
    const book = new BanLookup(ask);
    expect((await book.find("ada", "main/hall", NOW, "host")).ban).toEqual({ scope: "room" });
    expect((await book.find("ada", "main/hall", NOW, "admin")).ban).toBeUndefined();
    state.is = "away";
    expect((await book.find("ada", "main/hall", NOW, "admin")).ban).toBeUndefined();
    state.is = "there";
    state.bans = { ada: [{ scope: "room" }, BANNED] };
    expect((await book.find("ada", "main/hall", NOW + 10_000, "admin")).ban).toEqual(BANNED);
  });

  it("[D5] asks at every join, so that a ban and its end hold at once", async () => {
    const { state, ask } = fakeBanService();
    const book = new BanLookup(ask);
    expect(await book.find("ann", "main/hall", NOW)).toEqual({ checkedAt: NOW });
    state.bans = { ann: [BANNED] };
    expect(await book.find("ann", "main/hall", NOW)).toEqual({ ban: BANNED, checkedAt: NOW });
    state.bans = {};
    expect(await book.find("ann", "main/hall", NOW)).toEqual({ checkedAt: NOW });
    expect(state.asked).toBe(3);
  });

  it("[D5] lets the last known answer hold while nobody can be asked, and asks again later", async () => {
    const { state, ask } = fakeBanService({ ann: [BANNED] });
    const book = new BanLookup(ask);
    await book.find("ann", "main/hall", NOW);
    state.is = "away";
    expect(await book.find("ann", "main/hall", NOW)).toEqual({ ban: BANNED });
    // One failure is no outage: so many in a row are.
    for (let time = 1; time < 3; time++) await book.find("ann", "main/hall", NOW + time);
    expect(state.asked).toBe(4);
    expect(await book.find("ann", "main/yard", NOW + 3)).toEqual({ ban: BANNED });
    expect(state.asked, "who has failed is not asked by everybody").toBe(4);
    expect(await book.find(of("users-2"), "main/hall", NOW + 3), "of another share nothing is known").toEqual(
      {},
    );
    expect(state.asked).toBe(5);
    state.is = "there";
    state.bans = {};
    expect(await book.find("ann", "main/hall", NOW + 6_000)).toEqual({ checkedAt: NOW });
    state.is = "away";
    expect(await book.find("ann", "main/hall", NOW + 6_001), "lifted is forgotten").toEqual({});
  });

  it("[D5] takes one slow answer for no outage of anybody else", async () => {
    const { state, ask } = fakeBanService({ [of("users-2")]: [BANNED] });
    const book = new BanLookup(ask, 10);
    state.is = "silent";
    await book.find(of("users-1"), "main/hall", NOW);
    state.is = "there";
    expect((await book.find(of("users-2"), "main/hall", NOW)).ban).toEqual(BANNED);
    expect(await book.find(of("users-1"), "main/hall", NOW)).toEqual({ checkedAt: NOW });
  });

  it("[D5] keeps nobody waiting for an answer that does not come", async () => {
    const { state, ask } = fakeBanService({ ann: [BANNED] });
    const book = new BanLookup(ask, 30);
    await book.find("ann", "main/hall", NOW);
    state.is = "silent";
    expect(await book.find("ann", "main/hall", NOW)).toEqual({ ban: BANNED });
    expect(await book.find("bob", "main/hall", NOW)).toEqual({});
  });

  it("[D5] passes over bans that have ended, also while nobody can be asked", async () => {
    const { state, ask } = fakeBanService({ ann: [{ scope: "room", untilMs: NOW + 10 }] });
    const book = new BanLookup(ask);
    expect((await book.find("ann", "main/hall", NOW)).ban).toBeDefined();
    state.is = "away";
    expect(await book.find("ann", "main/hall", NOW + 10)).toEqual({});
  });

  it("[D5] knows a ban of one room from another's", async () => {
    const { ask, state } = fakeBanService();
    const book = new BanLookup(async (user, room, signal) => {
      const { askedAt } = await ask(user, room, signal);
      return { askedAt, bans: room === "main/hall" ? [{ scope: "room" }] : [] };
    });
    await book.find("ann", "main/hall", NOW);
    await book.find("ann", "main/yard", NOW);
    state.is = "away";
    expect((await book.find("ann", "main/hall", NOW)).ban).toBeDefined();
    expect((await book.find("ann", "main/yard", NOW)).ban).toBeUndefined();
  });

  it("[D5] knows a ban everywhere in rooms that its user has not tried yet", async () => {
    const { state, ask } = fakeBanService({ ann: [BANNED] });
    const book = new BanLookup(ask);
    await book.find("ann", "main/hall", NOW);
    state.is = "away";
    expect(await book.find("ann", "main/yard", NOW)).toEqual({ ban: BANNED });
    state.is = "there";
    state.bans = {};
    await book.find("ann", "main/attic", NOW + 6_000);
    state.is = "away";
    expect(await book.find("ann", "main/hall", NOW + 6_001), "lifted is forgotten everywhere").toEqual({});
  });

  it("is bounded, however many are banned, and remembers nothing of the others", async () => {
    const book = new BanLookup(async (user) => ({
      bans: user.startsWith("bad") ? [BANNED] : [],
      askedAt: NOW,
    }));
    for (let user = 0; user < 12_000; user++) await book.find(`bad${user}`, "main/hall", NOW);
    for (let user = 0; user < 1_000; user++) await book.find(`good${user}`, "main/hall", NOW);
    expect(book.size).toBe(10_000);
  });
});
