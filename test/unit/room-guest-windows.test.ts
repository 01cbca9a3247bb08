import { describe, expect, it } from "vitest";
import { MAX_REJECTIONS } from "../../src/protocol/limits";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const limited = { rules: { "presence.set": null } };
const IP_HASH = "hash-of-a-house1";
const QUARTER_MS = 900_000;

function joinGuest(stage: RoomStage, name: string, from: string | null = IP_HASH): RoomTab {
  return stage.join(`guest-${name}`, { guest: true, ...(from === null ? {} : { from }) });
}

/** The number of these lines that were accepted. */
function countAccepted(stage: RoomStage, tab: RoomTab, lines: number): number {
  const ids = Array.from({ length: lines }, (_, n) => stage.say(tab, `line ${n}`));
  stage.advance(200);
  tab.read();
  return ids.filter((id) => tab.acks.has(id)).length;
}

describe("a guest's window", () => {
  it("[L4] the window applies to the IP address too: a new guest gets no new window", async () => {
    const stage = await RoomStage.open({ settings: limited });
    expect(countAccepted(stage, joinGuest(stage, "one"), 6)).toBe(6);
    const two = joinGuest(stage, "two");
    expect(countAccepted(stage, two, 6)).toBe(4);
    expect(two.nacks[0]).toMatchObject({ code: "rate_limited", info: { rule: "chat.say" } });
    expect(countAccepted(stage, joinGuest(stage, "three"), 6)).toBe(0);
    expect(countAccepted(stage, joinGuest(stage, "four", "another-house-12"), 6), "another IP address").toBe(
      6,
    );
    const member = stage.join("ann", { from: IP_HASH });
    expect(countAccepted(stage, member, 12), "a user with a token has a separate window").toBe(10);
  });

  it("[L4] the window applies to a thousand guests of one IP address as to one", async () => {
    const stage = await RoomStage.open({ settings: limited });
    let accepted = 0;
    for (let n = 0; n < 1_000; n++) {
      const one = joinGuest(stage, `${n}`);
      accepted += countAccepted(stage, one, 2);
      stage.leave(one);
    }
    // Two hundred seconds and the grace of a minute's window: ten lines in any sixty seconds.
    const span = 1_000 * 200;
    expect(accepted).toBeLessThanOrEqual(10 * (Math.floor(span / 60_000) + 1));
    expect(accepted).toBeGreaterThanOrEqual(10 * Math.floor(span / 60_000));
  });

  it("[L4] the rejection names the longer wait of the two, exactly", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const one = joinGuest(stage, "one");
    stage.advance(100);
    const firstAt = stage.now;
    countAccepted(stage, one, 10);
    stage.advance(5_000);
    const two = joinGuest(stage, "two");
    stage.advance(100);
    stage.say(two, "more");
    expect(two.read().nacks.at(-1)).toMatchObject({ retryAfterMs: firstAt + 60_000 - stage.now });
    stage.advance(firstAt + 60_000 - stage.now);
    const id = stage.say(two, "now");
    stage.advance(200);
    expect(two.read().acks.has(id)).toBe(true);
  });

  it.each(["a crash", "a snapshot and a crash", "sleep"])("[L4] the window survives %s", async (what) => {
    const stage = await RoomStage.open({ settings: limited });
    const one = joinGuest(stage, "one");
    expect(countAccepted(stage, one, 10)).toBe(10);
    const bob = stage.join("bob");
    for (let n = 0; what === "a snapshot and a crash" && n < 520; n++) {
      stage.do(bob, "lab", "add", { n: 1 });
      stage.advance(6);
    }
    stage.advance(500);
    if (what === "sleep") await stage.sleep();
    else await stage.crash();
    if (what === "sleep") expect(countAccepted(stage, one, 1), "the socket that slept").toBe(0);
    expect(countAccepted(stage, joinGuest(stage, "two"), 1)).toBe(0);
    expect(countAccepted(stage, joinGuest(stage, "far", "another-house-12"), 1)).toBe(1);
    stage.expectNoViolations();
  });

  it("[L4] a window of signals applies to the IP address too", async () => {
    const stage = await RoomStage.open({
      settings: { rules: { "chat.typing": { count: 2, perMs: 10_000 } } },
    });
    const [one, two] = [joinGuest(stage, "one"), joinGuest(stage, "two")];
    stage.advance(200);
    for (const tab of [one, two, one, two]) stage.signal(tab, "chat", "typing");
    stage.advance(200);
    expect([one.read().nacks.length, two.read().nacks.length]).toEqual([1, 1]);
  });

  it("the window is the guest's alone if no IP address is known", async () => {
    const stage = await RoomStage.open({ settings: limited });
    for (const name of ["one", "two"])
      expect(countAccepted(stage, joinGuest(stage, name, null), 12)).toBe(10);
  });
});

