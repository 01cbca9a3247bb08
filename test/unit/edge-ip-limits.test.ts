import { describe, expect, it, vi } from "vitest";
import { readConfig } from "../../src/config/config";
import { createEdgeContext } from "../../src/edge/edge-context";
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

describe("the windows of an address", () => {
  it("[L6] count nothing of what is refused, but a knock", () => {
    const windows = new IpWindows();
    const guest = makeRule("guest", 1, 10_000);
    const connect = makeRule("connect", 3, MINUTE_MS, { always: true });
    const ask = (now: number) => windows.check(consume(connect, guest), now).answer;
    expect(ask(0)).toEqual({ ok: true });
    expect(ask(1_000)).toEqual({ ok: false, rule: "guest", of: HOUSE, retryAfterMs: 9_000 });
    expect(ask(2_000)).toEqual({ ok: false, rule: "guest", of: HOUSE, retryAfterMs: 8_000 });
    // Three knocks by now: the longer of both waits is told.
    expect(ask(3_000)).toEqual({ ok: false, rule: "connect", of: HOUSE, retryAfterMs: 57_000 });
    expect(ask(59_999)).toEqual({ ok: false, rule: "connect", of: HOUSE, retryAfterMs: 1 });
    expect(ask(60_000)).toEqual({ ok: true });
  });

  it("[L6] count somebody once, as long as the window is wide", () => {
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

  it("[L6] only look where nothing is to be counted", () => {
    const windows = new IpWindows();
    const failed = makeRule("failedToken", 1, 1_000);
    for (let n = 0; n < 5; n++)
      expect(windows.check({ consume: [], peek: [failed] }, n).answer.ok).toBe(true);
    windows.check(consume(failed), 5);
    expect(windows.check({ consume: [], peek: [failed] }, 6).answer).toMatchObject({ retryAfterMs: 999 });
  });

  it("[D7] once filled stay so for their whole width, also where they were full and about to open", () => {
    const windows = new IpWindows();
    const asked = { consume: [makeRule("guest", 2, 1_000)], peek: [] };
    for (const at of [0, 100]) windows.check(asked, at);
    windows.check(exhaust("guest", { of: HOUSE, count: 2, perMs: 1_000 }), 900);
    expect(windows.check(asked, 1_200).answer).toEqual({
      ok: false,
      rule: "guest",
      of: HOUSE,
      retryAfterMs: 700,
    });
    expect(windows.check(asked, 1_900).answer).toEqual({ ok: true });
  });

  it("[L6] go on when the clock went back", () => {
    const windows = new IpWindows();
    const one = makeRule("read", 1, 1_000);
    expect(windows.check(consume(one), 5_000).answer.ok).toBe(true);
    // At half speed, until the clock has caught up.
    expect(windows.check(consume(one), 1_000).answer).toMatchObject({ retryAfterMs: 2_000 });
    expect(windows.check(consume(one), 2_900).answer).toMatchObject({ retryAfterMs: 100 });
    expect(windows.check(consume(one), 3_000).answer.ok).toBe(true);
  });
});

/** An address over a storage that can be reopened, as after a restart. */
function openIpObject(maxStamps?: number) {
  const world = new MemoryRuntime();
  let object: IpWindowsStore;
  const reopen = () => {
    world.crash(Number.POSITIVE_INFINITY);
    const storage: Storage = world.ports.storage;
    object = new IpWindowsStore(storage, (work) => work(), maxStamps);
  };
  reopen();
  const ask = async (what: IpLimitRequest) => {
    const answer = await object.check(what, world.now);
    world.makeDurable();
    return answer;
  };
  /** Time passes; the alarm rings where it is due. */
  const pass = async (ms: number) => {
    world.now += ms;
    if (world.alarmAt === null || world.alarmAt > world.now) return;
    world.beginAlarm();
    await object.alarm(world.now);
    world.makeDurable();
  };
  return { world, ask, pass, reopen, object: () => object };
}

describe("windows of many addresses in one object", () => {
  it("[L6] agrees with one that never restarts, over 20,000 random steps with restarts", async () => {
    const random = randomFrom(freshSeed());
    const { world, ask, pass, reopen } = openIpObject();
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
      await pass(random.below(3) === 0 ? random.below(150) : 0);
      const nth = random.below(6);
      const rules = [
        at(nth, "connect", 10, 5_000, { always: true }),
        at(nth, "read", 30, 7_000),
        at(nth, "newRoom", 2, 9_000),
      ];
      const wanted = rules.filter(() => random.below(3) === 0);
      const asked = {
        consume: [...wanted, at(nth, "guest", 2, 4_000, { once: `g${random.below(30)}` })],
        peek: rules,
      };
      const answer = await ask(asked);
      const expected = model.check(asked, world.now).answer;
      if (!answer.ok) refused++;
      if (JSON.stringify(answer) !== JSON.stringify(expected)) {
        expect.fail(`seed ${random.seed}, step ${step}: ${JSON.stringify({ answer, expected })}`);
      }
    }
    expect(refused).toBeGreaterThan(1_000);
    expect(refused).toBeLessThan(19_900);
  });

  it("[D7] fills a window as wide as any in one write a record, and knows it over a restart", async () => {
    const { world, ask, pass, reopen } = openIpObject();
    const guest = makeRule("guest", 5_000, 60_000);
    expect((await ask(exhaust("guest", { of: HOUSE, count: 5_000, perMs: 60_000 }))).ok).toBe(true);
    expect(world.counts.puts).toBe(50);
    reopen();
    await pass(59_999);
    expect(await ask(consume(guest))).toMatchObject({ ok: false, retryAfterMs: 1 });
    await pass(1);
    expect((await ask(consume(guest))).ok).toBe(true);
  });

  it("[L5] lets go of what short windows counted while longer ones still hold theirs", async () => {
    const { world, ask, pass } = openIpObject();
    const of = (name: string) => [{ of: name, count: 1_000, perMs: MINUTE_MS }];
    await ask({
      consume: [{ rule: "live", windows: [{ of: "a", count: 9, perMs: 60 * MINUTE_MS }] }],
      peek: [],
    });
    for (let n = 0; n < 500; n++)
      await ask({ consume: [{ rule: "read", windows: of(`address ${n}`) }], peek: [] });
    expect(world.keys().length).toBe(6);
    await pass(MINUTE_MS);
    expect(world.keys().length).toBe(1);
    await pass(60 * MINUTE_MS);
    expect(world.keys()).toEqual([]);
    expect(world.alarmAt).toBeNull();
  });

  it("[L5] holds what memory allows, and fails past that until some of it has aged", async () => {
    const { world, object, pass } = openIpObject(250);
    const at = (n: number) => ({
      consume: [{ rule: "read", windows: [{ of: `${n}`, count: 9, perMs: 1_000 }] }],
      peek: [],
    });
    for (let n = 0; n < 250; n++) expect(await object().check(at(n), world.now)).toEqual({ ok: true });
    await expect(object().check(at(251), world.now)).rejects.toThrow("as many windows as it may");
    await pass(1_000);
    expect(await object().check(at(252), world.now)).toEqual({ ok: true });
  });

  it("[L6] one write stores all that an ask counts, also of two windows", async () => {
    const { world, ask } = openIpObject();
    const windows = (of: string, perMs: number) => [
      { of, count: 9, perMs },
      { of: "net", count: 90, perMs },
    ];
    const before = world.counts.puts;
    await ask({
      consume: [
        { rule: "connect", windows: windows("a", 60_000) },
        { rule: "guest", windows: windows("a", 900_000), once: "g" },
      ],
      peek: [],
    });
    expect(world.counts.puts - before).toBe(1);
  });

  it("[L5] keeps what is inside its windows, whatever ever came, and nothing in the end", async () => {
    const { world, ask, pass, reopen } = openIpObject();
    const read = makeRule("read", 1_000, MINUTE_MS);
    let most = { keys: 0, bytes: 0 };
    for (let n = 0; n < 30_000; n++) {
      await ask(consume(read));
      await pass(30);
      if (n % 100 === 0) {
        most = {
          keys: Math.max(most.keys, world.keys().length),
          bytes: Math.max(most.bytes, world.storedBytes),
        };
      }
    }
    console.log(
      `30,000 reads of an address: at most ${most.keys} records, ${Math.round(most.bytes / 1024)} KiB`,
    );
    // A thousand stamps at a hundred to a record, one that fills and one that ages.
    expect(most.keys).toBeLessThanOrEqual(12);
    expect(most.bytes).toBeLessThan(64 * 1024);
    expect(world.largest.bytes).toBeLessThan(8 * 1024);
    reopen();
    await pass(MINUTE_MS);
    await pass(MINUTE_MS);
    expect(world.keys()).toEqual([]);
    expect(world.alarmAt).toBeNull();
    expect((await ask(consume(read))).ok).toBe(true);
  });
});

describe("the /48 of an IPv6", () => {
  const window = (of: string, count: number) => ({ of, count, perMs: 1_000 });
  const both = (address: string, more: { once?: string; always?: true } = {}) => ({
    consume: [{ rule: "guest", windows: [window(address, 2), window("net", 3)], ...more }],
    peek: [],
  });

  it("[L7] counts what all of its addresses do, and says whose window it was", () => {
    const windows = new IpWindows();
    const ask = (address: string, now: number) => windows.check(both(address), now).answer;
    expect([ask("a", 0), ask("a", 1), ask("b", 2)]).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    expect(ask("c", 3)).toEqual({ ok: false, rule: "guest", of: "net", retryAfterMs: 997 });
    expect(ask("c", 1_000)).toEqual({ ok: true });
  });

  it("[L7] is not used up by an address that is refused", () => {
    const windows = new IpWindows();
    const ask = (address: string) => windows.check(both(address, { always: true }), 0).answer;
    ask("a");
    ask("a");
    for (let n = 0; n < 10; n++) expect(ask("a")).toMatchObject({ ok: false, of: "a" });
    expect(ask("b")).toEqual({ ok: true });
  });

  it("[L7] counts a guest once who moves from one of its addresses to another", () => {
    const windows = new IpWindows();
    const ask = (address: string, once: string) => windows.check(both(address, { once }), 0).answer.ok;
    expect(["a", "b", "c", "d"].map((address) => ask(address, "one"))).toEqual([true, true, true, true]);
    expect([ask("a", "two"), ask("b", "three"), ask("c", "four")]).toEqual([true, true, false]);
  });

  it("[L7] costs no question more: a join asks one object once, for the address and the network", async () => {
    const asked = new Map<string, IpLimitRequest[]>();
    const objects = new Map<string, IpWindows>();
    const desk = new IpLimiter(
      { limits, networkLimits: { ...OFF, connect: { count: 3, perMs: 1_000 } } },
      async (address, what) => {
        const name = objectName(address);
        asked.set(name, [...(asked.get(name) ?? []), what]);
        const windows = objects.get(name) ?? new IpWindows();
        objects.set(name, windows);
        return windows.check(what, 0).answer;
      },
      SECRET,
      () => 0,
    );
    const from = (nth: number) => desk.hashIp(normalizeIp(`2001:db8:7:${nth.toString(16)}::1`));
    const join = async (nth: number) =>
      desk.consume(await from(nth), [{ rule: "connect", always: true }], ["failedToken"]);
    expect([await join(1), await join(2), await join(3)]).toEqual([undefined, undefined, undefined]);
    expect([...asked.values()].flat()).toHaveLength(3);
    expect(asked.size, "all of a network's addresses are in one object").toBe(1);
    expect(await join(4)).toMatchObject({
      message: "Too many connections from this network (connect: 3 in 1 s); come back in 1.0 s.",
      info: { rule: "connect", limit: { count: 3, perMs: 1_000 } },
    });
    // A whole network that is refused is refused from memory.
    for (let nth = 5; nth < 50; nth++) expect(await join(nth)).toMatchObject({ status: 429 });
    expect([...asked.values()].flat()).toHaveLength(4);
    const elsewhere = await desk.hashIp(normalizeIp("2001:db8:8:1::1"));
    expect(await desk.consume(elsewhere, [{ rule: "connect" }])).toBeUndefined();
  });

  it("[L7] as configured: forty new rooms from forty /64s of one /48 are thirty, and an IPv4 has no network", async () => {
    const read = readConfig({});
    if (!read.ok) throw new Error(read.problems.join(" "));
    const objects = new Map<string, IpWindows>();
    const desk = new IpLimiter(
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
      for (let nth = 0; nth < 40; nth++) {
        const from = await desk.hashIp(normalizeIp(address(nth)));
        if (!(await desk.consume(from, [{ rule: "newRoom" }]))) count += 1;
      }
      return count;
    };
    expect(await opened((nth) => `2001:db8:9:${nth}::1`)).toBe(30);
    expect(await opened((nth) => `203.0.113.${nth}`)).toBe(40);
    expect(objects.size).toBeGreaterThan(15);
  });

  it("[L5] the objects are few, however many addresses there are", async () => {
    const desk = new IpLimiter(config, undefined, SECRET);
    const names = new Map<string, number>();
    for (let nth = 0; nth < 4_000; nth++) {
      const name = objectName(String(await desk.hashIp(`10.0.${nth >> 8}.${nth & 255}`)));
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

describe("the desk that asks", () => {
  it("[L6] names rule, limit and wait, and does not ask again before it is over", async () => {
    let now = 0;
    const windows = new IpWindows();
    const ask = vi.fn<IpLimitsCall>(async (_, what) => windows.check(what, now).answer);
    const desk = new IpLimiter(config, ask, SECRET, () => now);
    const knock = () => desk.consume("house", [{ rule: "connect", always: true }]);
    expect([await knock(), await knock()]).toEqual([undefined, undefined]);
    expect(await knock()).toMatchObject({
      closeCode: 4429,
      status: 429,
      code: "rate_limited",
      message: "Too many connections from this address (connect: 2 in 1 s); come back in 1.0 s.",
      retryAfterMs: 1_000,
      info: { rule: "connect", limit: { count: 2, perMs: 1_000 } },
    });
    now = 400;
    for (let n = 0; n < 100; n++) expect(await knock()).toMatchObject({ retryAfterMs: 600 });
    expect(ask).toHaveBeenCalledTimes(3);
    expect(
      await desk.consume("other", [{ rule: "connect" }]),
      "another address is asked about",
    ).toBeUndefined();
    expect(ask).toHaveBeenCalledTimes(4);
    now = 1_000;
    expect(await knock()).toBeUndefined();
    expect(desk.state).toMatchObject({ refused: 101, unanswered: 0 });
  });

  it("[L6] asks nobody about rules that are off", async () => {
    const ask = vi.fn<IpLimitsCall>();
    const desk = new IpLimiter(config, ask, SECRET);
    expect(await desk.consume("house", [{ rule: "read" }], ["failedToken"])).toBeUndefined();
    expect(ask).not.toHaveBeenCalled();
    expect(
      await new IpLimiter(config, undefined, SECRET).consume("house", [{ rule: "guest" }]),
    ).toBeUndefined();
  });

  it.each([
    ["fails", async () => Promise.reject(new Error("gone"))],
    ["never answers", () => new Promise<never>(() => undefined)],
  ])(
    "[L6] judges by what it has seen itself when the object %s, after a second at most, and rests then",
    async (_, broken) => {
      const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const ask = vi.fn<IpLimitsCall>(broken);
      const desk = new IpLimiter(config, ask, SECRET);
      const startedAt = Date.now();
      expect(await desk.consume("house", [{ rule: "connect" }])).toBeUndefined();
      expect(Date.now() - startedAt).toBeLessThan(3_000);
      expect(await desk.consume("house", [{ rule: "connect" }])).toBeUndefined();
      expect(await desk.consume("house", [{ rule: "connect" }])).toMatchObject({ status: 429 });
      expect(ask).toHaveBeenCalledTimes(1);
      expect(desk.state).toMatchObject({ asked: 1, unanswered: 3, refused: 1 });
      quiet.mockRestore();
    },
  );

  it("[L6] one object that never answers rests alone: addresses of other objects are asked about meanwhile", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const asked: string[] = [];
    const desk = new IpLimiter(
      config,
      (address) => {
        asked.push(address);
        return address === "away" ? new Promise(() => undefined) : Promise.resolve({ ok: true });
      },
      SECRET,
    );
    const knock = (address: string) => desk.consume(address, [{ rule: "connect" }]);
    await knock("away");
    await knock("away");
    await knock("back");
    await knock("calm");
    expect(asked).toEqual(["away", "back", "calm"]);
    expect(desk.state).toMatchObject({ asked: 3, unanswered: 2 });
    quiet.mockRestore();
  });

  it("[L6] several objects that fail at once are an outage, in which nobody is asked for two seconds", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    let now = 0;
    const ask = vi.fn<IpLimitsCall>(() => Promise.reject(new Error("gone")));
    const desk = new IpLimiter(config, ask, SECRET, () => now);
    const knock = (address: string) => desk.consume(address, [{ rule: "connect" }]);
    for (const address of ["a", "b", "c", "d", "e", "f", "g"]) await knock(address);
    expect(ask).toHaveBeenCalledTimes(4);
    now = 1_999;
    await knock("e");
    expect(ask).toHaveBeenCalledTimes(4);
    now = 2_000;
    await knock("e");
    expect(ask).toHaveBeenCalledTimes(5);
    quiet.mockRestore();
  });

  it("[L6] knows what the object let through before it went away", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const windows = new IpWindows();
    let isAway = false;
    const desk = new IpLimiter(
      config,
      async (_, what) => {
        if (isAway) throw new Error("gone");
        return windows.check(what, Date.now()).answer;
      },
      SECRET,
    );
    expect(await desk.consume("house", [{ rule: "guest", once: "a" }])).toBeUndefined();
    isAway = true;
    expect(await desk.consume("house", [{ rule: "guest", once: "a" }]), "the same guest").toBeUndefined();
    expect(await desk.consume("house", [{ rule: "guest", once: "b" }])).toMatchObject({
      info: { rule: "guest" },
    });
    quiet.mockRestore();
  });

  it("[L6] knows who knocked before the object went away, also whom it refused", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const windows = new IpWindows();
    let isAway = false;
    const desk = new IpLimiter(
      config,
      async (_, what) => {
        if (isAway) throw new Error("gone");
        return windows.check(what, Date.now()).answer;
      },
      SECRET,
    );
    const knock = (once: string) =>
      desk.consume("house", [
        { rule: "connect", always: true },
        { rule: "guest", once },
      ]);
    expect(await knock("a")).toBeUndefined();
    expect(await knock("b")).toMatchObject({ info: { rule: "guest" } });
    isAway = true;
    expect(await desk.consume("house", [{ rule: "connect" }])).toMatchObject({ info: { rule: "connect" } });
    quiet.mockRestore();
  });

  it("[L6] knows addresses apart also where no secret is set", async () => {
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

  it("keeps of an address a hash that nobody without the secret can make", async () => {
    const hash = (secret: string | undefined) =>
      new IpLimiter(config, undefined, secret).hashIp("203.0.113.7");
    expect(await hash(SECRET)).toMatch(/^[\w-]{16}$/);
    expect(await hash(SECRET)).toBe(await hash(SECRET));
    expect(await hash(`${SECRET}!`)).not.toBe(await hash(SECRET));
    expect(await hash(undefined)).toBeUndefined();
  });
});
