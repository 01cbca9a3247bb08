import { describe, expect, it, vi } from "vitest";
import { AddressDesk, type AddressLimits, type AskAddress } from "../../src/platform/addresses/address-desk";
import { AddressObject } from "../../src/platform/addresses/address-object";
import { type AddressAsk, AddressWindows, filling } from "../../src/platform/addresses/address-windows";
import { readConfig } from "../../src/platform/config";
import { openGate } from "../../src/platform/edge/gate";
import type { ObjectStorage } from "../../src/platform/room-storage";
import { freshSeed, randomFrom } from "../platforms/random";
import { SECRET } from "../support/edge";
import { MemoryWorld } from "../support/memory-world";

const MINUTE_MS = 60_000;
const rule = (name: string, count: number, perMs: number, more: { once?: string; always?: true } = {}) => ({
  rule: name,
  count,
  perMs,
  ...more,
});
const take = (...rules: AddressAsk["take"]): AddressAsk => ({ take: rules, look: [] });

describe("the windows of an address", () => {
  it("[L6] count nothing of what is refused, but a knock", () => {
    const windows = new AddressWindows();
    const guest = rule("guest", 1, 10_000);
    const connect = rule("connect", 3, MINUTE_MS, { always: true });
    const ask = (now: number) => windows.ask(take(connect, guest), now).answer;
    expect(ask(0)).toEqual({ ok: true });
    expect(ask(1_000)).toEqual({ ok: false, rule: "guest", retryAfterMs: 9_000 });
    expect(ask(2_000)).toEqual({ ok: false, rule: "guest", retryAfterMs: 8_000 });
    // Three knocks by now: the longer of both waits is told.
    expect(ask(3_000)).toEqual({ ok: false, rule: "connect", retryAfterMs: 57_000 });
    expect(ask(59_999)).toEqual({ ok: false, rule: "connect", retryAfterMs: 1 });
    expect(ask(60_000)).toEqual({ ok: true });
  });

  it("[L6] count somebody once, as long as the window is wide", () => {
    const windows = new AddressWindows();
    const ask = (once: string, now: number) =>
      windows.ask(take(rule("guest", 2, 1_000, { once })), now).answer.ok;
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
    const windows = new AddressWindows();
    const failed = rule("failedToken", 1, 1_000);
    for (let n = 0; n < 5; n++) expect(windows.ask({ take: [], look: [failed] }, n).answer.ok).toBe(true);
    windows.ask(take(failed), 5);
    expect(windows.ask({ take: [], look: [failed] }, 6).answer).toMatchObject({ retryAfterMs: 999 });
  });

  it("[D7] once filled stay so for their whole width, also where they were full and about to open", () => {
    const windows = new AddressWindows();
    const asked = { take: [rule("guest", 2, 1_000)], look: [] };
    for (const at of [0, 100]) windows.ask(asked, at);
    windows.ask(filling(rule("guest", 2, 1_000)), 900);
    expect(windows.ask(asked, 1_200).answer).toEqual({ ok: false, rule: "guest", retryAfterMs: 700 });
    expect(windows.ask(asked, 1_900).answer).toEqual({ ok: true });
  });

  it("[L6] go on when the clock went back", () => {
    const windows = new AddressWindows();
    const one = rule("read", 1, 1_000);
    expect(windows.ask(take(one), 5_000).answer.ok).toBe(true);
    // At half speed, until the clock has caught up.
    expect(windows.ask(take(one), 1_000).answer).toMatchObject({ retryAfterMs: 2_000 });
    expect(windows.ask(take(one), 2_900).answer).toMatchObject({ retryAfterMs: 100 });
    expect(windows.ask(take(one), 3_000).answer.ok).toBe(true);
  });
});

