import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { TokenClaims } from "../../../src/identity/token";
import type { BatchEntry } from "../../../src/protocol/batch";
import type { Boards } from "../../../src/room/api/board";
import { makeRoomName, mintToken, objectOf, SocketClient } from "../socket-client";
import { AT, CountedDatabase, entry, findWrongSpans, readRanking, ScoringRoom } from "./database";

const boards = (name: string): Boards => ({ [name]: { combine: "sum", periods: ["all", "day", "week"] } });
const PERIODS_AND_BOARDS = 3 * 2;

const players = (board: string, count: number, points = (at: number) => at + 1): BatchEntry[] =>
  Array.from({ length: count }, (_, at) => entry(board, `user-${at}`, points(at), { seq: at }));

interface Figures {
  calls: number;
  statements: number;
  read: number;
  written: number;
}

const figuresOf = ({
  callCount: calls,
  statementCount: statements,
  rowsRead: read,
  rowsWritten: written,
}: CountedDatabase): Figures => ({
  calls,
  statements,
  read,
  written,
});

function formatRow(what: string, { calls, statements, read, written }: Figures): string {
  const cells = [calls, statements, read, written].map((figure, at) =>
    `${figure}`.padStart([5, 12, 11, 14][at] ?? 0),
  );
  return what.padEnd(36) + cells.join("");
}

/** The calls that the worker's own rooms make to the database, from here on. */
function countRooms(): Figures {
  const figures = { calls: 0, statements: 0, read: 0, written: 0 };
  const batch = env.DB.batch.bind(env.DB);
  vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "batch").mockImplementation(
    async <T>(statements: D1PreparedStatement[]) => {
      const results = await batch<T>(statements);
      figures.calls += 1;
      figures.statements += statements.length;
      for (const { meta } of results) {
        figures.read += meta.rows_read;
        figures.written += meta.rows_written;
      }
      return results;
    },
  );
  return figures;
}

/** A real room, in which forty hosts (none faster than its limit) give so many awards within 5 s; and its alarm. */
async function playGame(awards: number, players: number): Promise<Figures> {
  const room = makeRoomName();
  const users = Array.from({ length: players }, (_, n) => `${room}-${n}`);
  const join = async (user: string, claims: Partial<TokenClaims> = {}) => {
    const client = await SocketClient.join(room, {
      token: await mintToken({ user, ...claims }),
      _pk: crypto.randomUUID(),
    });
    await client.waitForWelcome();
    return client;
  };
  await Promise.all(users.map((user) => join(user)));
  const hosts = await Promise.all(
    Array.from({ length: 40 }, (_, n) => join(`host-${n}`, { role: "host", rooms: [`main/${room}`] })),
  );
  const from = Date.now();
  for (let n = 0; n < awards; n += 1) {
    vi.setSystemTime(from + Math.floor((n * 4_900) / awards));
    hosts[n % 40]?.do(`${n}`, "scores", "award", { user: users[n % players], points: 1 });
    // Each at its time: the room handles every message before the clock goes on.
    if (n % 10 === 9) await scheduler.wait(0);
  }
  const countScored = () =>
    hosts[0]?.events.filter(({ n, by }) => n === "scored" && by?.startsWith("host-")).length;
  await vi.waitFor(() => expect(countScored()).toBe(awards), { timeout: 60_000 });
  const figures = countRooms();
  vi.setSystemTime(Date.now() + 5_000);
  expect(await runDurableObjectAlarm(objectOf(room))).toBe(true);
  await vi.waitFor(async () => {
    const rows = await readRanking(`main:${room}`);
    expect(rows.reduce((sum, { points }) => sum + points, 0)).toBe(awards);
  });
  vi.restoreAllMocks();
  return figures;
}

describe("what a batch costs", () => {
  it("a batch is one call and a fixed number of statements, with at most 4 rows written per player, board and period", async () => {
    const counted = new CountedDatabase();
    const one = new ScoringRoom(boards("one"), { db: counted.db });
    await one.apply(players("one", 1));
    const { callCount: calls, statementCount: statements } = counted;
    expect(calls).toBe(1);

    counted.reset();
    const room = new ScoringRoom(boards("hundred"), { db: counted.db });
    await room.apply(players("hundred", 100));
    const figures = [
      `100 new players: ${counted.callCount} call, ${counted.statementCount} statements, ${counted.rowsWritten} rows`,
    ];
    expect({ calls: counted.callCount, statements: counted.statementCount }).toEqual({
      calls: 1,
      statements,
    });
    expect(counted.rowsWritten).toBeLessThanOrEqual(4 * 100 * PERIODS_AND_BOARDS);

    counted.reset();
    await room.apply(players("hundred", 100, (at) => 200 - at));
    figures.push(
      `100 who move: ${counted.callCount} call, ${counted.statementCount} statements, ${counted.rowsWritten} rows`,
    );
    expect({ calls: counted.callCount, statements: counted.statementCount }).toEqual({
      calls: 1,
      statements,
    });
    expect(counted.rowsWritten).toBeLessThanOrEqual(4 * 100 * PERIODS_AND_BOARDS);

    console.log(figures.join("\n"));
  });

  it("[K1] 1,000 awards to 100 players within 5 s make the calls of one award, and a hundredth of the writes of single awards", async () => {
    // Ahead of the runtime's own clock: the test runs the alarms.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    const one = await playGame(1, 1);
    const thousand = await playGame(1_000, 100);
    vi.useRealTimers();

    const counted = new CountedDatabase();
    counted.reset();
    const direct = new ScoringRoom(boards("direct"), { db: counted.db });
    for (let award = 0; award < 1_000; award += 1) {
      await direct.apply([
        entry("direct", `user-${award % 100}`, 1, { lastAt: AT + award, firstAt: AT + award, seq: award }),
      ]);
    }
    const naive = figuresOf(counted);
    console.log(
      [
        "                                    calls  statements  rows read  rows written",
        formatRow("one award", one),
        formatRow("1,000 awards to 100 players in 5 s", thousand),
        formatRow("1,000 awards, a write each", naive),
      ].join("\n"),
    );
    expect(thousand.calls).toBe(1);
    expect(thousand.statements).toBe(one.statements);
    expect(thousand.calls).toBeLessThanOrEqual(naive.calls / 100);
    expect(thousand.statements).toBeLessThanOrEqual(naive.statements / 100);
    expect(thousand.written).toBeLessThanOrEqual(4 * 100 * PERIODS_AND_BOARDS);
    expect(thousand.read + thousand.written).toBeLessThan((naive.read + naive.written) / 4);
  }, 300_000);

  it("a batch for 10,000 players stays one call, and the counts stay right", async () => {
    const counted = new CountedDatabase();
    const room = new ScoringRoom(boards("crowd"), { db: counted.db });
    const long = "界".repeat(20);
    await room.apply(players("crowd", 10_000).map((one) => ({ ...one, name: long })));
    expect(counted.callCount).toBe(1);
    expect(counted.rowsWritten).toBeLessThanOrEqual(4 * 10_000 * PERIODS_AND_BOARDS);
    counted.reset();
    await room.apply(players("crowd", 10_000, (at) => (at % 7) - 3).filter(({ points }) => points !== 0));
    expect(counted.callCount).toBe(1);
    expect(counted.rowsWritten).toBeLessThanOrEqual(4 * 10_000 * PERIODS_AND_BOARDS);
    console.log(`10,000 who move: ${counted.rowsWritten} rows written, ${counted.rowsRead} read`);
    expect(await readRanking("crowd")).toHaveLength(10_000);
    expect(await findWrongSpans()).toEqual([]);
  }, 60_000);
});
