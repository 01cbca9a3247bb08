import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { BoardRetention } from "../../../src/config/board-retention";
import type { Boards } from "../../../src/room/api/board";
import { sweepBoards } from "../../../src/services/boards/store/retention";
import { putSeason } from "../../../src/services/boards/store/seasons";
import worker from "../../../src/worker/index";
import { AT, CountedDatabase, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

const DAY = 86_400_000;
const keep: BoardRetention = { day: 10 * DAY, week: 20 * DAY, season: 30 * DAY, room: 15 * DAY };
const boards: Boards = { kept: { combine: "sum", periods: ["all", "day", "week", "season"] } };
const names = async () =>
  (
    await env.DB.prepare("select board || ' ' || period as name from rankings order by 1").all<{
      name: string;
    }>()
  ).results.map(({ name }) => name);
const count = async (table: string) =>
  (await env.DB.prepare(`select count(*) as n from ${table}`).first<number>("n")) ?? 0;

beforeEach(async () => {
  const tables = ["scores", "spans", "rankings", "seasons", "players"];
  await env.DB.batch(tables.map((table) => env.DB.prepare(`delete from ${table}`)));
});

describe("[Z7] retention", () => {
  it("days, weeks and seasons go after their end, a room's own board after its last points, `all` never", async () => {
    await putSeason(env.DB, { board: "kept", season: "cup", opensAt: AT, closesAt: AT + DAY }, AT);
    const room = new ScoringRoom(boards, { room: "hall" });
    await room.apply([entry("kept", "ann", 5)]);
    const all = ["all", "day:2026-11-20", "season:cup", "week:2026-11-16"];
    const both = [...all.map((period) => `kept ${period}`), ...all.map((period) => `kept:hall ${period}`)];
    expect(await names()).toEqual(both.sort());
    const left = async (days: number) => {
      await sweepBoards(env.DB, keep, AT + days * DAY, 20);
      return (await names()).filter((name) => !name.startsWith("kept:"));
    };
    expect(await left(9)).toEqual(all.map((period) => `kept ${period}`));
    expect(await names(), "and the room's own").toHaveLength(8);
    expect(await left(12)).toEqual(["kept all", "kept season:cup", "kept week:2026-11-16"]);
    expect(await names()).toContain("kept:hall all");
    expect(await left(16)).toEqual(["kept all", "kept season:cup", "kept week:2026-11-16"]);
    expect(await names()).not.toContain("kept:hall all");
    expect(await left(32)).toEqual(["kept all"]);
    expect(await count("seasons")).toBe(0);
    expect((await readRanking("kept"))[0]).toMatchObject({ user: "ann", points: 5 });
    expect([await count("scores"), await count("rankings")]).toEqual([1, 1]);
    expect(await findWrongSpans()).toEqual([]);
  });

  it("[Z8] the ids of corrections go after 90 days", async () => {
    const statement = env.DB.prepare(
      "insert into correction_requests (by, id, print, at, after, up_to) values (?1, ?2, '', ?3, 0, 0)",
    );
    await env.DB.batch([statement.bind("ada", "old", AT), statement.bind("ada", "new", AT + DAY)]);
    await sweepBoards(env.DB, keep, AT + 90 * DAY + 1, 20);
    const { results } = await env.DB.prepare("select id from correction_requests").all();
    expect(results).toEqual([{ id: "new" }]);
    await env.DB.prepare("delete from correction_requests").run();
  });

  it("a sweep with nothing to delete writes nothing, and a retention of 0 keeps boards for ever", async () => {
    const room = new ScoringRoom(boards);
    await room.apply([entry("kept", "ann", 5)]);
    const before = await names();
    const counted = new CountedDatabase();
    const never: BoardRetention = { day: null, week: null, season: null, room: null };
    await sweepBoards(counted.db, never, AT + 10_000 * DAY, 20);
    await sweepBoards(counted.db, keep, AT, 20);
    expect(counted.rowsWritten).toBe(0);
    expect(await names()).toEqual(before);
  });

  it("an expired board is unreadable at once and deleted in pieces, while late points begin a new one", async () => {
    const room = new ScoringRoom({ large: { combine: "sum", periods: ["day"], feeds: "kind" } });
    const players = Array.from({ length: 7_000 }, (_, at) =>
      entry("large", `user-${at}`, 1 + at, { seq: at }),
    );
    await room.apply(players);
    const now = AT + 30 * DAY;
    expect(await sweepBoards(env.DB, keep, now, 1)).toMatchObject({
      rankings: 1,
      scores: 5_000,
      isDone: false,
    });
    expect(await readRanking("large", "day:2026-11-20")).toEqual([]);
    await room.apply([entry("large", "late", 3)]);
    expect(await readRanking("large", "day:2026-11-20")).toHaveLength(1);
    expect(await sweepBoards(env.DB, keep, AT, 5)).toMatchObject({ scores: 2_000, isDone: true });
    expect(await readRanking("large", "day:2026-11-20")).toHaveLength(1);
    expect([await count("scores"), await count("rankings")]).toEqual([1, 1]);
    expect(await findWrongSpans()).toEqual([]);
    await sweepBoards(env.DB, keep, now, 5);
    expect([await count("scores"), await count("spans"), await count("rankings")]).toEqual([0, 0, 0]);
  });

  it("the worker's cron trigger deletes expired boards by BOARD_RETENTION", async () => {
    const old = Date.now() - 100 * DAY;
    const room = new ScoringRoom({ main: { combine: "sum", periods: ["all", "day"], feeds: "kind" } });
    await room.apply([entry("main", "ann", 5, { lastAt: old, firstAt: old })], old);
    expect(await names()).toHaveLength(2);
    await worker.scheduled(createScheduledController(), { ...env, BOARD_RETENTION: "day=101" });
    expect(await names()).toHaveLength(2);
    await worker.scheduled(createScheduledController(), { ...env });
    expect(await names()).toEqual(["main all"]);
  });

  it("the sweep deletes notes of erased users once none of their points can be in flight", async () => {
    await env.DB.prepare("insert into players values ('gone', '', 0, ?1), ('back', 'Back', 0, ?1)")
      .bind(AT)
      .run();
    await sweepBoards(env.DB, keep, AT + 89 * DAY, 1);
    expect(await count("players")).toBe(2);
    await sweepBoards(env.DB, keep, AT + 91 * DAY, 1);
    expect(await count("players")).toBe(1);
  });
});
