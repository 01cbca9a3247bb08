import { describe, expect, it, vi } from "vitest";
import { rejectHttp } from "../../../src/edge/http/http-rejection";
import { RejectionError } from "../../../src/edge/http/rejection-error";
import { BoardCache, type CacheQuery } from "../../../src/services/boards/cache/board-cache";
import { type CacheKind, standingKind } from "../../../src/services/boards/cache/cache-kinds";
import { CircuitBreaker } from "../../../src/services/boards/cache/circuit-breaker";
import { Invalidations } from "../../../src/services/boards/cache/invalidations";
import { type CacheApi, PlatformCache } from "../../../src/services/boards/cache/platform-cache";

type Standing = NonNullable<(typeof standingKind)["shape"]["_output"]>;
type CacheQuestion = Partial<CacheQuery<Standing | null>> & { now?: number };

const AT = Date.UTC(2026, 10, 20, 12);
const MINUTE = { refreshMs: 30_000, maxMs: 60_000 };
const BOUNDS = { entries: 100, chars: 100_000 };

const makeStanding = (points: number): Standing => ({ rank: 1, of: 1, points, name: "Ann", around: [] });
const nothing: CacheApi = {
  match: async () => undefined,
  put: async () => undefined,
  delete: async () => false,
};

let deployments = 0;

/** One process's cache. `deployment`: those with the same share the platform's cache. */
function openProcess(
  options: {
    deployment?: string;
    api?: () => CacheApi | undefined;
    bounds?: typeof BOUNDS;
    kind?: CacheKind<Standing | null>;
  } = {},
) {
  const { deployment, api, bounds = BOUNDS, kind = standingKind } = options;
  let now = AT;
  const shared = new PlatformCache(api ?? (() => caches.default), () => now);
  if (deployment) shared.configure({ batchSecret: deployment });
  const invalidations = new Invalidations();
  const cache = new BoardCache(kind, bounds, {
    invalidations,
    breaker: new CircuitBreaker(),
    platformCache: shared,
  });
  const after: Promise<unknown>[] = [];
  const database = {
    calls: 0,
    points: 1,
    answer: async (): Promise<Standing | null> => makeStanding(database.points),
  };
  return {
    cache,
    database,
    shared,
    invalidate: (at = now) => invalidations.invalidate("main", at),
    async ask({ now: at = now, ...question }: CacheQuestion = {}) {
      now = at;
      const answer = await cache.get(
        {
          board: "main",
          key: "k",
          lifetime: MINUTE,
          fetch: () => {
            database.calls += 1;
            return database.answer();
          },
          keepAlive: (work) => after.push(work),
          ...question,
        },
        at,
      );
      return [answer.status, answer.value?.points ?? null, at - answer.readAt];
    },
    /** Waits for work that goes on after the answers. */
    async settled() {
      for (let done = -1; done < after.length; ) {
        done = after.length;
        await Promise.all(after);
      }
    },
  };
}

const deployment = () => {
  deployments += 1;
  return `a deployment of its own, number ${deployments}`;
};

