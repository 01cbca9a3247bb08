import { env, exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { MAX_POINTS } from "../../../src/protocol/limits";
import { EVERYWHERE, findBans } from "../../../src/services/bans/store";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";
import { type AreBanned, applyDeadLetter } from "../../../src/services/boards/store/dead-letters";
import { mintToken } from "../socket-client";
import { AT, CountedDatabase, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

interface DeadLetterRow {
  entry: string;
  reason: string;
}
const readDeadLetters = async (room: string) =>
  (
    await env.DB.prepare("select entry, reason from set_aside where room = ?1 order by id")
      .bind(room)
      .all<DeadLetterRow>()
  ).results;

const areBanned: AreBanned = async (users, room, now) =>
  (await findBans(env.DB, users, [EVERYWHERE, room], now)).length > 0;

const many = (board: string, count: number) =>
  Array.from({ length: count }, (_, at) =>
    entry(board, `user-${String(at).padStart(5, "0")}`, at + 1, { seq: at }),
  );

describe("[B7] a dead letter", () => {
  const boards = { mended: { combine: "sum" } } as const;
  const registry = createBoardRegistry([{ name: "main", boards }]);
  const idOf = async (room: string) =>
    (await env.DB.prepare("select id from set_aside where room = ?1").bind(room).first<number>("id")) ?? 0;
  const points = async () =>
    Object.fromEntries((await readRanking("mended")).map((row) => [row.user, row.points]));

  it("a corrected dead letter is written once, however often and by however many it is applied", async () => {
    const room = new ScoringRoom(boards);
    await room.apply([entry("mended", "ann", 1), { ...entry("mended", "bob", 1), points: 2.5 }]);
    const id = await idOf(room.room);
    const asItIs = await applyDeadLetter(env.DB, registry, id, undefined, AT, areBanned);
    expect(asItIs).toMatchObject({ ok: false, why: "refused", message: expect.stringContaining("points") });
    const corrected = entry("mended", "bob", 2);
    const results = await Promise.all(
      [1, 2, 3].map(() => applyDeadLetter(env.DB, registry, id, corrected, AT, areBanned)),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await applyDeadLetter(env.DB, registry, id, corrected, AT, areBanned)).toMatchObject({
      ok: false,
      why: "applied",
    });
    expect(await points()).toEqual({ ann: 1, bob: 2 });
    expect(await findWrongSpans()).toEqual([]);
  });

  it("a dead letter cannot be moved to a board that its room does not feed, nor applied for a banned player, and survives the attempt", async () => {
    const room = new ScoringRoom(boards);
    await room.apply([entry("other", "eve", 5)]);
    const id = await idOf(room.room);
    expect(await applyDeadLetter(env.DB, registry, id, undefined, AT, areBanned)).toMatchObject({
      ok: false,
      why: "refused",
    });
    await env.DB.prepare("insert into bans values ('everywhere', 'eve', null, 'x', 0, null, 'admin')").run();
    const corrected = entry("mended", "eve", 5);
    expect(await applyDeadLetter(env.DB, registry, id, corrected, AT, areBanned)).toMatchObject({
      ok: false,
      why: "refused",
    });
    await env.DB.prepare("delete from bans where user = 'eve'").run();
    expect(await applyDeadLetter(env.DB, registry, id, corrected, AT, areBanned)).toMatchObject({ ok: true });
    expect(await points()).toMatchObject({ eve: 5 });
    expect(await applyDeadLetter(env.DB, registry, 999_999, undefined, AT, areBanned)).toMatchObject({
      ok: false,
      why: "unknown",
    });
  });

  it("only an admin sees and applies dead letters", async () => {
    const room = new ScoringRoom(boards);
    await room.apply([{ nonsense: true }]);
    const id = await idOf(room.room);
    const ask = async (path: string, role?: "host" | "admin", init: RequestInit = {}) => {
      const rooms = role === "host" ? { rooms: ["*/*"] } : {};
      const headers = role
        ? { Authorization: `Bearer ${await mintToken({ user: "op", role, ...rooms })}` }
        : {};
      return exports.default.fetch(`http://tallyroom/v1/aside${path}`, { headers, ...init });
    };
    for (const path of ["", `/${id}`]) {
      expect((await ask(path)).status).toBe(401);
      expect((await ask(path, "host")).status).toBe(403);
      expect((await ask(path, "admin")).status).toBe(200);
    }
    expect(await (await ask(`/${id}`, "admin")).json()).toMatchObject({
      id,
      room: room.room,
      entry: { nonsense: true },
    });
    expect((await ask(`/${id}`, "admin", { method: "POST" })).status).toBe(422);
    expect((await ask("?curser=1", "admin")).status).toBe(400);
  });
});

describe("[B7] an entry that cannot be written", () => {
  const shapes: [string, (good: object) => unknown][] = [
    ["is half a point", (good) => ({ ...good, points: 1.5 })],
    ["is past what is exact", (good) => ({ ...good, points: MAX_POINTS + 1 })],
    ["has half of a character for a name", (good) => ({ ...good, name: "\ud800" })],
    ["has a user of nothing", (good) => ({ ...good, user: "" })],
    ["ends before it began", (good) => ({ ...good, firstAt: AT + 1, lastAt: AT })],
    ["spans a quarter of an hour's edge", (good) => ({ ...good, firstAt: AT - 1, lastAt: AT })],
    ["is after the year 9999", (good) => ({ ...good, firstAt: 1e15, lastAt: 1e15 })],
    ["is no object", () => "nonsense"],
    ["is null", () => null],
    ["has an unknown field", (good) => ({ ...good, more: 1 })],
  ];

  it.each(shapes)("an entry that %s becomes a dead letter alone, as it came", async (_, spoil) => {
    const room = new ScoringRoom({ shapes: { combine: "sum" } });
    const bad = spoil(entry("shapes", "eve", 1));
    expect(await room.apply([entry("shapes", room.room, 1), bad])).toMatchObject({ applied: true });
    const [kept, ...others] = await readDeadLetters(room.room);
    expect(others).toEqual([]);
    expect(kept?.entry).toBe(JSON.stringify(bad));
    expect(kept?.reason).toMatch(/\w+.*: /);
    expect((await readRanking("shapes")).map(({ user }) => user)).toContain(room.room);
    expect((await readRanking("shapes")).map(({ user }) => user)).not.toContain("eve");
  });

  it("one bad entry among 200 becomes a dead letter, 199 are written, and the room goes on", async () => {
    const room = new ScoringRoom({ poison: { combine: "sum", periods: ["all", "day"] } });
    await room.apply([entry("poison", "user-00077", MAX_POINTS)]);
    const batch = room.nextBatch(many("poison", 200));
    expect(await room.send(batch)).toEqual({ applied: true, refused: [] });
    expect(await room.send(batch)).toEqual({ applied: false, reason: "duplicate", refused: [] });
    const [poisoned, ...others] = await readDeadLetters(room.room);
    expect(others).toEqual([]);
    expect(JSON.parse(poisoned?.entry ?? "")).toMatchObject({ user: "user-00077", points: 78 });
    expect(poisoned?.reason).toContain("2^53");
    const rows = await readRanking("poison");
    expect(rows).toHaveLength(200);
    expect(rows[0]).toMatchObject({ user: "user-00077", points: MAX_POINTS });
    expect(rows.slice(1).map(({ points }) => points)).toEqual(
      Array.from({ length: 200 }, (_, at) => 200 - at).filter((value) => value !== 78),
    );
    expect(await room.apply([entry("poison", "user-00001", 1000)])).toMatchObject({ applied: true });
    expect(await findWrongSpans()).toEqual([]);
  });

  it("entries that fail only together are found as well, and no other becomes a dead letter", async () => {
    const room = new ScoringRoom({ both: { combine: "sum" } });
    const half = Math.ceil(MAX_POINTS / 2) + 1;
    const later = { firstAt: AT + 900_000, lastAt: AT + 900_000 };
    await room.apply([...many("both", 20), entry("both", "eve", half), entry("both", "eve", half, later)]);
    expect((await readDeadLetters(room.room)).map(({ entry }) => JSON.parse(entry).user)).toEqual(["eve"]);
    expect((await readRanking("both"))[0]).toMatchObject({ user: "eve", points: half });
    expect(await readRanking("both")).toHaveLength(21);
  });

  it("a failure of D1 itself makes no dead letter: the batch waits", async () => {
    const counted = new CountedDatabase();
    const room = new ScoringRoom({ fails: { combine: "sum" } }, { db: counted.db });
    for (const problem of [
      "D1_ERROR: no such table: scores: SQLITE_ERROR",
      "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
      "D1_ERROR: database is locked: SQLITE_BUSY",
      "D1_ERROR: CHECK constraint failed: spans_counted: SQLITE_CONSTRAINT",
    ]) {
      counted.before = () => {
        throw new Error(problem);
      };
      const batch = room.nextBatch(many("fails", 3));
      await expect(room.send(batch)).rejects.toThrow(problem);
      room.n -= 1;
    }
    expect(counted.callCount).toBe(0);
    expect(await readDeadLetters(room.room)).toEqual([]);
  });

  it("300 bad entries take a bounded amount of work", async () => {
    const counted = new CountedDatabase();
    const users = many("all-bad", 300);
    const fill = new ScoringRoom({ "all-bad": { combine: "sum" } });
    await fill.apply(users.map((one) => ({ ...one, points: MAX_POINTS })));
    const room = new ScoringRoom({ "all-bad": { combine: "sum" } }, { db: counted.db });
    expect(await room.apply(users)).toMatchObject({ applied: true });
    expect(await readDeadLetters(room.room)).toHaveLength(300);
    expect(counted.callCount).toBeLessThan(450);
  }, 60_000);
});
