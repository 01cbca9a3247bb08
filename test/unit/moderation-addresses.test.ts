import { describe, expect, it } from "vitest";
import { KICK_MS } from "../../src/features/moderation/decide";
import { DEPARTED_MS } from "../../src/features/moderation/departed-guests";
import { CLOSED_MS, NETWORK_HOLD_MS } from "../../src/features/moderation/ip-holds";
import {
  initialPrivate,
  type PrivateStateEvent,
  reducePrivate,
} from "../../src/features/moderation/private-state";
import { main } from "../../src/kinds/main";
import { RoomStage, type TabOptions } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const HOUSE = "hash-of-a-house1";
const DAY_MS = 86_400_000;

/** A room with the host Hanna, and with a troll and another guest behind one IP address. */
async function house() {
  const stage = await RoomStage.open({ kind: main, settings: { rules: { "chat.say": null } } });
  const guest = (name: string, joining: TabOptions = {}) => {
    const tab = stage.join(`guest-${name}`, { guest: true, from: HOUSE, ...joining });
    stage.advance(100);
    return tab;
  };
  const hanna = stage.join("hanna", { role: "host", from: HOUSE, expiresAt: stage.now + 9 * DAY_MS });
  const sister = guest("sister");
  const troll = guest("troll");
  const moderate = (a: string, user: string, d: Record<string, number> = {}) => {
    stage.do(hanna, "moderation", a, { user, ...d });
    stage.advance(100);
  };
  return { stage, guest, hanna, sister, troll, moderate };
}

const isIn = (tab: RoomTab) => tab.read().welcomes.length > tab.byes.length;

/** `undefined` if the line was accepted, or else the rejection. */
function say(stage: RoomStage, tab: RoomTab) {
  const before = tab.read().nacks.length;
  stage.say(tab, "hello");
  stage.advance(100);
  return tab.read().nacks[before];
}

