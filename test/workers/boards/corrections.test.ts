import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_POINTS } from "../../../src/protocol/limits";
import type { Board } from "../../../src/room/api/board";
import { correctionRoutes } from "../../../src/services/boards/routes/correction-routes";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";
import {
  applyCorrection,
  type CorrectionMove,
  listCorrections,
} from "../../../src/services/boards/store/corrections";
import { readStanding } from "../../../src/services/boards/store/read-board";
import { resolveBoard } from "../../../src/services/boards/store/resolve";
import { callApi } from "./call-api";
import { AT, CountedDatabase, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

async function correctBoard(
  name: string,
  board: Board,
  what: { user: string; move: CorrectionMove; periods?: string[]; on?: string },
  now = AT + 1_000,
) {
  const address = resolveBoard(
    createBoardRegistry([{ name: "main", boards: { [name]: board } }]),
    what.on ?? name,
  );
  if (!address) throw new Error("no such board");
  const { user, move, periods } = what;
  return applyCorrection(
    env.DB,
    { resolved: address, user, move, by: "ada", reason: "a typing error", ...(periods ? { periods } : {}) },
    now,
  );
}
const points = async (board: string, period = "all", turn = -1) =>
  Object.fromEntries((await readRanking(board, period, turn)).map((row) => [row.user, row.points]));
const version = (board: string) =>
  env.DB.prepare("select version from rankings where board = ?1 and period = 'all'")
    .bind(board)
    .first("version");

describe("[Z3] a correction", () => {
  it("a correction sets, adds and removes on the rankings that it names, and returns before and after", async () => {
    const board: Board = { combine: "sum", periods: ["all", "day"] };
    const room = new ScoringRoom({ mended: board });
    await room.apply([entry("mended", "ann", 50), entry("mended", "bob", 40)]);
    const before = await version("mended");
    expect(
      await correctBoard("mended", board, {
        user: "ann",
        move: { what: "set", points: 5 },
        periods: ["all"],
      }),
    ).toMatchObject({
      ok: true,
      corrections: [
        {
          board: "mended",
          period: "all",
          user: "ann",
          by: "ada",
          before: 50,
          after: 5,
          reason: "a typing error",
        },
      ],
    });
    expect(await version("mended")).toBe(Number(before) + 1);
    expect(await points("mended")).toEqual({ bob: 40, ann: 5 });
    expect(await points("mended", "day:2026-11-20")).toEqual({ ann: 50, bob: 40 });
    await correctBoard("mended", board, {
      user: "bob",
      move: { what: "add", points: -10 },
      periods: ["all", "day:2026-11-20"],
    });
    expect(await points("mended", "day:2026-11-20")).toEqual({ ann: 50, bob: 30 });
    expect(await points(`mended:${room.room.slice(5)}`), "another board").toEqual({ ann: 50, bob: 40 });
    const removed = await correctBoard("mended", board, { user: "ann", move: { what: "remove" } });
    expect(removed).toMatchObject({
      corrections: [
        { period: "all", before: 5, after: null },
        { period: "day:2026-11-20", before: 50, after: null },
      ],
    });
    expect(await points("mended")).toEqual({ bob: 30 });
    expect(await correctBoard("mended", board, { user: "ann", move: { what: "remove" } })).toEqual({
      ok: true,
      corrections: [],
    });
    expect(await findWrongSpans()).toEqual([]);
    const log = await listCorrections(env.DB, { user: "ann", limit: 10 });
    expect(log.map(({ period, before, after }) => [period, before, after])).toEqual([
      ["day:2026-11-20", 50, null],
      ["all", 5, null],
      ["all", 50, 5],
    ]);
  });

  it("a correction ignores a ban and the daily maximum, and later points count as usual", async () => {
    const board: Board = { combine: "sum", periods: ["all", "day"], maxPerDay: 10 };
    const room = new ScoringRoom({ past: board });
    await room.apply([entry("past", "eve", 10)]);
    await env.DB.prepare("insert into bans values ('everywhere', 'eve', null, 'x', 0, null, 'admin')").run();
    await correctBoard("past", board, { user: "eve", move: { what: "set", points: 100 }, periods: ["all"] });
    expect(await points("past")).toEqual({ eve: 100 });
    await env.DB.prepare("delete from bans where user = 'eve'").run();
    const later = { firstAt: AT + 86_400_000, lastAt: AT + 86_400_000 };
    await room.apply([entry("past", "eve", 3, later)]);
    expect(await points("past")).toEqual({ eve: 103 });
  });

  it("a correction without a tie leaves the tie, and follows the sort sign of a board where the fewest win", async () => {
    const board: Board = { combine: "best", order: "lowest", tie: "highest" };
    const room = new ScoringRoom({ laps: board });
    await room.apply([entry("laps", "ann", 61, { tie: 7 }), entry("laps", "bob", 60, { tie: 1 })]);
    await correctBoard("laps", board, { user: "ann", move: { what: "set", points: 60 }, periods: ["all"] });
    expect(
      (await readRanking("laps", "all", 1, -1)).map(({ user, points, tie }) => [user, points, tie]),
    ).toEqual([
      ["ann", 60, 7],
      ["bob", 60, 1],
    ]);
    await correctBoard("laps", board, {
      user: "bob",
      move: { what: "set", points: 59, tie: 9 },
      periods: ["all"],
    });
    expect((await readRanking("laps", "all", 1, -1))[0]).toMatchObject({ user: "bob", points: 59, tie: 9 });
    // A better game than the corrected one counts, a worse one does not.
    const game = (points: number, ms: number) =>
      entry("laps", "bob", points, { lastAt: AT + ms, firstAt: AT + ms });
    await room.apply([game(59.5 * 2, 2_000)]);
    await room.apply([game(58, 3_000)]);
    expect((await points("laps", "all", 1)).bob).toBe(58);
  });

  it("a correction that D1 cannot take changes nothing and says why, like one of a player who never scored", async () => {
    const board: Board = { combine: "sum" };
    const room = new ScoringRoom({ bounds: board });
    await room.apply([entry("bounds", "ann", MAX_POINTS)]);
    expect(
      await correctBoard("bounds", board, {
        user: "ann",
        move: { what: "add", points: 1 },
        periods: ["all"],
      }),
    ).toMatchObject({ ok: false, why: "refused", message: expect.stringMatching(/2\^53/) });
    expect(
      await correctBoard("bounds", board, {
        user: "nobody",
        move: { what: "set", points: 1 },
        periods: ["all"],
      }),
    ).toMatchObject({ ok: false, why: "unknown" });
    expect(await points("bounds")).toEqual({ ann: MAX_POINTS });
    expect(await listCorrections(env.DB, { board: "bounds", limit: 9 })).toEqual([]);
  });

  it("a correction that adds loses no award that comes at the same moment", async () => {
    const board: Board = { combine: "sum", feeds: "kind" };
    const rooms = Array.from({ length: 8 }, () => new ScoringRoom({ moment: board }));
    await rooms[0]?.apply([entry("moment", "ann", 1)]);
    await Promise.all([
      ...rooms.map((room) => room.apply([entry("moment", "ann", 1)])),
      ...[10, 20].map((add) =>
        correctBoard("moment", board, { user: "ann", move: { what: "add", points: add }, periods: ["all"] }),
      ),
    ]);
    expect(await points("moment")).toEqual({ ann: 1 + 8 + 30 });
    const log = await listCorrections(env.DB, { board: "moment", limit: 9 });
    expect(log.map(({ before, after }) => (after ?? 0) - (before ?? 0)).sort()).toEqual([10, 20]);
  });

  it("every span's count stays right while corrections set, add and remove among batches", async () => {
    let runs = 0;
    const step = fc.record({
      user: fc.integer({ min: 0, max: 7 }),
      what: fc.constantFrom("award", "set", "add", "remove"),
      points: fc.integer({ min: -3, max: 5 }).filter((value) => value !== 0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        runs += 1;
        const name = `any-${runs}`;
        const board: Board = { combine: "sum", feeds: "kind" };
        const room = new ScoringRoom({ [name]: board });
        const all = Array.from({ length: 8 }, (_, at) => entry(name, `u${at}`, 10 + at, { seq: at }));
        await room.apply(all);
        const model = new Map(all.map(({ user, points }) => [user, points]));
        for (const [at, { user, what, points }] of steps.entries()) {
          const who = `u${user}`;
          if (what === "award")
            await room.apply([entry(name, who, points, { lastAt: AT + at, firstAt: AT })]);
          else {
            const move: CorrectionMove = what === "remove" ? { what } : { what, points };
            await correctBoard(name, board, { user: who, move, periods: ["all"] });
          }
          if (what === "remove") model.delete(who);
          else model.set(who, (what === "set" ? 0 : (model.get(who) ?? 0)) + points);
        }
        expect(
          await readRanking(name).then((rows) => new Map(rows.map((row) => [row.user, row.points]))),
        ).toEqual(new Map([...model].sort((a, b) => b[1] - a[1])));
        const [last] = (await readRanking(name)).slice(-1);
        if (last) {
          const standing = await readStanding(
            env.DB,
            { board: name, period: "all", sign: -1 },
            last.user,
            1,
            AT,
          );
          expect(standing).toMatchObject({ rank: model.size, of: model.size });
        }
      }),
      { numRuns: 25 },
    );
    expect(await findWrongSpans()).toEqual([]);
  }, 60_000);

  it("corrections cost a batch nothing: only they have the statement that removes", async () => {
    const counted = new CountedDatabase();
    const room = new ScoringRoom({ free: { combine: "sum" } }, { db: counted.db });
    await room.apply([entry("free", "ann", 1)]);
    expect(counted.statementCount).toBe(13);
  });
});

describe("[Z8] a correction with an id", () => {
  const add = (board: string, id: string, points = 10) => ({
    ...{ board, periods: ["all"], user: "amy", reason: "a bonus" },
    ...{ id, add: points },
  });
  const correctAs = (user: string, body: unknown) =>
    callApi("/v1/corrections", { user, method: "POST", body });

  it("a correction is made once, however often it is sent, and gets the same answer", async () => {
    const room = new ScoringRoom({ main: { combine: "sum" } });
    await room.apply([entry("main", "amy", 50)]);
    const before = (await points("main")).amy ?? 0;
    const first = await correctAs("ada", add("main", "bonus-1"));
    expect(first).toMatchObject({ status: 200, body: { corrections: [{ after: before + 10 }] } });
    // Fields in another order are the same request.
    const again = Object.fromEntries(Object.entries(add("main", "bonus-1")).reverse());
    expect((await correctAs("ada", again)).body).toEqual(first.body);
    const crowd = await Promise.all(
      Array.from({ length: 6 }, () => correctAs("ada", add("main", "bonus-2"))),
    );
    for (const { body } of crowd) expect(body).toEqual(crowd[0]?.body);
    expect((await points("main")).amy).toBe(before + 20);
    // Ids are a caller's own.
    await correctAs("bea", add("main", "bonus-1"));
    expect((await points("main")).amy).toBe(before + 30);
    expect(await findWrongSpans()).toEqual([]);
  });

  it("an id that was used for something else is refused, and free again if nothing was done under it", async () => {
    const room = new ScoringRoom({ main: { combine: "sum" } });
    await room.apply([entry("main", "amy", 50)]);
    const before = (await points("main")).amy ?? 0;
    await correctAs("ada", add("main", "once"));
    expect(await correctAs("ada", add("main", "once", 11))).toMatchObject({
      status: 409,
      body: { code: "duplicate" },
    });
    // The CRC-32 of these two requests is the same.
    expect((await correctAs("ada", { ...add("main", "crc"), reason: "plumless" })).status).toBe(200);
    expect((await correctAs("ada", { ...add("main", "crc"), reason: "buckeroo" })).status).toBe(409);
    expect((await correctAs("ada", { ...add("main", "late"), user: "nobody" })).status).toBe(404);
    expect((await correctAs("ada", add("main", "late"))).status).toBe(200);
    expect((await points("main")).amy).toBe(before + 30);
    for (const id of ["", "x".repeat(65), 7])
      expect((await correctAs("ada", { ...add("main", "x"), id })).status).toBe(400);
  });

  it("a correction that changed nothing is remembered as well", async () => {
    const room = new ScoringRoom({ main: { combine: "sum" } });
    await room.apply([entry("main", "amy", 50), entry("main", "zed", 50)]);
    const remove = { board: "main", user: "zed", reason: "gone", remove: true };
    await correctAs("ada", { ...remove, id: "off-1" });
    expect((await correctAs("ada", { ...remove, id: "off-2" })).body).toEqual({ corrections: [] });
    await room.apply([entry("main", "zed", 1)]);
    expect((await correctAs("ada", { ...remove, id: "off-2" })).body).toEqual({ corrections: [] });
    expect(await points("main")).toHaveProperty("zed");
  });

  it("a correction may be sent again if the answer was lost, and the 503 says so", async () => {
    const board: Board = { combine: "sum" };
    const room = new ScoringRoom({ main: board });
    await room.apply([entry("main", "amy", 50)]);
    const before = (await points("main")).amy ?? 0;
    let isLost = true;
    const losing = new Proxy(env.DB, {
      get(db, what) {
        if (what !== "batch") return Reflect.get(db, what).bind(db);
        return async (statements: D1PreparedStatement[]) => {
          const results = await db.batch(statements);
          if (isLost) throw new Error("D1_ERROR: Network connection lost.");
          return results;
        };
      },
    });
    const app = correctionRoutes(
      async () => ({ ok: true, user: "ada" }),
      createBoardRegistry([{ name: "main", boards: { main: board } }]),
    );
    const post = async (body: object) => {
      const init = { method: "POST", body: JSON.stringify(body) };
      const response = await app.request("/", init, { ...env, DB: losing });
      return { status: response.status, body: await response.json<{ message: string }>() };
    };
    const answer = await post(add("main", "lost"));
    expect(answer).toMatchObject({ status: 503, body: { code: "unavailable", retryAfterMs: 5_000 } });
    expect(answer.body.message).toMatch(
      /may have been made, or not. Send the same request again, under the same id/,
    );
    const { id: _, ...without } = add("main", "none");
    expect((await post(without)).body.message).toMatch(
      /may have been made, or not. GET \/v1\/corrections tells/,
    );
    isLost = false;
    expect(await post(add("main", "lost"))).toMatchObject({
      status: 200,
      body: { corrections: [{ before, after: before + 10 }] },
    });
    expect((await points("main")).amy).toBe(before + 20);
  });

  it("a correction's id is forgotten with the admin who sent it", async () => {
    const room = new ScoringRoom({ main: { combine: "sum" } });
    await room.apply([entry("main", "amy", 50)]);
    await correctAs("cleo", add("main", "mine"));
    const count = () =>
      env.DB.prepare("select count(*) as n from correction_requests where by = 'cleo'").first("n");
    expect(await count()).toBe(1);
    await callApi("/v1/users/cleo", { method: "DELETE" });
    expect(await count()).toBe(0);
  });
});

describe("corrections over HTTP", () => {
  it("[Z3] [Z4] corrections need an admin and a reason, and are logged for admins", async () => {
    const room = new ScoringRoom({ main: { combine: "sum" } });
    await room.apply([entry("main", "ann", 50)]);
    const body = { board: "main", periods: ["all"], user: "ann", set: 7, reason: "counted twice" };
    for (const as of ["host", "player"] as const) {
      expect((await callApi("/v1/corrections", { as, method: "POST", body })).status).toBe(403);
      expect((await callApi("/v1/corrections", { as })).status).toBe(403);
    }
    expect((await callApi("/v1/corrections", { as: null, method: "POST", body })).status).toBe(401);
    expect((await callApi("/v1/boards/main/users/ann", { as: null })).body).toMatchObject({ points: 50 });
    expect(await callApi("/v1/corrections", { method: "POST", body })).toMatchObject({
      status: 200,
      body: { corrections: [{ by: "ada", before: 50, after: 7, reason: "counted twice" }] },
    });
    expect((await callApi("/v1/boards/main/users/ann", { as: null })).body, "at once").toMatchObject({
      points: 7,
    });
    for (const add of [1, 2, 3]) {
      await callApi("/v1/corrections", { method: "POST", body: { ...body, set: undefined, add } });
    }
    const first = await callApi<{ corrections: { after: number }[]; cursor: string }>(
      "/v1/corrections?limit=3&user=ann&board=main",
    );
    expect(first.body.corrections.map(({ after }) => after)).toEqual([13, 10, 8]);
    const next = await callApi(`/v1/corrections?limit=3&user=ann&board=main&cursor=${first.body.cursor}`);
    expect(next.body).toMatchObject({ corrections: [{ before: 50, after: 7 }] });
    expect(next.body.cursor).toBeUndefined();
  });

  const good = { board: "main", periods: ["all"], user: "ann", set: 7, reason: "why" };
  it.each([
    [{ ...good, reason: undefined }, 400, /reason/],
    [{ ...good, reason: "" }, 400, /reason/],
    [{ ...good, set: undefined }, 400, /one of set, add and remove/],
    [{ ...good, add: 1 }, 400, /one of set, add and remove/],
    [{ ...good, set: undefined, add: 0 }, 400, /add: must not be 0/],
    [{ ...good, set: 1.5 }, 400, /set/],
    [{ ...good, periods: undefined }, 400, /periods: must name/],
    [{ ...good, periods: ["season"] }, 400, /period must be one of all/],
    [{ ...good, periods: ["year"] }, 400, /periods.0: must be one of all/],
    [{ ...good, board: "nothing" }, 404, /board/],
    [{ ...good, user: "" }, 400, /user: must be a user id/],
    [{ ...good, user: "nobody" }, 404, /scored/],
    [{ ...good, tie: 1, set: undefined, remove: true }, 400, /tie: goes with set/],
    [{ ...good, more: 1 }, 400, /Unknown field `more`/],
  ])("POST %j is %i", async (body, status, message) => {
    expect(await callApi("/v1/corrections", { method: "POST", body })).toMatchObject({
      status,
      body: { message: expect.stringMatching(message) },
    });
  });
});
