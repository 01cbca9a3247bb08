import { describe, expect, it } from "vitest";
import { KICK_MS } from "../../src/features/moderation/decide";
import { NEW_GUEST_MS } from "../../src/features/moderation/ip-holds";
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

  it("[D8] the penalty affects no other user: not present users, token users, other IP addresses or old guests", async () => {
    const { stage, guest, sister, troll, moderate } = await house();
    const mutedAt = stage.now;
    moderate("mute", troll.user);
    const member = stage.join("ann", { from: HOUSE });
    const far = guest("far", { from: "another-house-12" });
    const old = guest("old", { openedAt: mutedAt - NEW_GUEST_MS });
    for (const tab of [sister, member, far, old]) expect(say(stage, tab), tab.user).toBeUndefined();
    stage.leave(sister);
    stage.advance(60_000);
    const back = guest("sister", { tab: "another" });
    expect(say(stage, back), "a user who was present, and comes back later").toBeUndefined();
    const stocked = guest("stocked", { openedAt: mutedAt - NEW_GUEST_MS + 1_000 });
    expect(say(stage, stocked), "a guest who was opened just before").toMatchObject({ code: "muted" });
    const later = guest("later", { openedAt: mutedAt + 1_000 });
    expect(say(stage, later)).toMatchObject({ code: "muted" });
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

  it("[D8] a ban keeps out stockpiled guests for 15 minutes, and mutes new ones for the rest of its time", async () => {
    const { stage, guest, troll, moderate } = await house();
    const bannedAt = stage.now;
    moderate("ban", troll.user);
    for (let n = 0; n < 5; n++) {
      const stocked = guest(`stocked${n}`, { openedAt: bannedAt - 60_000 - n });
      expect(stocked.read().byes).toMatchObject([
        { code: 4429, retryAfterMs: bannedAt + NEW_GUEST_MS - (stage.now - 100) },
      ]);
    }
    stage.advance(bannedAt + NEW_GUEST_MS - stage.now);
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
