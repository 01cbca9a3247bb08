import { describe, expect, it, vi } from "vitest";
import { readConfig } from "../../src/config/config";
import { createEdgeContext } from "../../src/edge/edge-context";
import { createGuestBlocker } from "../../src/edge/ip-limits/block-guests";
import { objectName } from "../../src/edge/ip-limits/ip-hash";
import { IpLimiter, type IpLimits, type IpLimitsCall } from "../../src/edge/ip-limits/ip-limiter";
import { exhaust, type IpLimitRequest, IpWindows } from "../../src/edge/ip-limits/ip-windows";
import { IpWindowsStore } from "../../src/edge/ip-limits/ip-windows-store";
import { normalizeIp } from "../../src/edge/ip-limits/normalize-ip";
import type { Storage } from "../../src/room/ports";
import { freshSeed, randomFrom } from "../platforms/random";
import { MemoryRuntime } from "../support/memory-runtime";
import { SECRET } from "../support/test-edge";

const MINUTE_MS = 60_000;
const HOUSE = "house";
const makeRule = (
  name: string,
  count: number,
  perMs: number,
  more: { once?: string; always?: true } = {},
) => ({
  rule: name,
  windows: [{ of: HOUSE, count, perMs }],
  ...more,
});
const consume = (...rules: IpLimitRequest["consume"]): IpLimitRequest => ({ consume: rules, peek: [] });

describe("the windows of an IP address", () => {
  it("[L6] a rejected request counts nothing but an attempt", () => {
    const windows = new IpWindows();
    const guest = makeRule("guest", 1, 10_000);
    const connect = makeRule("connect", 3, MINUTE_MS, { always: true });
    const ask = (now: number) => windows.check(consume(connect, guest), now).answer;
    expect(ask(0)).toEqual({ ok: true });
    expect(ask(1_000)).toEqual({ ok: false, rule: "guest", of: HOUSE, retryAfterMs: 9_000 });
    expect(ask(2_000)).toEqual({ ok: false, rule: "guest", of: HOUSE, retryAfterMs: 8_000 });
    // The third attempt exhausts `connect`, and the answer names the longer of the two waits.
    expect(ask(3_000)).toEqual({ ok: false, rule: "connect", of: HOUSE, retryAfterMs: 57_000 });
    expect(ask(59_999)).toEqual({ ok: false, rule: "connect", of: HOUSE, retryAfterMs: 1 });
    expect(ask(60_000)).toEqual({ ok: true });
  });

  it("[L6] a user counts once within the width of a window", () => {
    const windows = new IpWindows();
    const ask = (once: string, now: number) =>
      windows.check(consume(makeRule("guest", 2, 1_000, { once })), now).answer.ok;
    expect([ask("a", 0), ask("b", 500), ask("c", 501), ask("a", 502), ask("b", 999)]).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
    expect([ask("c", 1_000), ask("a", 1_000), ask("b", 1_499)]).toEqual([true, false, true]);
  });

  it("[L6] a check that only looks counts nothing", () => {
    const windows = new IpWindows();
    const failed = makeRule("failedToken", 1, 1_000);
    for (let n = 0; n < 5; n++)
      expect(windows.check({ consume: [], peek: [failed] }, n).answer.ok).toBe(true);
    windows.check(consume(failed), 5);
    expect(windows.check({ consume: [], peek: [failed] }, 6).answer).toMatchObject({ retryAfterMs: 999 });
  });

  it("[D7] a window that was exhausted stays so for its whole width, even if it was full and about to open", () => {
    const windows = new IpWindows();
    const request = { consume: [makeRule("guest", 2, 1_000)], peek: [] };
    for (const at of [0, 100]) windows.check(request, at);
    windows.check(exhaust("guest", { of: HOUSE, count: 2, perMs: 1_000 }), 900);
    expect(windows.check(request, 1_200).answer).toEqual({
      ok: false,
      rule: "guest",
      of: HOUSE,
      retryAfterMs: 700,
    });
    expect(windows.check(request, 1_900).answer).toEqual({ ok: true });
  });

  it("[L6] the windows continue if the clock goes back", () => {
    const windows = new IpWindows();
    const one = makeRule("read", 1, 1_000);
    expect(windows.check(consume(one), 5_000).answer.ok).toBe(true);
    // The clock runs at half speed until the machine's clock has caught up.
    expect(windows.check(consume(one), 1_000).answer).toMatchObject({ retryAfterMs: 2_000 });
    expect(windows.check(consume(one), 2_900).answer).toMatchObject({ retryAfterMs: 100 });
    expect(windows.check(consume(one), 3_000).answer.ok).toBe(true);
  });
});