/** An address over a storage that can be reopened, as after a restart. */
function place() {
  const world = new MemoryWorld();
  let object: AddressObject;
  const reopen = () => {
    world.crash(Number.POSITIVE_INFINITY);
    const storage: ObjectStorage = world.ports.storage;
    object = new AddressObject(storage, (work) => work());
  };
  reopen();
  const ask = async (what: AddressAsk) => {
    const answer = await object.ask(what, world.now);
    world.settle();
    return answer;
  };
  /** Time passes; the alarm rings where it is due. */
  const pass = async (ms: number) => {
    world.now += ms;
    if (world.alarmAt === null || world.alarmAt > world.now) return;
    world.ring();
    await object.alarm(world.now);
    world.settle();
  };
  return { world, ask, pass, reopen };
}

describe("the object of an address", () => {
  it("[L6] agrees with one that never restarts, over 20,000 random steps with restarts", async () => {
    const random = randomFrom(freshSeed());
    const { world, ask, pass, reopen } = place();
    const model = new AddressWindows();
    const rules = [
      rule("connect", 40, 5_000, { always: true }),
      rule("read", 120, 7_000),
      rule("newRoom", 3, 9_000),
    ];
    let refused = 0;
    for (let step = 0; step < 20_000; step++) {
      if (random.below(500) === 0) reopen();
      await pass(random.below(3) === 0 ? random.below(150) : 0);
      const wanted = rules.filter(() => random.below(3) === 0);
      const asked = {
        take: [...wanted, rule("guest", 5, 4_000, { once: `g${random.below(12)}` })],
        look: rules,
      };
      const answer = await ask(asked);
      const expected = model.ask(asked, world.now).answer;
      if (!answer.ok) refused++;
      if (JSON.stringify(answer) !== JSON.stringify(expected)) {
        expect.fail(`seed ${random.seed}, step ${step}: ${JSON.stringify({ answer, expected })}`);
      }
    }
    expect(refused).toBeGreaterThan(1_000);
    expect(refused).toBeLessThan(19_900);
  });

  it("[D7] fills a window as wide as any in one write a record, and knows it over a restart", async () => {
    const { world, ask, pass, reopen } = place();
    const guest = rule("guest", 5_000, 60_000);
    expect((await ask(filling(guest))).ok).toBe(true);
    expect(world.counts.puts).toBe(50);
    reopen();
    await pass(59_999);
    expect(await ask(take(guest))).toMatchObject({ ok: false, retryAfterMs: 1 });
    await pass(1);
    expect((await ask(take(guest))).ok).toBe(true);
  });

  it("[L5] keeps what is inside its windows, whatever ever came, and nothing in the end", async () => {
    const { world, ask, pass, reopen } = place();
    const read = rule("read", 1_000, MINUTE_MS);
    let most = { keys: 0, bytes: 0 };
    for (let n = 0; n < 30_000; n++) {
      await ask(take(read));
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
    expect((await ask(take(read))).ok).toBe(true);
  });
});

const limits: AddressLimits = {
  connect: { count: 2, perMs: 1_000 },
  newRoom: null,
  guest: { count: 1, perMs: 1_000 },
  failedToken: null,
  read: null,
  readMiss: null,
  live: null,
};

describe("the desk that asks", () => {
  it("[L6] names rule, limit and wait, and does not ask again before it is over", async () => {
    let now = 0;
    const windows = new AddressWindows();
    const ask = vi.fn<AskAddress>(async (_, what) => windows.ask(what, now).answer);
    const desk = new AddressDesk(limits, ask, SECRET, () => now);
    const knock = () => desk.take("house", [{ rule: "connect", always: true }]);
    expect([await knock(), await knock()]).toEqual([undefined, undefined]);
    expect(await knock()).toMatchObject({
      close: 4429,
      status: 429,
      code: "rate_limited",
      reason: "Too many connections from this address (connect: 2 in 1 s); come back in 1.0 s.",
      retryAfterMs: 1_000,
      info: { rule: "connect", limit: { count: 2, perMs: 1_000 } },
    });
    now = 400;
    for (let n = 0; n < 100; n++) expect(await knock()).toMatchObject({ retryAfterMs: 600 });
    expect(ask).toHaveBeenCalledTimes(3);
    expect(await desk.take("other", [{ rule: "connect" }]), "another address is asked about").toMatchObject(
      {},
    );
    now = 1_000;
    expect(await knock()).toBeUndefined();
    expect(desk.state).toMatchObject({ refused: 102, unanswered: 0 });
  });

  it("[L6] asks nobody about rules that are off", async () => {
    const ask = vi.fn<AskAddress>();
    const desk = new AddressDesk(limits, ask, SECRET);
    expect(await desk.take("house", [{ rule: "read" }], ["failedToken"])).toBeUndefined();
    expect(ask).not.toHaveBeenCalled();
    expect(
      await new AddressDesk(limits, undefined, SECRET).take("house", [{ rule: "guest" }]),
    ).toBeUndefined();
  });

  it.each([
    ["fails", async () => Promise.reject(new Error("gone"))],
    ["never answers", () => new Promise<never>(() => undefined)],
  ])(
    "[L6] judges by what it has seen itself when the object %s, after a second at most, and rests then",
    async (_, broken) => {
      const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const ask = vi.fn<AskAddress>(broken);
      const desk = new AddressDesk(limits, ask, SECRET);
      const startedAt = Date.now();
      expect(await desk.take("house", [{ rule: "connect" }])).toBeUndefined();
      expect(Date.now() - startedAt).toBeLessThan(3_000);
      expect(await desk.take("house", [{ rule: "connect" }])).toBeUndefined();
      expect(await desk.take("house", [{ rule: "connect" }])).toMatchObject({ status: 429 });
      expect(ask).toHaveBeenCalledTimes(1);
      expect(desk.state).toMatchObject({ asked: 1, unanswered: 3, refused: 1 });
      quiet.mockRestore();
    },
  );

  it("[L6] knows what the object let through before it went away", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const windows = new AddressWindows();
    let isAway = false;
    const desk = new AddressDesk(
      limits,
      async (_, what) => {
        if (isAway) throw new Error("gone");
        return windows.ask(what, Date.now()).answer;
      },
      SECRET,
    );
    expect(await desk.take("house", [{ rule: "guest", once: "a" }])).toBeUndefined();
    isAway = true;
    expect(await desk.take("house", [{ rule: "guest", once: "a" }]), "the same guest").toBeUndefined();
    expect(await desk.take("house", [{ rule: "guest", once: "b" }])).toMatchObject({
      info: { rule: "guest" },
    });
    quiet.mockRestore();
  });

  it("[L6] knows who knocked before the object went away, also whom it refused", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const windows = new AddressWindows();
    let isAway = false;
    const desk = new AddressDesk(
      limits,
      async (_, what) => {
        if (isAway) throw new Error("gone");
        return windows.ask(what, Date.now()).answer;
      },
      SECRET,
    );
    const knock = (once: string) =>
      desk.take("house", [
        { rule: "connect", always: true },
        { rule: "guest", once },
      ]);
    expect(await knock("a")).toBeUndefined();
    expect(await knock("b")).toMatchObject({ info: { rule: "guest" } });
    isAway = true;
    expect(await desk.take("house", [{ rule: "connect" }])).toMatchObject({ info: { rule: "connect" } });
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
    const gate = openGate(read.config, {
      kinds: new Set(["main"]),
      addressOf: ({ headers }) => headers.get("From") ?? undefined,
    });
    const from = (address: string) =>
      gate.from(new Request("https://play.example.org", { headers: { From: address } }));
    expect(await from("203.0.113.7")).toMatch(/^[\w-]{16}$/);
    expect(await from("203.0.113.7")).toBe(await from("203.0.113.7"));
    expect(await from("203.0.113.7")).not.toBe(await from("203.0.113.8"));
  });

  it("keeps of an address a hash that nobody without the secret can make", async () => {
    const hash = (secret: string | undefined) =>
      new AddressDesk(limits, undefined, secret).hash("203.0.113.7");
    expect(await hash(SECRET)).toMatch(/^[\w-]{16}$/);
    expect(await hash(SECRET)).toBe(await hash(SECRET));
    expect(await hash(`${SECRET}!`)).not.toBe(await hash(SECRET));
    expect(await hash(undefined)).toBeUndefined();
  });
});