describe("a penalty for a guest", () => {
  it("[D8] the penalty applies to a new guest of the IP address: another tab does not end a mute", async () => {
    const { stage, guest, troll, moderate } = await house();
    const mutedAt = stage.now;
    moderate("mute", troll.user, { forMs: 600_000 });
    stage.leave(troll);
    const again = guest("troll-again");
    expect(say(stage, again)).toMatchObject({
      code: "muted",
      retryAfterMs: mutedAt + 600_000 - (stage.now - 100),
    });
    stage.do(again, "presence", "set", { status: "rude" });
    expect(again.read().nacks).toHaveLength(2);
    stage.advance(600_000);
    expect(say(stage, again)).toBeUndefined();
    stage.expectNoViolations();
  });

  it("[D8] the penalty affects no other user: not present users, token users or other IP addresses", async () => {
    const { stage, guest, sister, troll, moderate } = await house();
    moderate("mute", troll.user);
    const member = stage.join("ann", { from: HOUSE });
    const far = guest("far", { from: "another-house-12" });
    for (const tab of [sister, member, far]) expect(say(stage, tab), tab.user).toBeUndefined();
    stage.leave(sister);
    stage.advance(60_000);
    const back = guest("sister", { tab: "another" });
    expect(say(stage, back), "a user who was present, and comes back later").toBeUndefined();
    stage.expectNoViolations();
  });

  it("[D8] a guest who was present earlier and had left is not new either", async () => {
    const { stage, guest, sister, troll, moderate } = await house();
    stage.leave(sister);
    stage.advance(1_800_000);
    moderate("mute", troll.user);
    expect(say(stage, guest("sister", { tab: "another" }))).toBeUndefined();
    moderate("ban", troll.user);
    expect(isIn(guest("sister", { tab: "a third" }))).toBe(true);
    stage.expectNoViolations();
  });

  it("[D8] a guest who was muted for the address is still new after leaving and after a second penalty", async () => {
    const { stage, guest, sister, troll, moderate } = await house();
    moderate("mute", troll.user);
    const again = guest("troll-again");
    stage.leave(again);
    stage.advance(60_000);
    moderate("mute", sister.user);
    moderate("unmute", troll.user);
    expect(say(stage, guest("troll-again", { tab: "another" }))).toMatchObject({ code: "muted" });
  });

  it("[D8] a kick keeps new guests of the IP address out as long, with the exact wait", async () => {
    const { stage, guest, sister, troll, moderate } = await house();
    const kickedAt = stage.now;
    moderate("kick", troll.user);
    const again = guest("troll-again");
    expect(again.read().byes).toMatchObject([
      { code: 4429, retryAfterMs: kickedAt + KICK_MS - (stage.now - 100) },
    ]);
    expect(again.byes[0]?.reason).toMatch(/^A guest at your address was removed/);
    stage.connect(sister, { guest: true, from: HOUSE, tab: "second" });
    stage.advance(100);
    expect(isIn(sister)).toBe(true);
    expect(isIn(stage.join("ann", { from: HOUSE })), "a user with a token").toBe(true);
    stage.advance(KICK_MS);
    stage.rejoin(again, { guest: true, from: HOUSE });
    stage.advance(100);
    expect(again.read().welcomes).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("[D8] a ban keeps out new guests for 15 minutes, and mutes new ones for the rest of its time", async () => {
    const { stage, guest, troll, moderate } = await house();
    const bannedAt = stage.now;
    moderate("ban", troll.user);
    for (let n = 0; n < 5; n++) {
      const stocked = guest(`stocked${n}`);
      expect(stocked.read().byes).toMatchObject([
        { code: 4429, retryAfterMs: bannedAt + CLOSED_MS - (stage.now - 100) },
      ]);
    }
    stage.advance(bannedAt + CLOSED_MS - stage.now);
    const again = guest("troll-again");
    expect(isIn(again)).toBe(true);
    expect(say(stage, again)).toMatchObject({ code: "muted" });
    moderate("unban", troll.user);
    expect(say(stage, again)).toBeUndefined();
    stage.expectNoViolations();
  });

  it("[D8] the penalty for the IP address ends after a day", async () => {
    const { stage, guest, troll, moderate } = await house();
    const mutedAt = stage.now;
    moderate("mute", troll.user);
    const lasting = { expiresAt: stage.now + 9 * DAY_MS };
    const again = guest("troll-again", lasting);
    stage.advance(mutedAt + DAY_MS - 200 - stage.now);
    expect(say(stage, again)).toMatchObject({ code: "muted", retryAfterMs: 200 });
    stage.advance(100);
    expect(say(stage, again)).toBeUndefined();
  });

  it("[D8] the penalty is lifted with the guest's own, or by a host for one new guest alone", async () => {
    const { stage, guest, hanna, troll, moderate } = await house();
    moderate("mute", troll.user);
    const [one, two] = [guest("one"), guest("two")];
    moderate("unmute", one.user);
    expect(say(stage, one)).toBeUndefined();
    expect(say(stage, two)).toMatchObject({ code: "muted" });
    moderate("unmute", one.user);
    expect(hanna.read().nacks).toMatchObject([{ code: "conflict" }]);
    moderate("unmute", troll.user);
    expect(say(stage, two)).toBeUndefined();
    expect(say(stage, guest("three"))).toBeUndefined();
    stage.expectNoViolations();
  });

  it("[D8] a repeated penalty, or one for another guest, releases no affected user", async () => {
    const { stage, guest, troll, moderate } = await house();
    moderate("mute", troll.user);
    const again = guest("troll-again");
    moderate("mute", troll.user, { forMs: 3_000_000 });
    expect(say(stage, again), "after another mute of the same guest").toMatchObject({ code: "muted" });
    moderate("mute", again.user);
    const third = guest("third");
    moderate("unmute", again.user);
    expect(say(stage, third), "the first mute still applies").toMatchObject({ code: "muted" });
    stage.expectNoViolations();
  });

  it.each(["a crash", "a snapshot and a crash", "sleep"])("[D8] the penalty survives %s", async (what) => {
    const { stage, guest, hanna, sister, troll, moderate } = await house();
    moderate("mute", troll.user);
    moderate("ban", troll.user);
    for (let n = 0; what === "a snapshot and a crash" && n < 520; n++) {
      stage.say(hanna, `${n}`);
      stage.advance(6);
    }
    stage.advance(500);
    if (what === "sleep") await stage.sleep();
    else await stage.crash();
    expect(isIn(guest("troll-again"))).toBe(false);
    const back = guest("sister", { tab: "another" });
    expect(sister.user).toBe(back.user);
    expect(say(stage, back)).toBeUndefined();
    stage.expectNoViolations();
  });

  it.each(["mute", "kick", "ban"])("[D8] a %s also applies to a guest who left before it", async (action) => {
    const { stage, guest, hanna, sister, troll, moderate } = await house();
    stage.leave(troll);
    stage.advance(DEPARTED_MS - 200);
    moderate(action, troll.user);
    expect(hanna.read().nacks).toEqual([]);
    const again = guest("troll-again");
    if (action === "mute") expect(say(stage, again)).toMatchObject({ code: "muted" });
    else expect(again.read().byes).toMatchObject([{ code: 4429 }]);
    expect(say(stage, sister)).toBeUndefined();
    expect(isIn(guest("troll", { tab: "back" }))).toBe(action === "mute");
    stage.expectNoViolations();
  });

  it("[D8] a penalty does not apply to the address of a guest who left 15 minutes before it", async () => {
    const { stage, guest, hanna, troll, moderate } = await house();
    stage.leave(troll);
    stage.advance(DEPARTED_MS + stage.settings.leaveGraceMs);
    moderate("mute", troll.user);
    expect(say(stage, guest("again"))).toBeUndefined();
    moderate("kick", troll.user);
    expect(hanna.read().nacks).toMatchObject([{ code: "unknown_user" }]);
  });

  it("[D7] the address of a banned guest who left before the ban is reported", async () => {
    const { stage, troll, moderate } = await house();
    stage.leave(troll);
    stage.advance(60_000);
    moderate("ban", troll.user);
    const writes = stage.runtime.startedEffects.filter(({ name }) => name === "moderation/bans");
    expect(writes).toMatchObject([{ request: { writes: [{ user: troll.user, from: HOUSE }] } }]);
  });

  it("the penalty changes nothing without a known IP address, and nothing for a user with a token", async () => {
    const { stage, guest, moderate } = await house();
    const nowhere = stage.join("guest-nowhere", { guest: true });
    stage.join("ann", { from: HOUSE });
    stage.advance(100);
    moderate("ban", nowhere.user);
    moderate("ban", "ann");
    const [one, two] = [guest("one"), stage.join("guest-two", { guest: true })];
    stage.advance(100);
    expect([one, two].map((tab) => say(stage, tab))).toEqual([undefined, undefined]);
  });

  it("[D8] holds at every address at which it was done, and is lifted at all of them", () => {
    const held = (from: string, untilMs: number): PrivateStateEvent => ({
      n: "held",
      at: 0,
      d: { what: "mute", user: "guest-troll", from, at: 0, untilMs, known: [] },
    });
    let hidden = initialPrivate();
    for (const event of [held(HOUSE, 1_000), held("another-house-12", 1_000), held(HOUSE, 2_000)])
      hidden = reducePrivate(hidden, event);
    expect(hidden.holds?.map(({ from, untilMs }) => [from, untilMs])).toEqual([
      ["another-house-12", 1_000],
      [HOUSE, 2_000],
    ]);
    const released = { n: "released", at: 1, d: { what: "mute", user: "guest-troll" } } as const;
    expect(reducePrivate(hidden, released).holds).toEqual([]);
  });

  it("the list is bounded, and entries that ended make space", () => {
    const mutedGuest = (n: number, at: number): PrivateStateEvent => ({
      n: "held",
      at,
      d: { what: "mute", user: `guest-${n}`, from: HOUSE, at, untilMs: at + 1_000, known: [] },
    });
    let privateState = initialPrivate();
    for (let n = 0; n < 150; n++) privateState = reducePrivate(privateState, mutedGuest(n, 0));
    expect(privateState.holds).toHaveLength(100);
    for (let n = 0; n < 300; n++)
      privateState = reducePrivate(privateState, { n: "spared", at: 1, d: { user: `${n}`, from: HOUSE } });
    expect(privateState.holds?.[0]?.known).toHaveLength(200);
    expect(reducePrivate(privateState, mutedGuest(200, 2_000)).holds).toHaveLength(1);
  });
});

describe("a penalty for a guest with an IPv6 network", () => {
  const [FIRST, SECOND, THIRD] = ["net-a-site.first", "net-a-site.second", "net-a-site.third"];

  /** A house whose guests are in one network, each at an address of its own. */
  async function site() {
    const all = await house();
    const at = (name: string, from: string) => all.guest(name, { from });
    return { ...all, at, troll: at("walker", FIRST as string), neighbour: at("neighbour", SECOND as string) };
  }

  it("[D8] new guests at other addresses of the network are muted for an hour at most, and others are not affected", async () => {
    const { stage, at, troll, neighbour, moderate } = await site();
    const mutedAt = stage.now;
    moderate("mute", troll.user);
    const again = at("again", SECOND);
    expect(say(stage, again)).toMatchObject({
      code: "muted",
      retryAfterMs: mutedAt + NETWORK_HOLD_MS - (stage.now - 100),
    });
    expect(say(stage, neighbour), "a guest who was present").toBeUndefined();
    expect(say(stage, at("far", "net-another.first")), "another network").toBeUndefined();
    expect(say(stage, stage.join("ann", { from: SECOND })), "a user with a token").toBeUndefined();
    stage.advance(mutedAt + NETWORK_HOLD_MS - stage.now);
    stage.rejoin(again, { guest: true, from: SECOND });
    stage.advance(100);
    expect(say(stage, again)).toBeUndefined();
    expect(say(stage, at("same", FIRST)), "at the address itself it lasts").toMatchObject({ code: "muted" });
    stage.expectNoViolations();
  });

  it.each(["kick", "ban"])(
    "[D8] after one %s the network may join and not speak, after a second none of it may join",
    async (action) => {
      const { stage, at, troll, neighbour, moderate } = await site();
      moderate(action, troll.user);
      expect(isIn(at("again", FIRST)), "the address itself").toBe(false);
      const moved = at("moved", SECOND);
      expect(isIn(moved)).toBe(true);
      expect(say(stage, moved)).toMatchObject({ code: "muted" });
      moderate(action, moved.user);
      const third = at("third", THIRD);
      expect(third.read().byes).toMatchObject([{ code: 4429 }]);
      expect(isIn(neighbour) && say(stage, neighbour)).toBeUndefined();
      expect(isIn(at("far", "net-another.first")), "another network").toBe(true);
      stage.expectNoViolations();
    },
  );

  it("[D8] two penalties at one address do not close the network", async () => {
    const { at, troll, moderate } = await site();
    const other = at("other", FIRST);
    moderate("ban", troll.user);
    moderate("ban", other.user);
    expect(isIn(at("moved", SECOND))).toBe(true);
  });

  it("[D8] a host may let one new guest of the network speak", async () => {
    const { stage, at, troll, moderate } = await site();
    moderate("mute", troll.user);
    const [one, two] = [at("one", SECOND), at("two", THIRD)];
    moderate("unmute", one.user);
    expect(say(stage, one)).toBeUndefined();
    expect(say(stage, two)).toMatchObject({ code: "muted" });
  });

  it("the list of guests who left is bounded, and forgets them after a day", () => {
    const left = (n: number, at: number): PrivateStateEvent => ({
      n: "departed",
      at,
      d: { user: `guest-${n}`, from: HOUSE },
    });
    let privateState = initialPrivate();
    for (let n = 0; n < 600; n++) privateState = reducePrivate(privateState, left(n, n));
    expect(privateState.departed).toHaveLength(500);
    expect(privateState.departed[0]?.[0]).toBe("guest-100");
    expect(reducePrivate(privateState, left(600, DAY_MS + 1_000)).departed).toHaveLength(1);
  });
});