/** An IP address over a storage that can be reopened, as after a restart. */
function openIpObject(maxStamps?: number) {
  const runtime = new MemoryRuntime();
  let object: IpWindowsStore;
  const reopen = () => {
    runtime.crash(Number.POSITIVE_INFINITY);
    const storage: Storage = runtime.ports.storage;
    object = new IpWindowsStore(storage, (work) => work(), maxStamps);
  };
  reopen();
  const ask = async (what: IpLimitRequest) => {
    const answer = await object.check(what, runtime.now);
    runtime.makeDurable();
    return answer;
  };
  /** Time passes, and the alarm rings when it is due. */
  const advance = async (ms: number) => {
    runtime.now += ms;
    if (runtime.alarmAt === null || runtime.alarmAt > runtime.now) return;
    runtime.beginAlarm();
    await object.alarm(runtime.now);
    runtime.makeDurable();
  };
  return { runtime, ask, advance, reopen, object: () => object };
}

describe("the windows of many IP addresses in one object", () => {
  it("[L6] the object agrees with one that never restarts, over 20,000 random steps with restarts", async () => {
    const random = randomFrom(freshSeed());
    const { runtime, ask, advance, reopen } = openIpObject();
    const model = new IpWindows();
    const at = (nth: number, name: string, count: number, perMs: number, more: object = {}) => ({
      rule: name,
      windows: [
        { of: `address ${nth}`, count, perMs },
        { of: `network ${nth % 2}`, count: count * 2, perMs },
      ],
      ...more,
    });
    let refused = 0;
    for (let step = 0; step < 20_000; step++) {
      if (random.below(500) === 0) reopen();
      await advance(random.below(3) === 0 ? random.below(150) : 0);
      const nth = random.below(6);
      const rules = [
        at(nth, "connect", 10, 5_000, { always: true }),
        at(nth, "read", 30, 7_000),
        at(nth, "newRoom", 2, 9_000),
      ];
      const wanted = rules.filter(() => random.below(3) === 0);
      const request = {
        consume: [...wanted, at(nth, "guest", 2, 4_000, { once: `g${random.below(30)}` })],
        peek: rules,
      };
      const answer = await ask(request);
      const expected = model.check(request, runtime.now).answer;
      if (!answer.ok) refused++;
      if (JSON.stringify(answer) !== JSON.stringify(expected)) {
        expect.fail(`seed ${random.seed}, step ${step}: ${JSON.stringify({ answer, expected })}`);
      }
    }
    expect(refused).toBeGreaterThan(1_000);
    expect(refused).toBeLessThan(19_900);
  });

  it("[D7] the object exhausts a window of any width in one write a record, and remembers it over a restart", async () => {
    const { runtime, ask, advance, reopen } = openIpObject();
    const guest = makeRule("guest", 5_000, 60_000);
    expect((await ask(exhaust("guest", { of: HOUSE, count: 5_000, perMs: 60_000 }))).ok).toBe(true);
    expect(runtime.counts.puts).toBe(50);
    reopen();
    await advance(59_999);
    expect(await ask(consume(guest))).toMatchObject({ ok: false, retryAfterMs: 1 });
    await advance(1);
    expect((await ask(consume(guest))).ok).toBe(true);
  });

  it("[L5] the object drops entries of short windows while longer ones keep theirs", async () => {
    const { runtime, ask, advance } = openIpObject();
    const of = (name: string) => [{ of: name, count: 1_000, perMs: MINUTE_MS }];
    await ask({
      consume: [{ rule: "live", windows: [{ of: "a", count: 9, perMs: 60 * MINUTE_MS }] }],
      peek: [],
    });
    for (let n = 0; n < 500; n++)
      await ask({ consume: [{ rule: "read", windows: of(`address ${n}`) }], peek: [] });
    expect(runtime.keys().length).toBe(6);
    await advance(MINUTE_MS);
    expect(runtime.keys().length).toBe(1);
    await advance(60 * MINUTE_MS);
    expect(runtime.keys()).toEqual([]);
    expect(runtime.alarmAt).toBeNull();
  });

  it("[L5] the object stores as much as memory allows, and beyond that only rejects until some entries are old enough", async () => {
    const { runtime, object, advance } = openIpObject(250);
    const at = (n: number) => ({
      consume: [{ rule: "read", windows: [{ of: `${n}`, count: 9, perMs: 1_000 }] }],
      peek: [],
    });
    for (let n = 0; n < 250; n++) expect(await object().check(at(n), runtime.now)).toEqual({ ok: true });
    const full = { ok: true, isFull: true };
    expect(await object().check(at(251), runtime.now)).toEqual(full);
    expect(await object().check(at(251), runtime.now)).toEqual(full);
    const spent = { consume: [{ rule: "read", windows: [{ of: "7", count: 1, perMs: 1_000 }] }], peek: [] };
    expect(await object().check(spent, runtime.now)).toMatchObject({ ok: false, of: "7" });
    await advance(1_000);
    expect(await object().check(at(252), runtime.now)).toEqual({ ok: true });
  });

  it("[L5] the object starts again if its storage cannot be read", async () => {
    const { runtime, ask, advance, reopen } = openIpObject();
    const one = makeRule("read", 1, 1_000);
    await runtime.ports.storage.put("w/of/old", [["a", "read", runtime.now, 1_000]]);
    runtime.makeDurable();
    reopen();
    expect(await ask(consume(one))).toEqual({ ok: true });
    expect(runtime.keys()).toEqual(["w/000000001000/000000000001"]);
    reopen();
    expect(await ask(consume(one))).toMatchObject({ ok: false, retryAfterMs: 1_000 });
    await advance(1_000);
    expect(runtime.keys()).toEqual([]);
  });

  it("[L6] one write stores all that a request counts, even for two windows", async () => {
    const { runtime, ask } = openIpObject();
    const windows = (of: string, perMs: number) => [
      { of, count: 9, perMs },
      { of: "net", count: 90, perMs },
    ];
    const before = runtime.counts.puts;
    await ask({
      consume: [
        { rule: "connect", windows: windows("a", 60_000) },
        { rule: "guest", windows: windows("a", 900_000), once: "g" },
      ],
      peek: [],
    });
    expect(runtime.counts.puts - before).toBe(1);
  });

  it("[L5] the object keeps what is inside its windows under any load, and nothing in the end", async () => {
    const { runtime, ask, advance, reopen } = openIpObject();
    const read = makeRule("read", 1_000, MINUTE_MS);
    let most = { keys: 0, bytes: 0 };
    for (let n = 0; n < 30_000; n++) {
      await ask(consume(read));
      await advance(30);
      if (n % 100 === 0) {
        most = {
          keys: Math.max(most.keys, runtime.keys().length),
          bytes: Math.max(most.bytes, runtime.storedBytes),
        };
      }
    }
    console.log(
      `30,000 reads of an address: at most ${most.keys} records, ${Math.round(most.bytes / 1024)} KiB`,
    );
    // A thousand stamps at a hundred to a record, one record that fills and one that ages.
    expect(most.keys).toBeLessThanOrEqual(12);
    expect(most.bytes).toBeLessThan(64 * 1024);
    expect(runtime.largest.bytes).toBeLessThan(8 * 1024);
    reopen();
    await advance(MINUTE_MS);
    await advance(MINUTE_MS);
    expect(runtime.keys()).toEqual([]);
    expect(runtime.alarmAt).toBeNull();
    expect((await ask(consume(read))).ok).toBe(true);
  });
});