describe("messages of guests with one IP address", () => {
  const clock = { t: "clock", t0: 1 };
  const crowd = (stage: RoomStage, guests: number, from?: string | null) => {
    const tabs = Array.from({ length: guests }, (_, n) => joinGuest(stage, `${from}-${n}`, from));
    stage.advance(1_000);
    for (const tab of tabs) tab.read();
    return tabs;
  };
  const refused = (tabs: RoomTab[]) => tabs.flatMap((tab) => tab.read().nacks.splice(0));

  it.each([
    ["connection", clock, 50, 10, 800, 1_000],
    ["upkeep", { t: "seen", seq: 1 }, 310, 10, 16_000, 10_000],
    ["verify", { t: "verify" }, 10, 0, 320, 10_000],
  ])(
    "[L8] the rule %s counts the messages together: sixty guests have no sixty limits",
    async (rule, message, each, share, most, perMs) => {
      const stage = await RoomStage.open({ settings: { actionRate: { count: 50, perMs: 1_000 } } });
      const tabs = crowd(stage, 60);
      for (const tab of tabs) for (let n = 0; n < each; n++) stage.send(tab, message);
      const nacks = refused(tabs);
      expect(nacks).toHaveLength(60 * (each - share) - most);
      expect(nacks[0]).toMatchObject({
        code: "rate_limited",
        retryAfterMs: perMs,
        info: { rule, limit: { count: most, perMs } },
      });
      const [far] = crowd(stage, 1, "another-house-12");
      if (!far) throw new Error("the guest did not join");
      const member = stage.join("ann", { from: IP_HASH });
      stage.advance(100);
      for (const tab of [far, member]) {
        stage.send(tab, message);
        expect(tab.read().nacks, "another IP address, and a member with a token").toEqual([]);
      }
      stage.advance(perMs);
      for (const tab of tabs) stage.send(tab, message);
      expect(refused(tabs)).toEqual([]);
    },
  );

  it("[L8] leaves each connection a share that no other guest can use up", async () => {
    const stage = await RoomStage.open({ settings: { actionRate: { count: 50, perMs: 1_000 } } });
    const tabs = crowd(stage, 60);
    const reader = stage.join("guest-honest", { guest: true, from: IP_HASH });
    stage.advance(1_000);
    for (const tab of tabs) {
      for (let n = 0; n < 400; n++) stage.send(tab, { t: "seen", seq: 1 });
      for (let n = 0; n < 40; n++) stage.send(tab, clock);
    }
    for (let n = 0; n < 10; n++) {
      stage.send(reader, n % 2 ? "ping" : { t: "seen", seq: reader.read().seq });
      stage.send(reader, clock);
    }
    expect(reader.read().nacks).toEqual([]);
    stage.send(reader, "ping");
    stage.send(reader, clock);
    expect(reader.read().nacks.map(({ info }) => info?.rule)).toEqual(["upkeep", "connection"]);
  });

  it("[L8] never keeps a guest from repeating a mark", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const [reader] = crowd(stage, 1, IP_HASH);
    if (!reader) throw new Error("no guest joined");
    const talker = stage.join("talker");
    stage.advance(1_000);
    stage.deaf.add(reader);
    for (let sent = 0; sent < 16; sent++) {
      stage.do(talker, "lab", "many", { count: 19, chars: 1_000 });
      stage.advance(10);
    }
    expect(reader.peer.mark).toBeDefined();
    for (let n = 0; n < 1_000; n++) stage.send(reader, { t: "seen", seq: 1 });
    reader.read().nacks.splice(0);
    stage.prove(reader);
    expect(reader.read().nacks).toEqual([]);
    stage.send(reader, { t: "seen", seq: 1 });
    expect(reader.read().nacks).toHaveLength(1);
  });

  it("[L8] closes for the refusals of all only a guest who earned many, and penalises no other", async () => {
    const stage = await RoomStage.open({ settings: limited });
    const [innocent, ...tabs] = crowd(stage, 6);
    if (!innocent) throw new Error("no guest joined");
    for (const tab of tabs)
      for (let n = 0; n < 801 && tab.byes.length === 0; n++) stage.send(tab, "nonsense");
    expect(tabs.map((tab) => tab.read().byes.length)).toEqual([0, 0, 0, 0, 1]);
    for (let n = 0; n < MAX_REJECTIONS / 4; n++) stage.send(innocent, "nonsense");
    expect(innocent.read().byes, "a guest with few refusals stays").toEqual([]);
    const newcomer = joinGuest(stage, "newcomer");
    stage.advance(100);
    expect(newcomer.read().welcomes, "the address is not penalised").toHaveLength(1);
    expect(newcomer.byes).toEqual([]);
    stage.send(innocent, "nonsense");
    expect(innocent.read().byes).toMatchObject([{ code: 4429, retryAfterMs: 10_000 }]);
    stage.rejoin(innocent);
    expect(innocent.read().byes.at(-1), "who was closed stays away").toMatchObject({ code: 4429 });
    stage.expectNoViolations();
  });

  it("the room counts each guest alone if no IP address is known", async () => {
    const stage = await RoomStage.open({ settings: { actionRate: { count: 50, perMs: 1_000 } } });
    const tabs = crowd(stage, 60, null);
    for (const tab of tabs) for (let n = 0; n < 20; n++) stage.send(tab, clock);
    expect(refused(tabs)).toEqual([]);
  });
});

