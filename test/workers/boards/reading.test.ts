import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { readPage, readStanding } from "../../../src/services/boards/store/read-board";
import { AT, CountedDatabase, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

const ranking = (board: string) => ({ board, period: "all", sign: -1 as const });

async function fillBoard(board: string, count: number, points: (at: number) => number) {
  const room = new ScoringRoom({ [board]: { combine: "sum", feeds: "kind" } });
  for (let from = 0; from < count; from += 10_000) {
    const size = Math.min(10_000, count - from);
    await room.apply(
      Array.from({ length: size }, (_, at) =>
        entry(board, `user-${from + at}`, points(from + at), { seq: from + at }),
      ),
    );
  }
  return room;
}

describe("a page of a board", () => {
  it("[C3] a page goes on where the last one ended, and neither skips nor repeats a player who did not move", async () => {
    const room = await fillBoard("paged", 95, (at) => 1 + (at % 10));
    const all = (await readRanking("paged")).map(({ user }) => user);
    const moved = new Set<string>();
    const seen: string[] = [];
    let after: Parameters<typeof readPage>[2]["after"];
    for (let page = 0; page < 40; page += 1) {
      const read = await readPage(env.DB, ranking("paged"), { limit: 10, ...(after ? { after } : {}) }, AT);
      seen.push(...read.entries.map(({ user }) => user));
      after = read.hasMore ? read.entries.at(-1)?.place : undefined;
      if (!after) break;
      const mover = all[(page * 17) % all.length] ?? "";
      moved.add(mover);
      await room.apply([entry("paged", mover, page % 2 ? 50 : -50, { lastAt: AT + page + 1, firstAt: AT })]);
    }
    const still = (users: string[]) => users.filter((user) => !moved.has(user));
    expect(still(seen)).toEqual(still(all));
  });

  it("[C2] a page hides players while they are banned, and ranks the others as if they were not there", async () => {
    await fillBoard("hiding", 30, (at) => 100 - at);
    await env.DB.prepare(
      "insert into bans values ('everywhere', 'user-3', null, 'x', 0, ?1, 'admin'), ('main/r', 'user-5', null, 'x', 0, null, 'host')",
    )
      .bind(AT + 10)
      .run();
    const { entries } = await readPage(env.DB, ranking("hiding"), { limit: 10 }, AT);
    expect(entries.map(({ user }) => user)).not.toContain("user-3");
    expect(entries.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await readStanding(env.DB, ranking("hiding"), "user-3", 2, AT)).toBeUndefined();
    expect(await readStanding(env.DB, ranking("hiding"), "user-4", 2, AT)).toMatchObject({ rank: 4, of: 29 });
    expect(
      await readStanding(env.DB, { ...ranking("hiding"), room: "main/r" }, "user-6", 1, AT),
    ).toMatchObject({
      rank: 5,
      of: 28,
      around: [{ rank: 4, user: "user-4" }, { rank: 5 }, { rank: 6, user: "user-7" }],
    });
    expect(await readStanding(env.DB, ranking("hiding"), "user-3", 2, AT + 10)).toMatchObject({
      rank: 4,
      of: 30,
    });
  });
});

describe("a player's rank", () => {
  it("[C2] the rank is what a plain count says, for every player, also where half share one score", async () => {
    await fillBoard("standing", 4_000, (at) => (at % 2 ? 77 : 1 + (at % 300)));
    const all = await readRanking("standing");
    for (let at = 0; at < all.length; at += 97) {
      const row = all[at];
      const standing = await readStanding(env.DB, ranking("standing"), row?.user ?? "", 2, AT);
      expect(standing).toMatchObject({ rank: at + 1, of: all.length, points: row?.points });
      expect(standing?.around.map(({ user }) => user)).toEqual(
        all.slice(Math.max(0, at - 2), at + 3).map(({ user }) => user),
      );
    }
    expect(await readStanding(env.DB, ranking("standing"), "nobody", 2, AT)).toBeUndefined();
    expect(await readStanding(env.DB, ranking("nowhere"), "nobody", 2, AT)).toBeUndefined();
  }, 60_000);

  it("a rank on a large board reads far fewer rows than there are better players, and the top about as many as it shows", async () => {
    const size = 60_000;
    await env.DB.prepare("delete from bans").run();
    await fillBoard("large", size, (at) => (at % 2 ? 1_000 : 1 + at));
    expect(await findWrongSpans()).toEqual([]);
    const counted = new CountedDatabase();
    const top = await readPage(counted.db, ranking("large"), { limit: 100 }, AT);
    expect(top.entries).toHaveLength(100);
    expect(counted.rowsRead).toBeLessThanOrEqual(150);
    const worst = { reads: 0 };
    for (const at of [0, 1, 2, 999, 29_999, 30_001, size - 2, size - 1]) {
      counted.reset();
      expect(await readStanding(counted.db, ranking("large"), `user-${at}`, 5, AT + 10)).toMatchObject({
        of: size,
      });
      expect(counted.callCount).toBe(1);
      worst.reads = Math.max(worst.reads, counted.rowsRead);
    }
    const spans = (await env.DB.prepare("select count(*) as n from spans").first<number>("n")) ?? 0;
    console.log(`of ${size} players, rank and neighbours: ${worst.reads} rows read at most, ${spans} spans`);
    // All spans once, one span's players, and the neighbours.
    expect(worst.reads).toBeLessThanOrEqual(spans + 1_500 + 40);
  }, 120_000);
});