describe("the /48 network of an IPv6 address", () => {
  const window = (of: string, count: number) => ({ of, count, perMs: 1_000 });
  const both = (address: string, more: { once?: string; always?: true } = {}) => ({
    consume: [{ rule: "guest", windows: [window(address, 2), window("net", 3)], ...more }],
    peek: [],
  });

  it("[L7] the network counts all of its addresses, and a rejection names the network's window", () => {
    const windows = new IpWindows();
    const ask = (address: string, now: number) => windows.check(both(address), now).answer;
    expect([ask("a", 0), ask("a", 1), ask("b", 2)]).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    expect(ask("c", 3)).toEqual({ ok: false, rule: "guest", of: "net", retryAfterMs: 997 });
    expect(ask("c", 1_000)).toEqual({ ok: true });
  });

  it("[L7] a rejected IP address does not use up the network", () => {
    const windows = new IpWindows();
    const ask = (address: string) => windows.check(both(address, { always: true }), 0).answer;
    ask("a");
    ask("a");
    for (let n = 0; n < 10; n++) expect(ask("a")).toMatchObject({ ok: false, of: "a" });
    expect(ask("b")).toEqual({ ok: true });
  });

  it("[L7] the network counts a guest once who moves between its addresses", () => {
    const windows = new IpWindows();
    const ask = (address: string, once: string) => windows.check(both(address, { once }), 0).answer.ok;
    expect(["a", "b", "c", "d"].map((address) => ask(address, "one"))).toEqual([true, true, true, true]);
    expect([ask("a", "two"), ask("b", "three"), ask("c", "four")]).toEqual([true, true, false]);
  });

  it("[L7] the network costs no extra request: a join asks one object once, for the IP address and the network", async () => {
    const requests = new Map<string, IpLimitRequest[]>();
    const objects = new Map<string, IpWindows>();
    const limiter = new IpLimiter(
      { limits, networkLimits: { ...OFF, connect: { count: 3, perMs: 1_000 } } },
      async (address, what) => {
        const name = objectName(address);
        requests.set(name, [...(requests.get(name) ?? []), what]);
        const windows = objects.get(name) ?? new IpWindows();
        objects.set(name, windows);
        return windows.check(what, 0).answer;
      },
      SECRET,
      () => 0,
    );
    const from = (nth: number) => limiter.hashIp(normalizeIp(`2001:db8:7:${nth.toString(16)}::1`));
    const join = async (nth: number) =>
      limiter.consume(await from(nth), [{ rule: "connect", always: true }], ["failedToken"]);
    expect([await join(1), await join(2), await join(3)]).toEqual([undefined, undefined, undefined]);
    expect([...requests.values()].flat()).toHaveLength(3);
    expect(requests.size, "all of a network's addresses are in one object").toBe(1);
    expect(await join(4)).toMatchObject({
      message: "Too many connections from this network (connect: 3 in 1 s); come back in 1.0 s.",
      info: { rule: "connect", limit: { count: 3, perMs: 1_000 } },
    });
    // The rejections of a whole network come from memory.
    for (let nth = 5; nth < 50; nth++) expect(await join(nth)).toMatchObject({ status: 429 });
    expect([...requests.values()].flat()).toHaveLength(4);
    const elsewhere = await limiter.hashIp(normalizeIp("2001:db8:8:1::1"));
    expect(await limiter.consume(elsewhere, [{ rule: "connect" }])).toBeUndefined();
  });

  it("[L7] sixty new rooms from sixty /64s of one /48 are limited to fifty, and an IPv4 address has no network", async () => {
    const read = readConfig({});
    if (!read.ok) throw new Error(read.problems.join(" "));
    const objects = new Map<string, IpWindows>();
    const limiter = new IpLimiter(
      read.config,
      async (address, what) => {
        const windows = objects.get(objectName(address)) ?? new IpWindows();
        objects.set(objectName(address), windows);
        return windows.check(what, 0).answer;
      },
      SECRET,
    );
    const opened = async (address: (nth: number) => string) => {
      let count = 0;
      for (let nth = 0; nth < 60; nth++) {
        const from = await limiter.hashIp(normalizeIp(address(nth)));
        if (!(await limiter.consume(from, [{ rule: "newRoom" }]))) count += 1;
      }
      return count;
    };
    expect(await opened((nth) => `2001:db8:9:${nth}::1`)).toBe(50);
    expect(await opened((nth) => `203.0.113.${nth}`)).toBe(60);
    expect(objects.size).toBeGreaterThan(15);
  });

  it("[L7] as configured: three phones of a carrier with bad tokens lock out no others of its /48", async () => {
    const read = readConfig({});
    if (!read.ok) throw new Error(read.problems.join(" "));
    const windows = new IpWindows();
    const desk = new IpLimiter(read.config, async (_, what) => windows.check(what, 0).answer, SECRET);
    const phone = (nth: number) => desk.hashIp(normalizeIp(`2001:db8:9:${nth}::1`));
    for (let nth = 0; nth < 3; nth++) {
      for (let time = 0; time < 25; time++) await desk.consume(await phone(nth), [{ rule: "failedToken" }]);
    }
    expect(await desk.consume(await phone(2), [], ["failedToken"])).toMatchObject({ status: 429 });
    expect(await desk.consume(await phone(3), [], ["failedToken"])).toBeUndefined();
  });

  it("[L5] the number of objects is small for any number of IP addresses", async () => {
    const limiter = new IpLimiter(config, undefined, SECRET);
    const names = new Map<string, number>();
    for (let nth = 0; nth < 4_000; nth++) {
      const name = objectName(String(await limiter.hashIp(`10.0.${nth >> 8}.${nth & 255}`)));
      names.set(name, (names.get(name) ?? 0) + 1);
    }
    expect(names.size).toBe(64);
    expect(Math.max(...names.values())).toBeLessThan(130);
  });
});