describe("a user who exceeds limits again and again", () => {
  function offend(stage: RoomStage, tab: RoomTab): number {
    stage.advance(200);
    const before = tab.read().byes.length;
    for (let n = 0; n <= MAX_REJECTIONS; n++) stage.send(tab, "nonsense");
    const bye = tab.read().byes[before];
    expect(bye).toMatchObject({ code: 4429 });
    return Number(bye?.retryAfterMs);
  }

  it("[M6] the penalty doubles each time, up to a quarter of an hour, until an hour has passed", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const pauses: number[] = [];
    for (let n = 0; n < 9; n++) {
      const pause = offend(stage, ann);
      pauses.push(pause);
      stage.rejoin(ann);
      expect(ann.read().byes.at(-1), "too early").toMatchObject({ code: 4429, retryAfterMs: pause });
      stage.advance(pause - 1);
      stage.rejoin(ann);
      expect(ann.read().byes.at(-1), "too early by a moment").toMatchObject({ code: 4429, retryAfterMs: 1 });
      stage.advance(1);
      stage.rejoin(ann);
    }
    expect(pauses.slice(0, 8)).toEqual([10, 20, 40, 80, 160, 320, 640, 900].map((s) => s * 1_000));
    expect(pauses[8]).toBe(QUARTER_MS);
    stage.advance(3_600_000);
    stage.rejoin(ann);
    stage.advance(200);
    expect(offend(stage, ann)).toBe(10_000);
    stage.expectNoViolations();
  });

  it("[M6] the penalty survives the process, and affects no other user", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.join("bob");
    expect(offend(stage, ann)).toBe(10_000);
    stage.advance(1_000);
    await stage.crash();
    stage.rejoin(ann);
    expect(ann.read().byes.at(-1)).toMatchObject({ code: 4429, retryAfterMs: 9_000 });
    const bob = stage.join("bob", { tab: "other" });
    stage.advance(100);
    expect(bob.read().welcomes).toHaveLength(1);
    stage.advance(9_000);
    stage.rejoin(ann);
    stage.advance(200);
    expect(offend(stage, ann)).toBe(20_000);
  });

  it("[M6] a guest with a penalty cannot return as another guest of the same IP address", async () => {
    const stage = await RoomStage.open();
    offend(stage, joinGuest(stage, "one"));
    const two = joinGuest(stage, "two");
    const far = joinGuest(stage, "far", "another-house-12");
    stage.advance(200);
    expect(two.read().byes).toMatchObject([{ code: 4429 }]);
    expect(far.read().byes).toEqual([]);
    const member = stage.join("ann", { from: IP_HASH });
    stage.advance(200);
    expect(member.read().welcomes).toHaveLength(1);
  });
});