describe("answers in memory", () => {
  it("a thousand requests at once for one key make one query", async () => {
    const one = openProcess();
    const all = await Promise.all(Array.from({ length: 1_000 }, () => one.ask()));
    expect(one.database.calls).toBe(1);
    expect(all.filter(([status]) => status === "coalesced")).toHaveLength(999);
    expect(await one.ask()).toEqual(["hit", 1, 0]);
  });

  it("the cache fetches ahead of time in the background, and never serves an answer past its age", async () => {
    const one = openProcess();
    await one.ask();
    one.database.points = 2;
    expect(await one.ask({ now: AT + 30_000 })).toEqual(["hit", 1, 30_000]);
    await one.settled();
    expect(await one.ask({ now: AT + 59_999 })).toEqual(["hit", 2, 29_999]);
    expect(one.database.calls).toBe(2);
    expect(await one.ask({ now: AT + 90_000 })).toEqual(["miss", 2, 0]);
  });

  it("a request waits for an answer newer than the invalidation, also if it began before that", async () => {
    const one = openProcess();
    let land = (_: Standing) => {};
    one.database.answer = () =>
      new Promise((resolve) => {
        land = resolve;
      });
    const early = one.ask();
    await vi.waitFor(() => expect(one.database.calls).toBe(1));
    one.invalidate();
    const landEarly = land;
    const late = one.ask();
    await vi.waitFor(() => expect(one.database.calls).toBe(2));
    land(makeStanding(2));
    expect(await late).toEqual(["miss", 2, 0]);
    landEarly(makeStanding(1));
    expect(await early).toEqual(["miss", 1, 0]);
    // An earlier query that answers later does not replace it.
    expect(await one.ask()).toEqual(["hit", 2, 0]);
  });

  it("the cache keeps absent players as well", async () => {
    const one = openProcess();
    one.database.answer = async () => null;
    expect([await one.ask(), await one.ask()]).toEqual([
      ["miss", null, 0],
      ["hit", null, 0],
    ]);
    expect(one.database.calls).toBe(1);
  });

  it("the cache is bounded in entries and in characters, and evicts the least recently used first", async () => {
    const few = openProcess({ bounds: { entries: 3, chars: 100_000 } });
    for (const key of ["a", "b", "c", "a", "d"]) await few.ask({ key });
    expect(few.cache.size.entries).toBe(3);
    expect((await few.ask({ key: "a" }))[0]).toBe("hit");
    expect((await few.ask({ key: "b" }))[0]).toBe("miss");
    const short = openProcess({ bounds: { entries: 1_000, chars: 5_000 } });
    for (let at = 0; at < 500; at += 1) await short.ask({ key: `key ${at}` });
    const { entries, chars } = short.cache.size;
    expect(chars).toBeLessThanOrEqual(5_000);
    expect(entries).toBeGreaterThan(10);
  });

  it("the cache handles invalidations of any number of boards: a forgotten board counts as old", () => {
    const invalidations = new Invalidations();
    const before = invalidations.nextGeneration();
    invalidations.invalidate("first", AT);
    for (let at = 0; at < 10_000; at += 1) invalidations.invalidate(`board ${at}`, AT);
    expect(invalidations.generationOf("first")).toBeGreaterThan(before);
    expect(invalidations.invalidatedAt("first")).toBe(AT);
    expect(invalidations.nextGeneration()).toBeGreaterThan(invalidations.generationOf("board 9999"));
  });
});

describe("while the database is away", () => {
  const away = async () => {
    throw new Error("D1_ERROR: Network connection lost.");
  };

  it("cached answers are served stale, with one call a second; others are an error, and no request waits", async () => {
    const one = openProcess();
    await one.ask();
    const { answer } = one.database;
    one.database.answer = away;
    for (let ms = 60_000; ms < 63_000; ms += 100) {
      expect(await one.ask({ now: AT + ms })).toEqual(["stale", 1, ms]);
    }
    expect(one.database.calls).toBe(4);
    await expect(one.ask({ key: "never read", now: AT + 63_000 })).rejects.toThrow("Network connection lost");
    one.database.answer = answer;
    expect(await one.ask({ now: AT + 64_000 })).toEqual(["miss", 1, 0]);
  });

  it("a database that does not answer: cached answers are served within 1.5 s, then at once; others are an error within 5 s", async () => {
    const one = openProcess();
    await one.ask();
    one.database.answer = () => new Promise(() => {});
    const startedAt = performance.now();
    const waited = () => performance.now() - startedAt;
    const [cached, absent] = await Promise.all([
      one.ask({ now: AT + 60_000 }).then((answer) => [...answer, waited()]),
      one.ask({ key: "never read", now: AT + 60_000 }).catch((error) => [String(error), waited()]),
    ]);
    expect(cached).toMatchObject(["stale", 1, 60_000, expect.any(Number)]);
    expect(Number(cached[3])).toBeLessThan(2_500);
    expect(absent[0]).toContain("no answer within 5000 ms");
    expect(Number(absent[1])).toBeLessThan(6_500);
    const later = performance.now();
    expect(await one.ask({ now: AT + 65_500 })).toEqual(["stale", 1, 65_500]);
    await expect(one.ask({ key: "neither", now: AT + 65_500 })).rejects.toThrow("has just failed");
    expect(performance.now() - later).toBeLessThan(200);
  }, 20_000);
});

