import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { QUARTER_MS } from "../../../src/protocol/batch";
import type { Boards } from "../../../src/room/api/board";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";
import { endSeason, listSeasons, putSeason } from "../../../src/services/boards/store/seasons";
import { createApp } from "../../../src/worker/app";
import { mintToken } from "../socket-client";
import { AT, entry, readRanking, ScoringRoom } from "./database";

const HOUR = 4 * QUARTER_MS;
const declared: Boards = { cup: { combine: "sum", periods: ["all", "season"] }, plain: { combine: "sum" } };
const seasonsOf = async (board: string) => (await listSeasons(env.DB, board)).map(({ season }) => season);

describe("[Z1] a season", () => {
  it("opens and closes between quarters of an hour that are still to come", async () => {
    const put = (opensAt: number, closesAt: number, now = AT, season = "edges") =>
      putSeason(env.DB, { board: "edges", season, opensAt, closesAt }, now);
    expect(await put(AT + 1, AT + HOUR)).toMatchObject({
      ok: false,
      why: "bad",
      message: expect.stringMatching(/opensAt/),
    });
    expect(await put(AT - QUARTER_MS, AT + HOUR)).toMatchObject({
      ok: false,
      why: "bad",
      message: expect.stringMatching(/still to come/),
    });
    expect(await put(AT + HOUR, AT + HOUR)).toMatchObject({
      ok: false,
      why: "bad",
      message: expect.stringMatching(/later than opensAt/),
    });
    expect(await put(AT + HOUR, AT + 2 * HOUR)).toMatchObject({ ok: true });
    // Before it opens both edges move; once it is open the first stands, and once it is over both do.
    expect(await put(AT, AT + 3 * HOUR)).toMatchObject({ ok: true });
    expect(await put(AT + HOUR, AT + 3 * HOUR, AT + 1)).toMatchObject({ ok: false, why: "conflict" });
    expect(await put(AT, AT + 2 * HOUR, AT + 1)).toMatchObject({ ok: true });
    expect(await put(AT, AT + QUARTER_MS, AT + QUARTER_MS + 1)).toMatchObject({ ok: false, why: "bad" });
    expect(await put(AT, AT + 4 * HOUR, AT + 2 * HOUR + 1)).toMatchObject({ ok: false, why: "conflict" });
    expect(await put(AT, AT + 2 * HOUR, AT + 9 * HOUR), "as it is").toMatchObject({ ok: true });
  });

  it("is alone in its time, also when two are opened at once", async () => {
    const put = (season: string, from: number, to: number) =>
      putSeason(env.DB, { board: "alone", season, opensAt: AT + from * HOUR, closesAt: AT + to * HOUR }, AT);
    const both = await Promise.all([put("one", 1, 3), put("two", 2, 4)]);
    expect(both.filter(({ ok }) => ok)).toHaveLength(1);
    const [first] = await seasonsOf("alone");
    expect(await put("three", 3, 5)).toMatchObject(
      first === "one" ? { ok: true } : { ok: false, why: "conflict", message: expect.stringMatching(/two/) },
    );
    expect(await put("before", 0, 1)).toMatchObject({ ok: true });
  });

  it("ends early with its quarter of an hour; taken back before it opens; and is over once", async () => {
    await putSeason(env.DB, { board: "early", season: "now", opensAt: AT, closesAt: AT + 9 * HOUR }, AT);
    await putSeason(
      env.DB,
      { board: "early", season: "later", opensAt: AT + 9 * HOUR, closesAt: AT + 10 * HOUR },
      AT,
    );
    expect(await endSeason(env.DB, "early", "later", AT)).toMatchObject({ ok: true, isRemoved: true });
    expect(await endSeason(env.DB, "early", "now", AT + 1)).toMatchObject({
      ok: true,
      isRemoved: false,
      season: { closesAt: AT + QUARTER_MS },
    });
    expect(await endSeason(env.DB, "early", "now", AT + HOUR)).toMatchObject({ ok: false, why: "conflict" });
    expect(await endSeason(env.DB, "early", "never", AT)).toMatchObject({ ok: false, why: "unknown" });
    expect(await seasonsOf("early")).toEqual(["now"]);
  });

  it("takes points whose time lies in it, however late they come, and no others", async () => {
    const boards: Boards = { late: { combine: "sum", periods: ["all", "season"] } };
    const room = new ScoringRoom(boards);
    await putSeason(env.DB, { board: "late", season: "one", opensAt: AT, closesAt: AT + HOUR }, AT);
    await putSeason(
      env.DB,
      { board: "late", season: "two", opensAt: AT + HOUR, closesAt: AT + 2 * HOUR },
      AT,
    );
    const at = (ms: number, points: number) =>
      entry("late", "ann", points, { firstAt: AT + ms, lastAt: AT + ms, seq: points });
    // One batch over the edge, applied while the second is open.
    await room.apply([at(HOUR - 1, 1), at(HOUR, 2)], AT + HOUR + 5);
    await endSeason(env.DB, "late", "two", AT + HOUR + 5);
    // A room that was away for a week.
    await room.apply([at(0, 4), at(HOUR + QUARTER_MS - 1, 8), at(HOUR + QUARTER_MS, 16)], AT + 7 * 24 * HOUR);
    const points = async (season: string) => (await readRanking("late", `season:${season}`))[0]?.points;
    expect([await points("one"), await points("two")]).toEqual([1 + 4, 2 + 8]);
    expect((await readRanking("late"))[0]?.points).toBe(31);
  });
});