const OFF: IpLimits = {
  connect: null,
  newRoom: null,
  guest: null,
  failedToken: null,
  read: null,
  readMiss: null,
  live: null,
};
const limits: IpLimits = {
  ...OFF,
  connect: { count: 2, perMs: 1_000 },
  guest: { count: 1, perMs: 1_000 },
};
const config = { limits, networkLimits: OFF };

describe("the IP limiter", () => {
  it("[L6] the limiter names rule, limit and wait, and does not ask again before the wait is over", async () => {
    let now = 0;
    const windows = new IpWindows();
    const ask = vi.fn<IpLimitsCall>(async (_, what) => windows.check(what, now).answer);
    const limiter = new IpLimiter(config, ask, SECRET, () => now);
    const attempt = () => limiter.consume("house", [{ rule: "connect", always: true }]);
    expect([await attempt(), await attempt()]).toEqual([undefined, undefined]);
    expect(await attempt()).toMatchObject({
      closeCode: 4429,
      status: 429,
      code: "rate_limited",
      message: "Too many connections from this address (connect: 2 in 1 s); come back in 1.0 s.",
      retryAfterMs: 1_000,
      info: { rule: "connect", limit: { count: 2, perMs: 1_000 } },
    });
    now = 400;
    for (let n = 0; n < 100; n++) expect(await attempt()).toMatchObject({ retryAfterMs: 600 });
    expect(ask).toHaveBeenCalledTimes(3);
    expect(
      await limiter.consume("other", [{ rule: "connect" }]),
      "the limiter asks about another IP address",
    ).toBeUndefined();
    expect(ask).toHaveBeenCalledTimes(4);
    now = 1_000;
    expect(await attempt()).toBeUndefined();
    expect(limiter.state).toMatchObject({ refused: 101, unanswered: 0 });
  });

  it("[L6] the limiter asks no object about rules that are off", async () => {
    const ask = vi.fn<IpLimitsCall>();
    const limiter = new IpLimiter(config, ask, SECRET);
    expect(await limiter.consume("house", [{ rule: "read" }], ["failedToken"])).toBeUndefined();
    expect(ask).not.toHaveBeenCalled();
    expect(
      await new IpLimiter(config, undefined, SECRET).consume("house", [{ rule: "guest" }]),
    ).toBeUndefined();
  });

  it.each([
    ["fails", async () => Promise.reject(new Error("gone"))],
    ["never answers", () => new Promise<never>(() => undefined)],
  ])(
    "[L6] the limiter uses its own counts if the object %s, after a second at most, and then stops asking for a while",
    async (_, broken) => {
      const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const ask = vi.fn<IpLimitsCall>(broken);
      const limiter = new IpLimiter(config, ask, SECRET);
      const startedAt = Date.now();
      expect(await limiter.consume("house", [{ rule: "connect" }])).toBeUndefined();
      expect(Date.now() - startedAt).toBeLessThan(3_000);
      expect(await limiter.consume("house", [{ rule: "connect" }])).toBeUndefined();
      expect(await limiter.consume("house", [{ rule: "connect" }])).toMatchObject({ status: 429 });
      expect(ask).toHaveBeenCalledTimes(1);
      expect(limiter.state).toMatchObject({ asked: 1, unanswered: 3, refused: 1 });
      quiet.mockRestore();
    },
  );

  it("[L6] one object that never answers is skipped alone: the limiter still asks the others", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const addresses: string[] = [];
    const limiter = new IpLimiter(
      config,
      (address) => {
        addresses.push(address);
        return address === "away" ? new Promise(() => undefined) : Promise.resolve({ ok: true });
      },
      SECRET,
    );
    const attempt = (address: string) => limiter.consume(address, [{ rule: "connect" }]);
    await attempt("away");
    await attempt("away");
    await attempt("back");
    await attempt("calm");
    expect(addresses).toEqual(["away", "back", "calm"]);
    expect(limiter.state).toMatchObject({ asked: 3, unanswered: 2 });
    quiet.mockRestore();
  });

  it("[L6] full objects are no outage: the limiter uses its own counts, and still asks them", async () => {
    const ask = vi.fn<IpLimitsCall>(async () => ({ ok: true, isFull: true }));
    const limiter = new IpLimiter(config, ask, SECRET, () => 0);
    const attempt = (address: string) => limiter.consume(address, [{ rule: "connect" }]);
    for (const address of ["a", "b", "c", "d", "e"]) {
      expect([await attempt(address), await attempt(address)]).toEqual([undefined, undefined]);
      expect(await attempt(address)).toMatchObject({ status: 429 });
    }
    expect(ask).toHaveBeenCalledTimes(15);
    expect(limiter.state).toMatchObject({ asked: 15, unanswered: 15, refused: 5 });
  });

  it("[D7] a full object does not prevent the ban of a guest, and the log says that new guests can still come", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const limit = { count: 2, perMs: 1_000 };
    await createGuestBlocker(limit, async () => ({ ok: true }))("home");
    expect(log).not.toHaveBeenCalled();
    await createGuestBlocker(limit, async () => ({ ok: true, isFull: true }))("home");
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });

  it("[L6] several objects that fail at once are an outage, and the limiter asks none for two seconds", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    let now = 0;
    const ask = vi.fn<IpLimitsCall>(() => Promise.reject(new Error("gone")));
    const limiter = new IpLimiter(config, ask, SECRET, () => now);
    const attempt = (address: string) => limiter.consume(address, [{ rule: "connect" }]);
    for (const address of ["a", "b", "c", "d", "e", "f", "g"]) await attempt(address);
    expect(ask).toHaveBeenCalledTimes(4);
    now = 1_999;
    await attempt("e");
    expect(ask).toHaveBeenCalledTimes(4);
    now = 2_000;
    await attempt("e");
    expect(ask).toHaveBeenCalledTimes(5);
    quiet.mockRestore();
  });

  it("[L6] the limiter knows what the object let through before it failed", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const windows = new IpWindows();
    let isAway = false;
    const limiter = new IpLimiter(
      config,
      async (_, what) => {
        if (isAway) throw new Error("gone");
        return windows.check(what, Date.now()).answer;
      },
      SECRET,
    );
    expect(await limiter.consume("house", [{ rule: "guest", once: "a" }])).toBeUndefined();
    isAway = true;
    expect(await limiter.consume("house", [{ rule: "guest", once: "a" }]), "the same guest").toBeUndefined();
    expect(await limiter.consume("house", [{ rule: "guest", once: "b" }])).toMatchObject({
      info: { rule: "guest" },
    });
    quiet.mockRestore();
  });

  it("[L6] the limiter knows the attempts before the object failed, including rejected ones", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const windows = new IpWindows();
    let isAway = false;
    const limiter = new IpLimiter(
      config,
      async (_, what) => {
        if (isAway) throw new Error("gone");
        return windows.check(what, Date.now()).answer;
      },
      SECRET,
    );
    const attempt = (once: string) =>
      limiter.consume("house", [
        { rule: "connect", always: true },
        { rule: "guest", once },
      ]);
    expect(await attempt("a")).toBeUndefined();
    expect(await attempt("b")).toMatchObject({ info: { rule: "guest" } });
    isAway = true;
    expect(await limiter.consume("house", [{ rule: "connect" }])).toMatchObject({
      info: { rule: "connect" },
    });
    quiet.mockRestore();
  });

  it("[L6] the limiter distinguishes IP addresses even without a secret", async () => {
    const env = {
      AUTH_JWKS_URL: "https://keys.example.org/jwks",
      AUTH_ISSUER: "i",
      AUTH_AUDIENCE: "a",
    };
    const read = readConfig(env);
    if (!read.ok) throw new Error(read.problems.join(" "));
    const gate = createEdgeContext(read.config, {
      kinds: new Set(["main"]),
      clientIpOf: ({ headers }) => headers.get("From") ?? undefined,
    });
    const from = (address: string) =>
      gate.ipHashOf(new Request("https://play.example.org", { headers: { From: address } }));
    expect(await from("203.0.113.7")).toMatch(/^[\w-]{16}$/);
    expect(await from("203.0.113.7")).toBe(await from("203.0.113.7"));
    expect(await from("203.0.113.7")).not.toBe(await from("203.0.113.8"));
  });

  it("the limiter stores a hash of an IP address that only the secret can produce", async () => {
    const hash = (secret: string | undefined) =>
      new IpLimiter(config, undefined, secret).hashIp("203.0.113.7");
    expect(await hash(SECRET)).toMatch(/^[\w-]{16}$/);
    expect(await hash(SECRET)).toBe(await hash(SECRET));
    expect(await hash(`${SECRET}!`)).not.toBe(await hash(SECRET));
    expect(await hash(undefined)).toBeUndefined();
  });
});
