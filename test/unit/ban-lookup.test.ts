import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BanInForce, BanLookup, type BansCall } from "../../src/services/bans/ban-lookup";
import { shardOf } from "../../src/services/directory/contract";

const BANNED: BanInForce = { scope: "everywhere", reason: "spam" };
const NOW = 1_790_000_000_000;

beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => undefined));
afterEach(() => void vi.restoreAllMocks());

/** A ban service that answers, fails, or never answers. */
function fakeBanService(bans: Record<string, BanInForce[]> = {}) {
  const state = { bans, is: "there" as "there" | "away" | "silent", callCount: 0 };
  const ask: BansCall = async (user) => {
    state.callCount++;
    if (state.is === "away") throw new Error("away");
    if (state.is === "silent") await new Promise(() => undefined);
    return { bans: state.bans[user] ?? [], askedAt: NOW };
  };
  return { state, ask };
}

/** A user of this shard. */
function of(share: string): string {
  for (let n = 0; ; n++) if (shardOf(`user${n}`) === share) return `user${n}`;
}

describe("the edge's ban lookup", () => {
  it("[D4] a host is kept out by a ban of an admin, and not by a host's", async () => {
    const { state, ask } = fakeBanService({ hugo: [{ scope: "room", rank: "host" }] });
    const lookup = new BanLookup(ask);
    const isKeptOut = async (role: "player" | "host") =>
      (await lookup.find("hugo", "main/hall", NOW, role)).ban !== undefined;
    expect([await isKeptOut("player"), await isKeptOut("host")]).toEqual([true, false]);
    state.is = "away";
    expect([await isKeptOut("player"), await isKeptOut("host")]).toEqual([true, false]);
    state.is = "there";
    state.bans = { hugo: [{ scope: "room", rank: "admin" }] };
    expect(await isKeptOut("host")).toBe(true);
  });

  it("[D4] an admin is kept out of no room whose hosts did not know the role, but out of everywhere like any other user", async () => {
    const { state, ask } = fakeBanService({ ada: [{ scope: "room" }] });
    const lookup = new BanLookup(ask);
    expect((await lookup.find("ada", "main/hall", NOW, "host")).ban).toEqual({ scope: "room" });
    expect((await lookup.find("ada", "main/hall", NOW, "admin")).ban).toBeUndefined();
    state.is = "away";
    expect((await lookup.find("ada", "main/hall", NOW, "admin")).ban).toBeUndefined();
    state.is = "there";
    state.bans = { ada: [{ scope: "room" }, BANNED] };
    expect((await lookup.find("ada", "main/hall", NOW + 10_000, "admin")).ban).toEqual(BANNED);
  });

  it("[D5] the lookup asks at every join, so that a ban and its end apply at once", async () => {
    const { state, ask } = fakeBanService();
    const lookup = new BanLookup(ask);
    expect(await lookup.find("ann", "main/hall", NOW)).toEqual({ checkedAt: NOW });
    state.bans = { ann: [BANNED] };
    expect(await lookup.find("ann", "main/hall", NOW)).toEqual({ ban: BANNED, checkedAt: NOW });
    state.bans = {};
    expect(await lookup.find("ann", "main/hall", NOW)).toEqual({ checkedAt: NOW });
    expect(state.callCount).toBe(3);
  });

  it("[D5] the last known answer applies while the ban service is unreachable, and the lookup asks again later", async () => {
    const { state, ask } = fakeBanService({ ann: [BANNED] });
    const lookup = new BanLookup(ask);
    await lookup.find("ann", "main/hall", NOW);
    state.is = "away";
    expect(await lookup.find("ann", "main/hall", NOW)).toEqual({ ban: BANNED });
    // One failure is no outage; this many in a row are.
    for (let time = 1; time < 3; time++) await lookup.find("ann", "main/hall", NOW + time);
    expect(state.callCount).toBe(4);
    expect(await lookup.find("ann", "main/yard", NOW + 3)).toEqual({ ban: BANNED });
    expect(state.callCount, "a shard that failed is not asked again for every user").toBe(4);
    expect(
      await lookup.find(of("users-2"), "main/hall", NOW + 3),
      "nothing is known of another shard",
    ).toEqual({});
    expect(state.callCount).toBe(5);
    state.is = "there";
    state.bans = {};
    expect(await lookup.find("ann", "main/hall", NOW + 6_000)).toEqual({ checkedAt: NOW });
    state.is = "away";
    expect(await lookup.find("ann", "main/hall", NOW + 6_001), "a lifted ban is forgotten").toEqual({});
  });

  it("[D5] one slow answer is not an outage for other users", async () => {
    const { state, ask } = fakeBanService({ [of("users-2")]: [BANNED] });
    const lookup = new BanLookup(ask, 10);
    state.is = "silent";
    await lookup.find(of("users-1"), "main/hall", NOW);
    state.is = "there";
    expect((await lookup.find(of("users-2"), "main/hall", NOW)).ban).toEqual(BANNED);
    expect(await lookup.find(of("users-1"), "main/hall", NOW)).toEqual({ checkedAt: NOW });
  });

  it("[D5] one stall under many joins at once counts as one failure", async () => {
    const { state, ask } = fakeBanService();
    const book = new BanLookup(ask, 10);
    state.is = "silent";
    const stalled = [1, 2, 3, 4].map((nth) => book.find("ann", `main/hall${nth}`, NOW));
    await Promise.all(stalled);
    state.is = "there";
    state.bans = { ann: [BANNED] };
    expect((await book.find("ann", "main/hall", NOW + 11)).ban).toEqual(BANNED);
  });

  it("[D5] a join does not wait for an answer that does not come", async () => {
    const { state, ask } = fakeBanService({ ann: [BANNED] });
    const lookup = new BanLookup(ask, 30);
    await lookup.find("ann", "main/hall", NOW);
    state.is = "silent";
    expect(await lookup.find("ann", "main/hall", NOW)).toEqual({ ban: BANNED });
    expect(await lookup.find("bob", "main/hall", NOW)).toEqual({});
  });

  it("[D5] the lookup ignores bans that have ended, even while the ban service is unreachable", async () => {
    const { state, ask } = fakeBanService({ ann: [{ scope: "room", untilMs: NOW + 10 }] });
    const lookup = new BanLookup(ask);
    expect((await lookup.find("ann", "main/hall", NOW)).ban).toBeDefined();
    state.is = "away";
    expect(await lookup.find("ann", "main/hall", NOW + 10)).toEqual({});
  });

  it("[D5] the lookup distinguishes bans of different rooms", async () => {
    const { ask, state } = fakeBanService();
    const lookup = new BanLookup(async (user, room, signal) => {
      const { askedAt } = await ask(user, room, signal);
      return { askedAt, bans: room === "main/hall" ? [{ scope: "room" }] : [] };
    });
    await lookup.find("ann", "main/hall", NOW);
    await lookup.find("ann", "main/yard", NOW);
    state.is = "away";
    expect((await lookup.find("ann", "main/hall", NOW)).ban).toBeDefined();
    expect((await lookup.find("ann", "main/yard", NOW)).ban).toBeUndefined();
  });

  it("[D5] the lookup applies a ban from everywhere to rooms that its user has not tried yet", async () => {
    const { state, ask } = fakeBanService({ ann: [BANNED] });
    const lookup = new BanLookup(ask);
    await lookup.find("ann", "main/hall", NOW);
    state.is = "away";
    expect(await lookup.find("ann", "main/yard", NOW)).toEqual({ ban: BANNED });
    state.is = "there";
    state.bans = {};
    await lookup.find("ann", "main/attic", NOW + 6_000);
    state.is = "away";
    expect(
      await lookup.find("ann", "main/hall", NOW + 6_001),
      "a lifted ban is forgotten everywhere",
    ).toEqual({});
  });

  it("the cache is bounded for any number of banned users, and stores nothing about the others", async () => {
    const lookup = new BanLookup(async (user) => ({
      bans: user.startsWith("bad") ? [BANNED] : [],
      askedAt: NOW,
    }));
    for (let user = 0; user < 12_000; user++) await lookup.find(`bad${user}`, "main/hall", NOW);
    for (let user = 0; user < 1_000; user++) await lookup.find(`good${user}`, "main/hall", NOW);
    expect(lookup.size).toBe(10_000);
  });
});
