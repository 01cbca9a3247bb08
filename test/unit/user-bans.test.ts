import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BanLookup } from "../../src/services/bans/ban-lookup";
import { EVERYWHERE, findBans, liftBan, putBan } from "../../src/services/bans/store";
import { UserBans } from "../../src/services/bans/user-bans";
import { SimulatedDatabase } from "../simulation/database";

const START = 1_790_000_000_000;
const QUERY_MS = 1;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type D1 = ConstructorParameters<typeof UserBans>[1];

/** A database like D1: one query at a time, each of which takes its time. */
class SlowDatabase {
  readonly inner = new SimulatedDatabase();
  queries = 0;
  isAway = false;
  #last: Promise<unknown> = Promise.resolve();

  get d1(): D1 {
    return {
      prepare: (sql: string) => this.#statement(this.inner.prepare(sql)),
      batch: (all: { inner: ReturnType<SimulatedDatabase["prepare"]> }[]) =>
        this.#turn(() => this.inner.batch(all.map(({ inner }) => inner))),
    } as unknown as D1;
  }

  #statement(inner: ReturnType<SimulatedDatabase["prepare"]>): object {
    return {
      inner,
      bind: (...given: (string | number | null)[]) => this.#statement(inner.bind(...given)),
      all: () => this.#turn(() => inner.all()),
      run: () => this.#turn(() => inner.run()),
      raw: () => this.#turn(() => inner.raw()),
      first: () => this.#turn(() => inner.first()),
    };
  }

  #turn<T>(work: () => Promise<T>): Promise<T> {
    this.queries++;
    const turn = this.#last.then(async () => {
      await new Promise((resolve) => setTimeout(resolve, QUERY_MS));
      if (this.isAway) throw new Error("D1 is away");
      return work();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** A shard of the users, whose storage outlives its instances. */
function share(database: SlowDatabase) {
  const stored = new Map<string, unknown>();
  const storage = {
    get: async (key: string) => stored.get(key),
    list: async ({ prefix }: { prefix: string }) =>
      new Map([...stored].filter(([key]) => key.startsWith(prefix))),
    put: async (key: string, value: unknown) => void stored.set(key, structuredClone(value)),
    delete: async (keys: string[]) => {
      for (const key of keys) stored.delete(key);
    },
  };
  return { stored, begin: () => new UserBans(storage, database.d1, () => true) };
}

const ban = (scope: string, user: string, at = START) => ({
  scope,
  user,
  at,
  by: "ada",
  reason: null,
  untilMs: null,
  rank: "host" as const,
});