describe("a request that may not query the database", () => {
  it("the request is refused; those that waited for it are not, and the database is not taken to be away", async () => {
    const one = openProcess();
    const refuse = async () => {
      throw new RejectionError(rejectHttp(429, "rate_limited", "too many"));
    };
    const both = await Promise.allSettled([one.ask({ admit: refuse }), one.ask()]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(one.database.calls).toBe(1);
    // A cached answer needs no permission, nor does a fetch ahead of time.
    expect(await one.ask({ admit: refuse, now: AT + 40_000 })).toEqual(["hit", 1, 40_000]);
    await one.settled();
    expect(one.database.calls).toBe(2);
  });
});

describe("two processes and the platform's cache", () => {
  function pair() {
    const name = deployment();
    const [a, b] = [openProcess({ deployment: name }), openProcess({ deployment: name })];
    return { a, b };
  }

  it("one process uses what the other has read, at its age", async () => {
    const { a, b } = pair();
    await a.ask();
    await a.settled();
    expect(await b.ask({ now: AT + 20_000 })).toEqual(["hit", 1, 20_000]);
    expect(b.database.calls).toBe(0);
    // 60 s from when it was read, not from when it was passed on.
    b.database.points = 2;
    expect(await b.ask({ now: AT + 60_000 })).toEqual(["miss", 2, 0]);
  });

  it("a process fetches ahead of time from the database, not from the platform's cache", async () => {
    const { a, b } = pair();
    await a.ask();
    await a.settled();
    await b.ask({ now: AT + 20_000 });
    b.database.points = 2;
    expect(await b.ask({ now: AT + 40_000 })).toEqual(["hit", 1, 40_000]);
    await b.settled();
    expect(await b.ask({ now: AT + 41_000 })).toEqual(["hit", 2, 1_000]);
    expect(await a.ask({ now: AT + 61_000 })).toEqual(["hit", 2, 21_000]);
    expect(a.database.calls).toBe(1);
  });

  it("the process with the invalidation takes nothing older from there, though it could not be deleted; others do, up to its age", async () => {
    const { a, b } = pair();
    await a.ask();
    await a.settled();
    b.invalidate(AT + 1_000);
    b.database.points = 2;
    expect(await b.ask({ now: AT + 1_000 })).toEqual(["miss", 2, 0]);
    await b.settled();
    expect(await a.ask({ now: AT + 29_000 })).toEqual(["hit", 1, 29_000]);
    const c = openProcess({ deployment: "another" });
    expect(await c.ask({ now: AT + 1_000 })).toEqual(["miss", 1, 0]);
  });

  it("a process without a first page reads a deleted one again", async () => {
    const name = deployment();
    const [a, b, c] = [
      openProcess({ deployment: name }),
      openProcess({ deployment: name }),
      openProcess({ deployment: name }),
    ];
    await a.ask();
    await a.settled();
    await b.shared.remove("k");
    c.database.points = 2;
    expect(await c.ask({ now: AT + 1_000 })).toEqual(["miss", 2, 0]);
  });

  it("with the database away a process with an empty cache serves what another read, marked", async () => {
    const { a, b } = pair();
    await a.ask();
    await a.settled();
    b.database.answer = async () => {
      throw new Error("D1_ERROR: Network connection lost.");
    };
    expect(await b.ask({ now: AT + 300_000 })).toEqual(["stale", 1, 300_000]);
    expect(await b.ask({ now: AT + 300_100 })).toEqual(["stale", 1, 300_100]);
  });

  it("an entry of another shape is ignored, and so is one read in the future", async () => {
    const name = deployment();
    const wrong = openProcess({ deployment: name });
    await wrong.shared.put("k", '{"rank":"first"}', AT);
    expect((await wrong.ask())[0]).toBe("miss");
    const early = openProcess({ deployment: name });
    await early.shared.put("k", JSON.stringify(makeStanding(7)), AT + 3_600_000);
    expect(await early.ask()).toEqual(["miss", 1, 0]);
  });

  it.each([
    ["there is none", () => undefined],
    ["it keeps nothing", () => nothing],
    ["it fails", () => ({ ...nothing, put: () => Promise.reject(new Error("no cache here")) })],
    ["it gives no answer", () => ({ ...nothing, put: () => new Promise<never>(() => {}) })],
  ])("where %s it is left out", async (_, api) => {
    let calls = 0;
    const watched = () => {
      const cache = api();
      if (!cache) return undefined;
      return new Proxy(cache, {
        get: (of, name) => {
          calls += 1;
          return Reflect.get(of, name);
        },
      });
    };
    const one = openProcess({ deployment: deployment(), api: watched });
    for (let at = 0; at < 20; at += 1) expect((await one.ask({ key: `key ${at}` }))[0]).toBe("miss");
    await one.settled();
    expect(calls, "tried once").toBeLessThanOrEqual(2);
  });
});
