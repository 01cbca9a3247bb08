import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Boards } from "../../../src/room/api/board";
import { eraseUser } from "../../../src/services/boards/store/erasure";
import { callApi } from "./call-api";
import { AT, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

const users = async (board: string, period = "all") =>
  (await readRanking(board, period)).map(({ user }) => user);
/** The tables with a word in any cell: where a user's id or name would be found. */
async function findTablesWith(word: string): Promise<string[]> {
  const { results } = await env.DB.prepare(
    "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' and name not like '_cf_%' and name <> 'd1_migrations'",
  ).all<{ name: string }>();
  const all = await env.DB.batch(results.map(({ name }) => env.DB.prepare(`select * from "${name}"`)));
  return results
    .filter((_, at) => JSON.stringify(all[at]?.results).toLowerCase().includes(word))
    .map(({ name }) => name)
    .sort();
}

describe("[Z6] an erased person", () => {
  const boards: Boards = {
    many: { combine: "sum", periods: ["all", "day", "week"] },
    best: { combine: "best" },
  };

  it("an erased user is on no ranking, in no log and in no dead letter; a ban stays, without its reason", async () => {
    const room = new ScoringRoom(boards);
    const named = { name: "Zelda Zuckerl" };
    await room.apply([
      entry("many", "zelda", 5, named),
      entry("many", "ann", 6),
      entry("best", "zelda", 9, named),
      { ...entry("many", "zelda", 1, named), points: 2.5 },
    ]);
    await env.DB.batch([
      env.DB.prepare(
        "insert into bans values ('everywhere', 'zelda', 'Zelda again', 'adam', 1, null, 'admin')",
      ),
      env.DB.prepare("insert into bans values ('main/hall', 'ann', null, 'zelda', 1, null, 'host')"),
      env.DB.prepare(
        "insert into corrections (at, by, board, period, user, before, after, reason) values (1, 'adam', 'many', 'all', 'zelda', 1, 2, 'asked by Zelda')",
      ),
      env.DB.prepare(
        "insert into corrections (at, by, board, period, user, before, after, reason) values (1, 'zelda', 'many', 'all', 'ann', 1, 2, 'x')",
      ),
    ]);
    expect(await findTablesWith("zelda")).toEqual(["bans", "corrections", "players", "scores", "set_aside"]);
    const erased = await eraseUser(env.DB, "zelda", AT + 5);
    expect(erased).toMatchObject({ rankings: 8, aside: 1, bans: 1 });
    expect(new Set(erased.boards)).toEqual(
      new Set(["many", "best", `many:${room.room.slice(5)}`, `best:${room.room.slice(5)}`]),
    );
    // The ban, and the note that keeps late points out.
    expect(await findTablesWith("zelda")).toEqual(["bans", "players"]);
    expect(await findTablesWith("zuckerl")).toEqual([]);
    expect(await users("many")).toEqual(["ann"]);
    expect(await findWrongSpans()).toEqual([]);
    expect(await eraseUser(env.DB, "zelda", AT + 6), "again").toMatchObject({ rankings: 0, aside: 0 });
  });

  it("no span of a large board begins with an erased user", async () => {
    const room = new ScoringRoom({ wide: { combine: "sum", feeds: "kind" } });
    // Half of them equal to the last column, so that only the user id decides who begins a span.
    await room.apply(
      Array.from({ length: 4_000 }, (_, at) => entry("wide", `w${at}`, at % 2 ? 7 : at + 1, { seq: at % 3 })),
    );
    const { results } = await env.DB.prepare(
      "select user from spans where user <> '' and ranking = (select id from rankings where board = 'wide')",
    ).all<{ user: string }>();
    expect(results.length).toBeGreaterThanOrEqual(2);
    for (const { user } of results) {
      await eraseUser(env.DB, user, AT + 5);
      expect(await findTablesWith(`"${user}"`)).toEqual(["players"]);
    }
    expect(await users("wide")).toHaveLength(4_000 - results.length);
    expect(await findWrongSpans()).toEqual([]);
    await room.apply([entry("wide", "w1", 5, { lastAt: AT + 9, firstAt: AT + 9 })]);
    expect(await findWrongSpans()).toEqual([]);
  });

  it("an erased user does not come back by a batch in flight, nor by its dead letters, but does by a new game", async () => {
    const room = new ScoringRoom(boards);
    await room.apply([entry("many", "yan", 5), entry("many", "ann", 1)]);
    const late = room.nextBatch([
      entry("many", "yan", 7, { name: "Yan Yarn", lastAt: AT + 1, firstAt: AT + 1 }),
      { ...entry("many", "yan", 7, { name: "Yan Yarn" }), points: "seven" },
      { board: "many", user: "yan", name: "Yan Yarn" },
      entry("many", "ann", 2, { lastAt: AT + 1, firstAt: AT + 1 }),
    ]);
    await eraseUser(env.DB, "yan", AT + 2);
    expect(await room.send(late)).toMatchObject({ applied: true });
    expect(await users("many")).not.toContain("yan");
    expect(await findTablesWith("yan yarn")).toEqual([]);
    expect((await readRanking("many")).find(({ user }) => user === "ann")?.points).toBeGreaterThanOrEqual(3);
    await room.apply([entry("many", "yan", 4, { name: "Yan", lastAt: AT + 3, firstAt: AT + 3 })]);
    expect((await readRanking("many")).find(({ user }) => user === "yan")).toMatchObject({
      points: 4,
      name: "Yan",
    });
    // Points from before stay out.
    await room.apply([entry("many", "yan", 100, { lastAt: AT + 2, firstAt: AT + 2 })]);
    expect((await readRanking("many")).find(({ user }) => user === "yan")?.points).toBe(4);
  });

  it("an erasure and batches at the same moment leave no trace of the user in either order", async () => {
    const rooms = Array.from({ length: 6 }, () => new ScoringRoom(boards));
    await rooms[0]?.apply([entry("many", "xara", 1)]);
    const all = rooms.map((room) => room.apply([entry("many", "xara", 1), entry("many", "ann", 1)]));
    await Promise.all([...all.slice(0, 3), eraseUser(env.DB, "xara", AT + 9), ...all.slice(3)]);
    expect(await users("many")).not.toContain("xara");
    expect(await findWrongSpans()).toEqual([]);
  });

  it("a user on more rankings than one transaction takes is erased from all of them", async () => {
    const days = Array.from({ length: 620 }, (_, day) => AT + day * 86_400_000);
    const room = new ScoringRoom({ daily: { combine: "sum", periods: ["day"], feeds: "kind" } });
    await room.apply(days.map((at) => entry("daily", "wim", 1, { lastAt: at, firstAt: at })));
    expect(await eraseUser(env.DB, "wim", days.at(-1) ?? AT)).toMatchObject({ rankings: 620 });
    expect(await env.DB.prepare("select count(*) as n from scores where user = 'wim'").first("n")).toBe(0);
    expect(await findWrongSpans()).toEqual([]);
  });
});

describe("[Z5] the data of a person", () => {
  it("an admin and the person themselves can read all of it, and no other user", async () => {
    const room = new ScoringRoom({ main: { combine: "sum", periods: ["all", "day"] } });
    await room.apply([
      entry("main", "vera", 5, { name: "Vera" }),
      entry("main", "vicky", 3),
      { ...entry("main", "vera", 1), points: 0.5 },
    ]);
    await callApi("/v1/bans/vera", { method: "PUT", body: { reason: "spam", untilMs: Date.now() + 60_000 } });
    const body = { board: "main", periods: ["all"], user: "vera", add: 2, reason: "owed" };
    await callApi("/v1/corrections", { method: "POST", body });
    const answer = await callApi("/v1/users/vera");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect(answer.body).toMatchObject({
      user: "vera",
      name: "Vera",
      scores: [
        { board: "main", period: "all", points: 7, name: "Vera" },
        { board: "main", period: "day:2026-11-20", points: 5 },
        { board: `main:${room.room.slice(5)}`, period: "all", points: 5 },
        { board: `main:${room.room.slice(5)}`, period: "day:2026-11-20", points: 5 },
      ],
      bans: [{ scope: "everywhere", reason: "spam" }],
      aside: [{ room: room.room, entry: { user: "vera", points: 0.5 } }],
      corrections: [{ board: "main", before: 5, after: 7, reason: "owed" }],
      did: { bans: [], corrections: [] },
    });
    expect((await callApi("/v1/users/vera", { as: "player", user: "vera" })).body).toEqual(answer.body);
    expect((await callApi("/v1/users/ada")).body).toMatchObject({
      scores: [],
      did: { bans: [{ scope: "everywhere" }], corrections: [{ board: "main", period: "all" }] },
    });
    for (const how of [
      { as: "player", user: "vicky" },
      { as: "host", user: "vicky" },
      { as: null },
    ] as const) {
      expect((await callApi("/v1/users/vera", how)).status).toBe(how.as ? 403 : 401);
      expect((await callApi("/v1/users/vera", { ...how, method: "DELETE" })).status).toBe(how.as ? 403 : 401);
    }
    // Users do not erase themselves: an operator decides.
    expect((await callApi("/v1/users/vera", { as: "player", user: "vera", method: "DELETE" })).status).toBe(
      403,
    );
    expect((await callApi("/v1/users/nobody-at-all")).status).toBe(404);
  });

  it("[Z6] an admin's erasure clears the boards at once, also for percent-encoded ids", async () => {
    const user = "u/ñ %:?";
    const room = new ScoringRoom({ main: { combine: "sum" } });
    await room.apply([entry("main", user, 5)]);
    const path = encodeURIComponent(user);
    expect((await callApi(`/v1/boards/main/users/${path}`, { as: null })).status).toBe(200);
    expect(await callApi(`/v1/users/${path}`, { method: "DELETE" })).toMatchObject({
      status: 200,
      body: { erased: true, rankings: 2, aside: 0, bans: 0 },
    });
    expect((await callApi(`/v1/boards/main/users/${path}`, { as: null })).status).toBe(404);
    expect((await callApi(`/v1/users/${path}`)).body).toMatchObject({
      user,
      scores: [],
      erasedAt: expect.any(Number),
    });
  });
});
