import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeRoomName, mintToken, objectOf, requestRoom, SocketClient } from "./socket-client";

const MINUTE_MS = 60_000;

// Ahead of the runtime's own clock: the test runs the alarms.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * MINUTE_MS });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const batch = () => vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "batch");

/** The kind's board, by player. */
async function readTotals(room: string): Promise<Record<string, number>> {
  const { results } = await env.DB.prepare(
    "select user, -score as points from scores join rankings on id = ranking where board = ?1 and period = 'all'",
  )
    .bind(`main:${room}`)
    .all<{ user: string; points: number }>();
  return Object.fromEntries(results.map(({ user, points }) => [user, points]));
}

async function openHall(users: readonly string[]) {
  const room = makeRoomName();
  const visitors = await Promise.all(
    users.map(async (user) => {
      const claims = await mintToken({ user });
      const client = await SocketClient.join(room, { token: claims, _pk: crypto.randomUUID() });
      await client.waitForWelcome();
      return client;
    }),
  );
  const award = async (user: string) => {
    const { status } = await requestRoom(room, {
      method: "POST",
      headers: { Authorization: `Bearer ${await mintToken({ user: "ada", role: "admin" })}` },
      body: JSON.stringify({ id: crypto.randomUUID(), f: "scores", a: "award", d: { user, points: 1 } }),
    });
    expect(status).toBe(200);
  };
  const ring = () => runDurableObjectAlarm(objectOf(room));
  return { room, visitors, award, ring };
}

describe("while the database is away", () => {
  it("[K3] [R4] a room retries with growing pauses, and sends what gathered meanwhile in one call per quarter of an hour, not per award", async () => {
    const users = ["ann", "bob", "cat"];
    const { room, award, ring } = await openHall(users);
    const away = batch().mockRejectedValue(new Error("D1_ERROR: D1 DB is overloaded."));
    let awards = 0;
    for (let second = 0; second < 600; second += 10) {
      for (const user of users) await award(user);
      awards += 1;
      vi.setSystemTime(Date.now() + 10_000);
      await ring();
    }
    const tries = away.mock.calls.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(30);
    expect(await readTotals(room)).toEqual({});
    away.mockRestore();
    const back = batch();
    await vi.waitFor(
      async () => {
        vi.setSystemTime(Date.now() + 15_000);
        await ring();
        expect(await readTotals(room)).toEqual(Object.fromEntries(users.map((user) => [user, awards])));
      },
      { timeout: 20_000, interval: 200 },
    );
    // One was in flight; the points that gathered behind it are one more, in two quarters of an hour at most.
    expect(back.mock.calls.length).toBeLessThanOrEqual(3);
  }, 60_000);

  it("[R2] [R5] a database that never answers stops no timer; a batch that it applied counts once", async () => {
    const { room, visitors, award, ring } = await openHall(["dan", "eve"]);
    const [dan, eve] = visitors;
    await award("dan");
    const real = env.DB.batch.bind(env.DB);
    const late: (() => Promise<unknown>)[] = [];
    const hanging = batch().mockImplementation((statements) => {
      late.push(() => real(statements));
      return new Promise(() => {});
    });
    vi.setSystemTime(Date.now() + 5_000);
    await ring();
    expect(late).toHaveLength(1);
    eve?.socket.close(1000, "");
    await vi.waitFor(async () => {
      vi.setSystemTime(Date.now() + 5_000);
      await ring();
      expect(dan?.events.filter(({ n }) => n === "left").map(({ d }) => d.user)).toEqual(["eve"]);
    });
    hanging.mockRestore();
    await late[0]?.();
    expect(await readTotals(room)).toEqual({ dan: 1 });
    await award("dan");
    await vi.waitFor(
      async () => {
        vi.setSystemTime(Date.now() + 15_000);
        await ring();
        expect(await readTotals(room)).toEqual({ dan: 2 });
      },
      { timeout: 20_000, interval: 200 },
    );
  }, 60_000);
});