describe("the bans of one shard of users", () => {
  it("[D9] the shard reads the bans from the database once, with those of before, and asks no more", async () => {
    const database = new SlowDatabase();
    const { begin } = share(database);
    void putBan(database.d1, ban(EVERYWHERE, "old"));
    void putBan(database.d1, ban("main/hall", "old"));
    const bans = begin();
    const first = bans.find(["old", "new"], [EVERYWHERE, "main/yard"]);
    await vi.advanceTimersByTimeAsync(100);
    expect((await first).bans).toMatchObject([{ scope: EVERYWHERE, user: "old" }]);
    const { queries } = database;
    expect((await bans.find(["old", "new"], [EVERYWHERE, "main/hall"])).bans).toHaveLength(2);
    expect((await begin().find(["new"], [EVERYWHERE])).bans, "its next instance").toEqual([]);
    expect(database.queries).toBe(queries);
  });

  it("[D5] the shard's bans change with the database, and apply in the next instance though this one ended in the middle", async () => {
    const database = new SlowDatabase();
    const { begin, stored } = share(database);
    const bans = begin();
    const opened = bans.find(["ann"], [EVERYWHERE]);
    await vi.advanceTimersByTimeAsync(100);
    await opened;
    const lost = bans.write(EVERYWHERE, "ann", async () => {
      await putBan(database.d1, ban(EVERYWHERE, "ann"));
      throw new Error("the object ended");
    });
    const rejected = expect(lost).rejects.toThrow("ended");
    await vi.advanceTimersByTimeAsync(100);
    await rejected;
    const next = begin();
    expect((await next.find(["ann"], [EVERYWHERE])).bans, "no room was notified yet").toEqual([]);
    database.isAway = true;
    await vi.advanceTimersByTimeAsync(5_000);
    const failed = expect(next.resolve()).rejects.toThrow("query");
    await vi.advanceTimersByTimeAsync(100);
    await failed;
    database.isAway = false;
    const resolved = next.resolve();
    await vi.advanceTimersByTimeAsync(100);
    expect(await resolved).toEqual(["ann"]);
    expect((await next.find(["ann"], [EVERYWHERE])).bans).toHaveLength(1);
    expect(await next.resolveAt(), "the database may still be working on it").toBeLessThan(
      Number.POSITIVE_INFINITY,
    );
    await vi.advanceTimersByTimeAsync(30_000);
    const last = next.resolve();
    await vi.advanceTimersByTimeAsync(100);
    await last;
    expect(await next.resolveAt()).toBe(Number.POSITIVE_INFINITY);
    expect([...stored.keys()].filter((key) => key.startsWith("d/"))).toEqual([]);
  });

  it("[D9] the shard follows manual changes of the database within an hour, but nothing older than a write", async () => {
    const database = new SlowDatabase();
    const { begin } = share(database);
    const bans = begin();
    void bans.find(["ann"], [EVERYWHERE]);
    await vi.advanceTimersByTimeAsync(100);
    const written = bans.write(EVERYWHERE, "bob", () => putBan(database.d1, ban(EVERYWHERE, "bob")));
    void putBan(database.d1, ban(EVERYWHERE, "ann"));
    await vi.advanceTimersByTimeAsync(3_600_000);
    await written;
    expect((await bans.find(["ann", "bob"], [EVERYWHERE])).bans.map(({ user }) => user)).toEqual(["bob"]);
    const lifted = bans.write(EVERYWHERE, "bob", () =>
      liftBan(database.d1, EVERYWHERE, "bob", { by: "ada", at: START + 1 }),
    );
    await vi.advanceTimersByTimeAsync(100);
    await lifted;
    expect((await bans.find(["ann", "bob"], [EVERYWHERE])).bans.map(({ user }) => user)).toEqual(["ann"]);
  });

  it("[D9] the shard answers 2,000 joins in a second while the database, at 1 ms a query, has time for boards and bans", async () => {
    const database = new SlowDatabase();
    const bans = share(database).begin();
    void bans.find(["ann"], [EVERYWHERE]);
    await vi.advanceTimersByTimeAsync(100);
    database.queries = 0;
    const lookup = new BanLookup((user, room) => ask(bans, user, room));
    const longest = await flood(1_000, database, lookup, async () => {
      await bans.write(EVERYWHERE, "eve", () => putBan(database.d1, ban(EVERYWHERE, "eve", START + 1)));
      return (await lookup.find("eve", "main/hall", Date.now())).ban !== undefined;
    });
    // A board read each hundredth of a second, and one ban that is written and read back.
    expect(database.queries).toBe(102);
    expect(longest.isBanned).toBe(true);
    expect(longest.boardMs).toBeLessThan(20);
    expect(longest.banMs).toBeLessThan(20);

    // The earlier cost of each join: one read at the edge, and one by the room that reported the join.
    const before = new SlowDatabase();
    const asks = async (user: string, room: string) => {
      const found = await findBans(before.d1, [user], [EVERYWHERE, room], Date.now());
      return { askedAt: Date.now(), bans: found.map(() => ({ scope: "everywhere" as const })) };
    };
    const slow = await flood(250, before, new BanLookup(asks), async () => {
      await putBan(before.d1, ban(EVERYWHERE, "eve", START + 1));
      return true;
    });
    expect(slow.boardMs, "after a quarter of a second a board waits for as long").toBeGreaterThan(200);
  }, 30_000);
});

async function ask(bans: UserBans, user: string, room: string) {
  const { askedAt, bans: found } = await bans.find([user], [EVERYWHERE, room]);
  return { askedAt, bans: found.map(() => ({ scope: "everywhere" as const })) };
}

/** Two users join each millisecond, a board is read every ten, and one user is banned in the middle. */
async function flood(
  forMs: number,
  database: SlowDatabase,
  lookup: BanLookup,
  banUser: () => Promise<boolean>,
) {
  const longest = { boardMs: 0, banMs: 0, isBanned: false };
  for (let ms = 0; ms < forMs; ms++) {
    for (const half of [0, 1]) {
      const user = `user-${2 * ms + half}`;
      void lookup.find(user, "main/hall", Date.now()).then(() => lookup.find(user, "main/hall", Date.now()));
    }
    const at = Date.now();
    if (ms % 10 === 0) {
      void database.d1
        .prepare("select * from rankings limit 1")
        .all()
        .then(() => {
          longest.boardMs = Math.max(longest.boardMs, Date.now() - at);
        });
    }
    if (ms === forMs / 2) {
      void banUser().then((isBanned) => {
        longest.isBanned = isBanned;
        longest.banMs = Date.now() - at;
      });
    }
    await vi.advanceTimersByTimeAsync(1);
  }
  await vi.advanceTimersByTimeAsync(1_500);
  return longest;
}
