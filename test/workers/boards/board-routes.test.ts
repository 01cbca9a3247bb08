import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rejectHttp } from "../../../src/edge/http/http-rejection";
import { invalidateFedBoards } from "../../../src/services/boards/ingest/database-sink";
import { boardRoutes } from "../../../src/services/boards/routes/board-routes";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";
import { AT, CountedDatabase, entry, ScoringRoom } from "./database";

// Its own name a test: what is cached is the whole instance's.
let boards = 0;
beforeEach(() => {
  boards += 1;
  vi.useFakeTimers({ toFake: ["Date"], now: AT });
});
afterEach(() => {
  vi.useRealTimers();
});

function openBoardApp() {
  const board = `board-${boards}`;
  const declared = { [board]: { combine: "sum", periods: ["all", "day", "week", "season"] } } as const;
  const book = createBoardRegistry([{ name: "main", boards: declared }]);
  const counted = new CountedDatabase();
  const room = new ScoringRoom(declared);
  /** Reads of each rule that one address may have. */
  const left = { read: Number.POSITIVE_INFINITY, readMiss: Number.POSITIVE_INFINITY, live: 0 };
  const app = new Hono().route(
    "/v1/boards",
    boardRoutes(book, async (_, rule) => {
      left[rule] -= 1;
      return left[rule] < 0 ? rejectHttp(429, "rate_limited", `Too many (${rule}).`) : undefined;
    }),
  );
  return {
    board,
    left,
    counted,
    room,
    async get(path: string, headers: Record<string, string> = {}) {
      const ctx = createExecutionContext();
      const request = new Request(`http://tallyroom/v1/boards/${path}`.replace(/\/$/, ""), { headers });
      const response = await app.fetch(request, { ...env, DB: counted.db }, ctx);
      await waitOnExecutionContext(ctx);
      return response;
    },
    /** As where the batch is applied. */
    async award(user: string, points: number) {
      const batch = room.nextBatch([entry(board, user, points, { firstAt: Date.now(), lastAt: Date.now() })]);
      await room.send(batch, Date.now());
      await invalidateFedBoards(book, batch);
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const readCacheStatus = (response: Response) =>
  response.headers.get("Cache-Status")?.split(";").slice(0, 2).join(";");

describe("GET /v1/boards/<board>", () => {
  it("[C1] [C3] tells the top, ranked, and pages on", async () => {
    const { board, get, award } = openBoardApp();
    for (const [user, points] of [
      ["ann", 5],
      ["bob", 9],
      ["cat", 7],
    ] as const)
      await award(user, points);
    const first = await get(`${board}?limit=2`);
    expect(first.status).toBe(200);
    const page = await first.json<{ cursor: string }>();
    expect(page).toMatchObject({
      board,
      period: "all",
      version: 3,
      updatedAt: AT,
      entries: [
        { rank: 1, user: "bob", name: "bob", points: 9 },
        { rank: 2, user: "cat", name: "cat", points: 7 },
      ],
    });
    const next = await (await get(`${board}?limit=2&cursor=${page.cursor}`)).json<{ cursor?: string }>();
    expect(next).toMatchObject({ entries: [{ rank: 3, user: "ann", points: 5 }] });
    expect(next.cursor).toBeUndefined();
    expect(await (await get(`${board}?period=day`)).json()).toMatchObject({ period: "day:2026-11-20" });
    expect(await (await get(`${board}?period=day:2026-11-19`)).json()).toMatchObject({
      entries: [],
      version: 0,
    });
  });

  it("is a miss once, then a hit for every limit, and new at once where a batch was applied", async () => {
    const { board, get, award, counted } = openBoardApp();
    await award("ann", 5);
    expect(readCacheStatus(await get(board))).toBe("tallyroom; fwd=miss");
    for (const limit of [1, 7, 100])
      expect(readCacheStatus(await get(`${board}?limit=${limit}`))).toBe("tallyroom; hit");
    expect(counted.callCount).toBe(1);
    await award("ann", 1);
    const anew = await get(board);
    expect([readCacheStatus(anew), await anew.json()]).toMatchObject([
      "tallyroom; fwd=miss",
      { entries: [{ user: "ann", points: 6 }] },
    ]);
    expect(readCacheStatus(await get(board))).toBe("tallyroom; hit");
    expect(counted.callCount).toBe(2);
  });

  it("makes one query of 1,000 readers who come at once", async () => {
    const { board, get, award, counted } = openBoardApp();
    await award("ann", 5);
    const all = await Promise.all(Array.from({ length: 1_000 }, () => get(board)));
    expect(counted.callCount).toBe(1);
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
    expect(all.filter((one) => one.headers.get("Cache-Status")?.includes("collapsed"))).toHaveLength(999);
  }, 60_000);

  it("makes one query a change and period of 20,000 reads amid steady awards, and 95 of 100 are hits", async () => {
    vi.useRealTimers();
    const { board, get, award, counted } = openBoardApp();
    const paths = [board, `${board}?period=day&limit=10`];
    await award("ann", 1);
    for (const path of paths) await get(path);
    const READERS = 16;
    const READS = 20_000;
    let [awards, hits, isOver] = [0, 0, false];
    const queries = { calls: 0, before: counted.callCount };
    const steady = (async () => {
      for (; !isOver; awards += 1) {
        await award(`user-${awards % 50}`, 1);
        await pause(50);
      }
    })();
    await Promise.all(
      Array.from({ length: READERS }, async (_, reader) => {
        for (let at = 0; at < READS / READERS; at += 1) {
          const response = await get(paths[(reader + at) % paths.length] ?? board);
          if (response.headers.get("Cache-Status")?.startsWith("tallyroom; hit")) hits += 1;
          await response.arrayBuffer();
          // Nobody but the readers would come to their turn.
          if (at % 5 === 0) await pause(1);
        }
      }),
    );
    isOver = true;
    await steady;
    queries.calls = counted.callCount - queries.before;
    console.log(
      `${READS} reads of two periods amid ${awards} awards: ${queries.calls} queries, ${((hits / READS) * 100).toFixed(2)} % hits`,
    );
    expect(awards).toBeGreaterThan(5);
    expect(queries.calls).toBeLessThanOrEqual(awards * paths.length);
    expect(hits / READS).toBeGreaterThanOrEqual(0.95);
    expect(await (await get(board)).json()).toMatchObject({ version: awards + 1 });
  }, 120_000);

  it("counts who has the database asked apart from who is answered from memory", async () => {
    const { board, get, award, counted, left } = openBoardApp();
    await award("ann", 5);
    left.readMiss = 2;
    expect((await get(board)).status).toBe(200);
    for (let time = 0; time < 9; time += 1) expect((await get(`${board}?limit=3`)).status).toBe(200);
    expect((await get(`${board}/users/ann`)).status).toBe(200);
    const refused = await get(`${board}/users/bob`);
    expect([refused.status, await refused.json()]).toMatchObject([429, { message: "Too many (readMiss)." }]);
    expect((await get(board)).status).toBe(200);
    expect(counted.callCount).toBe(2);
    left.read = 0;
    expect((await get(board)).status).toBe(429);
  });

  it("asks for seasons once in five minutes to tell the list of boards, and never tells a reset that has passed", async () => {
    const { board, get } = openBoardApp();
    const list = async (at: number) => {
      vi.setSystemTime(at);
      const response = await get("");
      const { boards } = await response.json<{
        boards: { board: string; periods: { nextReset?: number }[] }[];
      }>();
      return [readCacheStatus(response), boards.find((one) => one.board === board)?.periods[1]?.nextReset];
    };
    const midnight = Date.UTC(2026, 10, 21);
    expect(await list(midnight - 120_000)).toEqual(["tallyroom; fwd=miss", midnight]);
    expect(await list(midnight - 1)).toEqual(["tallyroom; hit", midnight]);
    expect(await list(midnight)).toEqual(["tallyroom; hit", midnight + 86_400_000]);
    expect(await list(midnight + 300_000)).toEqual(["tallyroom; fwd=miss", midnight + 86_400_000]);
  });

  it("[C5] answers 304 to who has it, and 200 once it has changed", async () => {
    const { board, get, award } = openBoardApp();
    await award("ann", 5);
    const tag = (await get(board)).headers.get("ETag") ?? "";
    const same = await get(board, { "If-None-Match": `"other", W/${tag}` });
    expect([same.status, await same.text()]).toEqual([304, ""]);
    await award("ann", 1);
    expect((await get(board, { "If-None-Match": tag })).status).toBe(200);
  });

  it("[C4] is never older than a minute: fetched anew from half of that, waited for past it", async () => {
    const { board, get, award, counted, room } = openBoardApp();
    await award("ann", 5);
    await get(board);
    vi.setSystemTime(AT + 29_999);
    expect((await get(board)).headers.get("Age")).toBe("29");
    expect(counted.callCount).toBe(1);
    // Applied elsewhere: nothing here is told.
    await room.apply([entry(board, "ann", 1)]);
    vi.setSystemTime(AT + 30_000);
    expect((await get(board)).headers.get("Age")).toBe("30");
    expect(counted.callCount).toBe(2);
    expect(await (await get(board)).json()).toMatchObject({ entries: [{ points: 6 }] });
    vi.setSystemTime(AT + 90_001);
    const late = await get(board);
    expect([readCacheStatus(late), late.headers.get("Age")]).toEqual(["tallyroom; fwd=miss", "0"]);
  });

  it("[C4] is told stale and marked while D1 is away; what was never read is 503, with a time to come back", async () => {
    const { board, get, award, counted } = openBoardApp();
    await award("ann", 5);
    await get(board);
    counted.before = () => {
      throw new Error("D1_ERROR: Network connection lost.");
    };
    await award("ann", 1);
    vi.setSystemTime(AT + 300_000);
    const stale = await get(board);
    expect(stale.status).toBe(200);
    expect(stale.headers.get("Cache-Status")).toContain("detail=database-away");
    expect(stale.headers.get("Age")).toBe("300");
    const never = await get(`${board}?period=week`);
    expect([never.status, never.headers.get("Retry-After")]).toEqual([503, "2"]);
    expect(await never.json()).toMatchObject({ code: "unavailable", retryAfterMs: 2_000 });
    counted.before = () => {};
    vi.setSystemTime(AT + 302_000);
    expect(await (await get(board)).json()).toMatchObject({ entries: [{ points: 6 }] });
  });
});

describe("GET /v1/boards/<board>/users", () => {
  it("[C2] tells a player's rank among how many, and who stands around; absent ones are kept too", async () => {
    const { board, get, award, counted } = openBoardApp();
    for (let at = 1; at <= 9; at += 1) await award(`user-${at}`, at);
    expect(await (await get(`${board}/users/user-5?around=1`)).json()).toMatchObject({
      rank: 5,
      of: 9,
      points: 5,
      around: [
        { rank: 4, user: "user-6" },
        { rank: 5, user: "user-5" },
        { rank: 6, user: "user-4" },
      ],
    });
    counted.reset();
    for (let time = 0; time < 3; time += 1) expect((await get(`${board}/users/nobody`)).status).toBe(404);
    expect(counted.callCount).toBe(1);
    expect(await (await get(`${board}/users?ids=user-9,nobody,user-1`)).json()).toMatchObject({
      users: [
        { user: "user-9", rank: 1, of: 9, points: 9 },
        { user: "user-1", rank: 9, of: 9, points: 1 },
      ],
    });
  });

  it("[C2] tells players whose ids hold commas, which a JSON array names", async () => {
    const { board, get, award } = openBoardApp();
    await award("fay, gil", 5);
    await award("hal", 3);
    const list = encodeURIComponent(JSON.stringify(["fay, gil", "hal"]));
    expect(await (await get(`${board}/users?list=${list}`)).json()).toMatchObject({
      users: [
        { user: "fay, gil", rank: 1 },
        { user: "hal", rank: 2 },
      ],
    });
    for (const wrong of [
      "[]",
      "{}",
      "[1]",
      "fay",
      '["\\ud800"]',
      JSON.stringify(Array.from({ length: 21 }, (_, at) => `u${at}`)),
    ]) {
      expect((await get(`${board}/users?list=${encodeURIComponent(wrong)}`)).status, wrong).toBe(400);
    }
    expect((await get(`${board}/users?list=${list}&ids=hal`)).status).toBe(400);
  });
});

describe("[C6] a wrong parameter", () => {
  it.each([
    ["limit=0", /limit: must be a whole number from 1 to 100/],
    ["limit=101", /limit: /],
    ["limit=1e1", /limit: /],
    ["limit=", /limit: /],
    ["limit=5&limit=6", /Parameter `limit` may be given only once/],
    ["period=year", /period: must be one of all, day/],
    ["period=day:2026-02-30", /period must be one of/],
    ["period=day:2026-11-21", /not still to come/],
    ["period=week:2026-11-17", /a Monday/],
    ["period=season:", /season:<name>/],
    ["period=season:NO", /season:<name>/],
    ["cursor=nonsense", /cursor must be one/],
    ["cursor=", /cursor: must be one/],
    ["sort=up", /Unknown parameter `sort`. Allowed: period, limit, cursor\./],
    ["__proto__=1", /__proto__/],
  ])("?%s is 400 with a sentence, and asks the database nothing", async (query, sentence) => {
    const { board, get, counted } = openBoardApp();
    const response = await get(`${board}?${query}`);
    const body = await response.json<{ code: string; message: string }>();
    expect([response.status, body.code]).toEqual([400, "bad_data"]);
    expect(body.message).toMatch(sentence);
    expect(counted.callCount).toBe(0);
  });

  it.each(["users?ids=", "users", "users/ann?around=26", "users/ann?limit=5", "users/%00"])(
    "%s is 400",
    async (path) => {
      const { board, get } = openBoardApp();
      expect((await get(`${board}/${path}`)).status).toBe(400);
    },
  );

  it("as a board that nobody declares is 404, and as a name that is none 400", async () => {
    const { board, get, counted } = openBoardApp();
    expect((await get("nothing")).status).toBe(404);
    for (const name of [`${board}:`, `${board}:a:b`, `${board}:..`, `${board}%3Ax%2Fy`, "MAIN"]) {
      expect((await get(name)).status).toBe(400);
    }
    expect(counted.callCount).toBe(0);
  });
});