describe("seasons over HTTP", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: AT });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const app = createApp(new Set(["main"]), createBoardRegistry([{ name: "main", boards: declared }]));

  async function ask(path: string, role?: "host" | "admin", method = "GET", body?: object) {
    const rooms = role === "host" ? { rooms: ["*/*"] } : {};
    const headers: Record<string, string> = role
      ? { Authorization: `Bearer ${await mintToken({ user: "op", role, ...rooms })}` }
      : {};
    const ctx = createExecutionContext();
    const request = new Request(`http://tallyroom/v1/boards${path}`, {
      method,
      headers,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const response = await app.fetch(request, env, ctx);
    await waitOnExecutionContext(ctx);
    return { status: response.status, body: await response.json<Record<string, unknown>>() };
  }

  it("[Z1] [Z2] are an admin's to open and close, and told with their board and its next reset", async () => {
    const spring = { opensAt: AT, closesAt: AT + HOUR };
    for (const role of [undefined, "host"] as const) {
      expect((await ask("/cup/seasons/spring", role, "PUT", spring)).status).toBe(role ? 403 : 401);
      expect((await ask("/cup/seasons/spring", role, "DELETE")).status).toBe(role ? 403 : 401);
    }
    expect(await ask("/cup/seasons/spring", "admin", "PUT", spring)).toEqual({
      status: 200,
      body: { season: "spring", ...spring },
    });
    expect(await ask("/cup/seasons")).toEqual({
      status: 200,
      body: { board: "cup", seasons: [{ season: "spring", ...spring }] },
    });
    expect((await ask("")).body).toMatchObject({
      boards: [
        {
          board: "cup",
          order: "highest",
          periods: [{ period: "all" }, { period: "season", nextReset: spring.closesAt }],
          seasons: [{ season: "spring", ...spring }],
        },
        { board: "plain", periods: [{ period: "all" }] },
      ],
    });
    expect((await ask("/cup?period=season")).body).toMatchObject({ period: "season:spring", entries: [] });
    vi.setSystemTime(AT + HOUR);
    expect((await ask("/cup?period=season")).status).toBe(404);
    expect((await ask("/cup?period=season:spring")).body).toMatchObject({ period: "season:spring" });
    expect((await ask("/cup:hall?period=season:spring")).body).toMatchObject({ board: "cup:hall" });
    expect(await ask("/cup?period=season:autumn")).toMatchObject({
      status: 404,
      body: { message: expect.stringMatching(/no season/) },
    });
    expect((await ask("/cup/seasons/spring", "admin", "DELETE")).status).toBe(409);
  });

  it.each([
    ["/plain/seasons/x", {}, 404, /without seasons/],
    ["/nothing/seasons/x", {}, 404, /No kind/],
    ["/cup:hall/seasons/x", {}, 400, /board: must be/],
    ["/cup/seasons/X", {}, 400, /season: must be/],
    ["/cup/seasons/x", {}, 400, /opensAt/],
    ["/cup/seasons/x", { opensAt: 1.5, closesAt: 2 }, 400, /opensAt/],
    ["/cup/seasons/x", { opensAt: AT + HOUR, closesAt: AT + 2 * HOUR, more: 1 }, 400, /Unknown field `more`/],
    ["/cup/seasons/x", { opensAt: AT + HOUR, closesAt: AT + 1 }, 400, /closesAt must be a whole quarter/],
  ])("PUT %s %j is %i", async (path, body, status, message) => {
    expect(await ask(path, "admin", "PUT", body)).toMatchObject({
      status,
      body: { message: expect.stringMatching(message) },
    });
  });
});
