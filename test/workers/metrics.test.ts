import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { main } from "../../src/kinds/main";
import { createBoardRegistry } from "../../src/services/boards/store/board-registry";
import { createApp } from "../../src/worker/app";
import { CountedDatabase } from "./boards/database";

/** A worker of its own, whose database fails or hangs on demand. */
function openWorker() {
  const counted = new CountedDatabase();
  let how: "well" | "fails" | "hangs" = "well";
  const db = new Proxy(counted.db, {
    get: (of, name) => {
      if (name !== "prepare" || how === "well") return Reflect.get(of, name);
      if (how === "fails") {
        return () => {
          throw new Error("D1_ERROR: Network connection lost.");
        };
      }
      const hanging = { bind: () => hanging, first: () => new Promise(() => {}) };
      return () => hanging;
    },
  });
  const app = createApp(new Set(["main"]), createBoardRegistry([main]));
  return {
    is: (now: typeof how) => {
      how = now;
    },
    async get(path: string) {
      const ctx = createExecutionContext();
      const response = await app.fetch(new Request(`http://tallyroom${path}`), { ...env, DB: db }, ctx);
      await waitOnExecutionContext(ctx);
      return response;
    },
  };
}

/** Every sample of a text in Prometheus' format; throws where it is not one (version 0.0.4). */
function parseSamples(text: string): Map<string, number> {
  expect(text.endsWith("\n")).toBe(true);
  const found = new Map<string, number>();
  const typed = new Set<string>();
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, helped] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S[^\n\\]*$/.exec(line) ?? [];
    const [, name, type] = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/.exec(line) ?? [];
    if (helped) family = helped;
    else if (name) {
      expect(name, "follows its help").toBe(family);
      expect(typed.has(name), `${name} is one family`).toBe(false);
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      typed.add(name);
    } else {
      const label = '[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\\\\n]*"';
      const sample = new RegExp(
        `^([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{${label}(?:,${label})*\\})? (-?\\d+(?:\\.\\d+)?)$`,
      ).exec(line);
      if (!sample) throw new Error(`That is no sample: ${line}`);
      expect(sample[1]).toBe(family);
      const key = `${sample[1]}${sample[2] ?? ""}`;
      expect(found.has(key), `${key} is there once`).toBe(false);
      found.set(key, Number(sample[3]));
    }
  }
  return found;
}

describe("GET /metrics", () => {
  it("the answer is Prometheus' text, counts the answers, and always has the same lines", async () => {
    const { get } = openWorker();
    const scrape = async () => {
      const response = await get("/metrics");
      expect(response.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      return parseSamples(await response.text());
    };
    const before = await scrape();
    expect(before.size).toBeGreaterThan(40);
    for (const path of [
      "/v1/boards/main",
      "/v1/boards/main?limit=3",
      "/v1/boards/main/users/ann",
      "/v1/boards",
    ]) {
      await (await get(path)).arrayBuffer();
    }
    for (let at = 0; at < 50; at += 1)
      await (await get(`/v1/boards/main:room-${at}/users/user-${at}`)).arrayBuffer();
    const after = await scrape();
    const grew = (key: string) => (after.get(key) ?? Number.NaN) - (before.get(key) ?? Number.NaN);
    expect(grew('tallyroom_cache_answers_total{kind="top",told="miss"}')).toBe(1);
    expect(grew('tallyroom_cache_answers_total{kind="top",told="hit"}')).toBe(1);
    expect(grew('tallyroom_cache_answers_total{kind="standing",told="miss"}')).toBe(51);
    expect(grew('tallyroom_cache_answers_total{kind="seasons",told="miss"}'), "no board has any").toBe(0);
    expect(grew('tallyroom_database_calls_total{for="read",outcome="ok"}')).toBe(52);
    expect(after.get("tallyroom_database_up")).toBe(1);
    expect(after.get("tallyroom_set_aside_entries")).toBe(0);
    expect([...after.keys()]).toEqual([...before.keys()]);
    expect([...after.keys()].filter((key) => /ann|user-|room-/.test(key))).toEqual([]);
  });
});

describe("GET /health", () => {
  it("the answer reports in one query that the database answers, and the number of dead letters", async () => {
    const { get } = openWorker();
    await env.DB.prepare(
      "insert into set_aside (room, epoch, n, own_only, entry, reason, at) values ('main/a', 'e', 1, 0, '{}', 'why', 1)",
    ).run();
    const response = await get("/health");
    expect([response.status, await response.json()]).toMatchObject([
      200,
      {
        ok: true,
        problems: [],
        warnings: ["Dead letters: 1. `npm run dead-letters` lists them."],
        database: { ok: true, ms: expect.any(Number) },
        aside: 1,
      },
    ]);
  });

  it("the answer reports within seconds that the database fails or does not answer, and many requests make one query", async () => {
    for (const how of ["fails", "hangs"] as const) {
      const { get, is } = openWorker();
      is(how);
      const startedAt = performance.now();
      const all = await Promise.all(Array.from({ length: 50 }, () => get("/health")));
      expect(performance.now() - startedAt).toBeLessThan(4_000);
      const bodies = await Promise.all(all.map((one) => one.json<{ ok: boolean; problems: string[] }>()));
      expect(new Set(all.map(({ status }) => status))).toEqual(new Set([503]));
      expect(bodies[0]).toMatchObject({
        ok: false,
        problems: [expect.stringMatching(/^The database is away: /)],
      });
      const text = await (await get("/metrics")).text();
      expect(parseSamples(text).get("tallyroom_database_up")).toBe(0);
    }
    const text = await (await openWorker().get("/metrics")).text();
    expect(parseSamples(text).get('tallyroom_database_calls_total{for="health",outcome="failed"}')).toBe(2);
  }, 20_000);
});
