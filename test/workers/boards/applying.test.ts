import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { QUARTER_MS } from "../../../src/protocol/batch";
import type { Boards } from "../../../src/room/api/board";
import { AT, CountedDatabase, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

const boards: Boards = { main: { combine: "sum", periods: ["all", "day", "week"] } };
const points = async (board: string, period?: string) =>
  Object.fromEntries((await readRanking(board, period)).map((row) => [row.user, row.points]));

describe("a batch", () => {
  it("[B4] [B5] a batch counts for the kind and for its room, in every period", async () => {
    const room = new ScoringRoom(boards);
    expect(await room.apply([entry("main", "ann", 5), entry("main", "bob", 7)])).toEqual({
      applied: true,
      refused: [],
    });
    await room.apply([entry("main", "ann", 3)]);
    for (const board of ["main", `main:${room.room.slice(5)}`]) {
      for (const period of ["all", "day:2026-11-20", "week:2026-11-16"]) {
        expect(await points(board, period)).toMatchObject({ ann: 8, bob: 7 });
      }
    }
    expect(await findWrongSpans()).toEqual([]);
  });

  it("[B2] a batch is applied once, however often it comes, and gets the same answer", async () => {
    const room = new ScoringRoom({ once: boards.main ?? { combine: "sum" } });
    const first = room.nextBatch([entry("once", "ann", 5)]);
    expect(await room.send(first)).toEqual({ applied: true, refused: [] });
    for (let time = 0; time < 3; time += 1) {
      expect(await room.send(first)).toEqual({ applied: false, reason: "duplicate", refused: [] });
    }
    expect(await points("once")).toEqual({ ann: 5 });
  });

  it("[B2] a batch out of order is refused as a whole, with the expected number", async () => {
    const room = new ScoringRoom({ turn: { combine: "sum" } });
    const [first, second, third] = [1, 2, 3].map((value) => room.nextBatch([entry("turn", "ann", value)]));
    if (!first || !second || !third) throw new Error("three batches");
    expect(await room.send(second)).toEqual({ applied: false, reason: "gap", expected: 1 });
    expect(await room.send(first)).toMatchObject({ applied: true });
    expect(await room.send(third)).toEqual({ applied: false, reason: "gap", expected: 2 });
    expect(await room.send(second)).toMatchObject({ applied: true });
    expect(await room.send(first)).toEqual({ applied: false, reason: "gap", expected: 3 });
    expect(await points("turn")).toEqual({ ann: 3 });
  });

  it("[B2] a batch from two senders at once is applied once", async () => {
    const room = new ScoringRoom({ race: { combine: "sum" } });
    const batch = room.nextBatch([entry("race", "ann", 5)]);
    const answers = await Promise.all([room.send(batch), room.send(batch), room.send(batch)]);
    expect(answers.filter(({ applied }) => applied)).toHaveLength(1);
    expect(await points("race")).toEqual({ ann: 5 });
  });

  it("[B8] a batch of a new room under the same name has another receipt: there is one per epoch", async () => {
    const name = { room: "again" };
    const first = new ScoringRoom({ life: { combine: "sum" } }, { ...name, epoch: "one" });
    const second = new ScoringRoom({ life: { combine: "sum" } }, { ...name, epoch: "two" });
    await first.apply([entry("life", "ann", 1)]);
    await first.apply([entry("life", "ann", 2)]);
    const last = first.nextBatch([], { closing: true });
    await first.send(last);
    await second.apply([entry("life", "ann", 4)]);
    expect(await first.send(last)).toMatchObject({ applied: false, reason: "duplicate" });
    expect(await points("life")).toEqual({ ann: 7 });
    const receipts = () =>
      env.DB.prepare("select epoch, n, closed_at from receipts where room = 'main/again' order by epoch")
        .raw()
        .then((rows) => rows);
    expect(await receipts()).toEqual([
      ["one", 3, AT],
      ["two", 1, null],
    ]);
    await second.apply([entry("life", "ann", 8)], AT + 86_400_001);
    expect(await receipts()).toEqual([["two", 2, null]]);
  });

  it("a batch whose answer is lost before or after the commit is written once", async () => {
    const counted = new CountedDatabase();
    const room = new ScoringRoom({ lossy: { combine: "sum" } }, { db: counted.db });
    const batch = room.nextBatch([entry("lossy", "ann", 5)]);
    counted.before = () => {
      throw new Error("D1_ERROR: Network connection lost.");
    };
    await expect(room.send(batch)).rejects.toThrow("Network connection lost");
    expect(await points("lossy")).toEqual({});
    counted.before = () => {};
    counted.after = () => {
      throw new Error("D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.");
    };
    await expect(room.send(batch)).rejects.toThrow("exceeded timeout");
    counted.after = () => {};
    expect(await room.send(batch)).toEqual({ applied: false, reason: "duplicate", refused: [] });
    expect(await points("lossy")).toEqual({ ann: 5 });
  });
});

describe("[B3] the banned", () => {
  const ban = (scope: string, user: string, untilMs: number | null = null) =>
    env.DB.prepare("insert into bans (scope, user, by, at, until_ms) values (?1, ?2, 'admin', 0, ?3)")
      .bind(scope, user, untilMs)
      .run();

  it("banned players get nothing, the others do, and every answer names the same ones later", async () => {
    const room = new ScoringRoom({ banned: { combine: "sum" } });
    await ban("everywhere", "mallory");
    await ban(room.room, "eve");
    await ban("main/elsewhere", "ann");
    await ban("everywhere", "bob", AT);
    const batch = room.nextBatch(["ann", "bob", "eve", "mallory"].map((user) => entry("banned", user, 1)));
    const first = await room.send(batch);
    expect(first).toEqual({ applied: true, refused: ["eve", "mallory"] });
    expect(await points("banned")).toEqual({ ann: 1, bob: 1 });
    await env.DB.prepare("delete from bans where user = 'mallory'").run();
    await ban("everywhere", "zoe");
    expect(await room.send(batch)).toEqual({
      applied: false,
      reason: "duplicate",
      refused: ["eve", "mallory"],
    });
    expect(await points("banned")).toEqual({ ann: 1, bob: 1 });
    expect(await findWrongSpans()).toEqual([]);
  });
});

describe("[B5] a board that is not theirs", () => {
  const aside = async (room: string) =>
    (await env.DB.prepare("select entry, reason from set_aside where room = ?1").bind(room).all()).results;

  it("a board takes nothing from a room of another kind, nor from a room that names another room's board", async () => {
    const room = new ScoringRoom({ mine: { combine: "sum" } }, { kind: "main" });
    await new ScoringRoom({ theirs: { combine: "sum" } }, { kind: "quiz", room: "hall" }).apply([
      entry("theirs", "ann", 1),
    ]);
    await room.apply([
      entry("theirs", "eve", 100),
      entry("theirs:hall", "eve", 100),
      entry("mine", "eve", 1),
    ]);
    expect(await points("theirs")).toEqual({ ann: 1 });
    expect(await points("theirs:hall")).toEqual({ ann: 1 });
    expect(await points("mine")).toEqual({ eve: 1 });
    expect((await aside(room.room)).map(({ reason }) => reason)).toEqual([
      'Rooms of the kind "main" feed no board "theirs".',
      'Rooms of the kind "main" feed no board "theirs:hall".',
    ]);
  });

  it("a kind's board takes nothing from a guest's room, and that room's own board does", async () => {
    const room = new ScoringRoom(
      { open: { combine: "sum" }, shut: { combine: "sum", feeds: "kind" } },
      { ownOnly: true },
    );
    expect(await room.apply([entry("open", "gus", 1), entry("shut", "gus", 1)])).toMatchObject({
      applied: true,
    });
    expect(await points("open")).toEqual({});
    expect(await points("shut")).toEqual({});
    expect(await points(`open:${room.room.slice(5)}`)).toEqual({ gus: 1 });
  });
});

describe("[B6] points", () => {
  it("a best game keeps both of its columns, and equals rank by who came first", async () => {
    const room = new ScoringRoom({ best: { combine: "best", tie: "lowest" } });
    const at = (ms: number) => ({ firstAt: AT + ms, lastAt: AT + ms });
    await room.apply([
      entry("best", "ann", 10, { tie: 50, ...at(5) }),
      entry("best", "bob", 10, { tie: 50, ...at(3) }),
      entry("best", "cat", 10, { tie: 40, ...at(9) }),
    ]);
    await room.apply([
      entry("best", "ann", 9, { tie: 1, ...at(20) }),
      entry("best", "bob", 10, { tie: 60, ...at(20) }),
      entry("best", "cat", 10, { tie: 40, ...at(20) }),
    ]);
    expect(
      (await readRanking("best", "all", -1, 1)).map((row) => [
        row.user,
        row.points,
        row.tie,
        row.reachedAt - AT,
      ]),
    ).toEqual([
      ["cat", 10, 40, 9],
      ["bob", 10, 50, 3],
      ["ann", 10, 50, 5],
    ]);
  });

  it("an award of nothing changes no rank and adds no player to a board", async () => {
    const room = new ScoringRoom({ zero: { combine: "sum" } });
    await room.apply([entry("zero", "ann", 5), entry("zero", "bob", 5, { seq: 2 })]);
    const before = await readRanking("zero");
    await room.apply([
      entry("zero", "ann", 0, { firstAt: AT + 9, lastAt: AT + 9, seq: 9 }),
      entry("zero", "cat", 0, { firstAt: AT + 9, lastAt: AT + 9, seq: 9 }),
    ]);
    expect(await readRanking("zero")).toEqual(before);
    expect(before.map(({ user }) => user)).toEqual(["ann", "bob"]);
  });

  it("a player gains no more in a day than the board's maximum, and points count again after a loss", async () => {
    const room = new ScoringRoom({ daily: { combine: "sum", periods: ["all", "day"], maxPerDay: 10 } });
    const tomorrow = { firstAt: AT + 12 * 3_600_000, lastAt: AT + 12 * 3_600_000 };
    await room.apply([entry("daily", "ann", 8), entry("daily", "ann", 8, tomorrow)]);
    await room.apply([entry("daily", "ann", 8, { lastAt: AT + 1, firstAt: AT }), entry("daily", "bob", 99)]);
    expect(await points("daily")).toEqual({ ann: 18, bob: 10 });
    expect(await points("daily", "day:2026-11-20")).toEqual({ ann: 10, bob: 10 });
    await room.apply([entry("daily", "ann", -4, { lastAt: AT + 2, firstAt: AT })]);
    await room.apply([entry("daily", "ann", 3, { lastAt: AT + 3, firstAt: AT })]);
    expect(await points("daily", "day:2026-11-20")).toEqual({ ann: 9, bob: 10 });
    expect(await points("daily")).toEqual({ ann: 17, bob: 10 });
  });

  it("the points of a batch that spans midnight count by their time, in zones off by a quarter of an hour too", async () => {
    const zones: Boards = {
      utc: { combine: "sum", periods: ["day", "week"] },
      kathmandu: { combine: "sum", periods: ["day"], timeZone: "Asia/Kathmandu" },
      "new-york": { combine: "sum", periods: ["day"], timeZone: "America/New_York" },
    };
    const room = new ScoringRoom(zones);
    const sunday = Date.UTC(2026, 10, 22, 23, 59, 59, 999);
    // 00:00 in Kathmandu is 18:15 UTC.
    const kathmandu = Date.UTC(2026, 10, 22, 18, 15);
    const times = [sunday, sunday + 1, kathmandu - 1, kathmandu];
    await room.apply(
      Object.keys(zones).flatMap((board) =>
        times.map((at, bit) => entry(board, "ann", 2 ** bit, { firstAt: at, lastAt: at, seq: bit })),
      ),
    );
    expect(await points("utc", "day:2026-11-22")).toEqual({ ann: 1 + 4 + 8 });
    expect(await points("utc", "day:2026-11-23")).toEqual({ ann: 2 });
    expect(await points("utc", "week:2026-11-16")).toEqual({ ann: 1 + 4 + 8 });
    expect(await points("utc", "week:2026-11-23")).toEqual({ ann: 2 });
    expect(await points("kathmandu", "day:2026-11-22")).toEqual({ ann: 4 });
    expect(await points("kathmandu", "day:2026-11-23")).toEqual({ ann: 1 + 2 + 8 });
    expect(await points("new-york", "day:2026-11-22")).toEqual({ ann: 1 + 2 + 4 + 8 });
  });

  it("points count for a season while it is open, and for the room's own board too", async () => {
    const opensAt = AT;
    const closesAt = AT + QUARTER_MS;
    await env.DB.prepare("insert into seasons values ('cup', 'one', ?1, ?2)").bind(opensAt, closesAt).run();
    const room = new ScoringRoom({ cup: { combine: "sum", periods: ["all", "season"] } });
    const at = (time: number, points: number) => entry("cup", "ann", points, { firstAt: time, lastAt: time });
    await room.apply([at(opensAt - 1, 1), at(opensAt, 2), at(closesAt - 1, 4), at(closesAt, 8)]);
    expect(await points("cup", "season:one")).toEqual({ ann: 6 });
    expect(await points(`cup:${room.room.slice(5)}`, "season:one")).toEqual({ ann: 6 });
    expect(await points("cup")).toEqual({ ann: 15 });
  });
});

describe("a player", () => {
  it("a renamed player has the newest name, also when an older batch comes late", async () => {
    const board: Boards = { names: { combine: "best" } };
    const [here, there] = [new ScoringRoom(board), new ScoringRoom(board)];
    const named = (name: string, points: number, ms: number) =>
      entry("names", "ann", points, { name, firstAt: AT + ms, lastAt: AT + ms });
    await here.apply([named("Ann", 5, 10)]);
    await here.apply([named("Anna", 1, 30)]);
    expect((await readRanking("names")).map(({ name, points }) => [name, points])).toEqual([["Anna", 5]]);
    await there.apply([named("Annie", 9, 5)]);
    expect((await readRanking("names")).map(({ name, points }) => [name, points])).toEqual([["Anna", 9]]);
  });
});
