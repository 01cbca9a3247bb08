import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FOREVER, KICK_MS } from "../../src/features/moderation/decide";
import { initial, type ModerationState, reduce } from "../../src/features/moderation/state";
import { main } from "../../src/kinds/main";
import type { Role } from "../../src/protocol/codes";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const open = () => RoomStage.open({ kind: main });
const readMuted = (tab: RoomTab) => (tab.read().slices.moderation as ModerationState).muted;
const moderate = (stage: RoomStage, tab: RoomTab, a: string, d: Record<string, string | number>) =>
  stage.do(tab, "moderation", a, d);
const readEventNames = (tab: RoomTab) => tab.read().events.map(({ f, n }) => `${f}.${n}`);
const readMembers = (tab: RoomTab) =>
  Object.keys((tab.read().slices.presence as { members: Record<string, unknown> }).members).sort();

/** Ann and Bob, and the host Hanna. */
async function openModeratedRoom() {
  const stage = await open();
  const hanna = stage.join("hanna", { role: "host" });
  const ann = stage.join("ann");
  const bob = stage.join("bob");
  stage.advance(100);
  return { stage, hanna, ann, bob };
}

describe("moderation's reducer", () => {
  it("[D1] the reducer keeps who is muted until when, under any name", () => {
    const muted = (user: string, untilMs: number) =>
      ({ n: "muted", d: { user, untilMs }, seq: 1, at: 1 }) as const;
    let state = ["__proto__", "constructor", "ann"].reduce(
      (current, user, at) => reduce(current, muted(user, at)),
      initial(),
    );
    expect(Object.entries(state.muted)).toEqual([
      ["__proto__", 0],
      ["constructor", 1],
      ["ann", 2],
    ]);
    state = reduce(state, { n: "unmuted", d: { user: "constructor" }, seq: 2, at: 2 });
    expect(Object.keys(state.muted)).toEqual(["__proto__", "ann"]);
  });

  it("the reducer ignores unknown events", () => {
    const state = initial();
    expect(reduce(state, { n: "warned", d: {}, seq: 1, at: 1 } as never)).toBe(state);
    expect(reduce(state, { n: "kicked", d: { user: "ann" }, seq: 1, at: 1 })).toBe(state);
  });
});

describe("muting", () => {
  it("[D1] a mute rejects a status, which others read, but neither clearing it nor data for programs", async () => {
    const { stage, hanna, ann, bob } = await openModeratedRoom();
    stage.do(ann, "presence", "set", { status: "about to be rude" });
    moderate(stage, hanna, "mute", { user: "ann", forMs: 10_000 });
    stage.advance(100);
    stage.do(ann, "presence", "set", { status: "ruder", data: 1 });
    expect(ann.read().nacks).toMatchObject([{ code: "muted", retryAfterMs: 9_900 }]);
    stage.do(ann, "presence", "set", { status: "", data: { ready: true } });
    stage.advance(100);
    expect(ann.read().nacks).toHaveLength(1);
    const { members } = bob.read().slices.presence as { members: Record<string, object> };
    expect(members.ann).toMatchObject({ data: { ready: true } });
    expect(members.ann).not.toHaveProperty("status");
    stage.expectNoViolations();
  });

  it("[D1] a mute rejects what the user says, with the exact wait, after which it is accepted", async () => {
    const { stage, hanna, ann, bob } = await openModeratedRoom();
    moderate(stage, hanna, "mute", { user: "ann", forMs: 10_000 });
    stage.advance(4_000);
    expect(readMuted(bob)).toEqual({ ann: stage.now + 6_000 });
    stage.say(ann, "hello?");
    expect(ann.read().nacks).toMatchObject([{ code: "muted", retryAfterMs: 6_000 }]);
    stage.advance(5_999);
    stage.say(ann, "hello?");
    expect(ann.read().nacks[1]).toMatchObject({ code: "muted", retryAfterMs: 1 });
    stage.advance(1);
    stage.say(ann, "hello!");
    stage.advance(100);
    expect(ann.read().nacks).toHaveLength(2);
    expect(bob.read().events.map(({ n }) => n)).toContain("said");
    expect(readMuted(bob)).toEqual({});
    stage.expectNoViolations();
  });

  it("[D1] a mute blocks signals that are speech, and nothing else that the user does", async () => {
    const { stage, hanna, ann, bob } = await openModeratedRoom();
    stage.say(ann, "before");
    stage.advance(100);
    moderate(stage, hanna, "mute", { user: "ann" });
    stage.advance(100);
    stage.signal(ann, "chat", "typing");
    stage.do(ann, "presence", "set", { data: "hand up" });
    stage.do(ann, "chat", "remove", { id: ann.read().events.find(({ n }) => n === "said")?.seq ?? 0 });
    stage.advance(100);
    expect(ann.read().nacks).toMatchObject([{ code: "muted" }]);
    expect(bob.read().signals).toEqual([]);
    expect(readEventNames(bob).slice(-2)).toEqual(["presence.changed", "chat.removed"]);
  });

  it("[D1] a mute without an end names no wait, and ends by unmuting", async () => {
    const { stage, hanna, ann } = await openModeratedRoom();
    moderate(stage, hanna, "mute", { user: "ann" });
    stage.advance(100);
    expect(readMuted(ann)).toEqual({ ann: FOREVER });
    expect(new Date(FOREVER).getTime()).toBe(FOREVER);
    stage.advance(1_800_000);
    stage.say(ann, "half an hour later");
    const [nack] = ann.read().nacks;
    expect(nack?.code).toBe("muted");
    expect(nack).not.toHaveProperty("retryAfterMs");
    moderate(stage, hanna, "unmute", { user: "ann" });
    stage.say(ann, "at last");
    stage.advance(100);
    expect(ann.read().nacks).toHaveLength(1);
    moderate(stage, hanna, "unmute", { user: "ann" });
    expect(hanna.read().nacks).toMatchObject([{ code: "conflict" }]);
    stage.expectNoViolations();
  });

  it("[D1] a mute applies on every connection, after leaving and coming back, and over restarts", async () => {
    const { stage, hanna, ann } = await openModeratedRoom();
    moderate(stage, hanna, "mute", { user: "ann", forMs: 600_000 });
    stage.leave(ann);
    stage.advance(60_000);
    await stage.crash();
    const again = stage.join("ann", { tab: "another" });
    stage.advance(100);
    stage.say(again, "me again");
    expect(again.read().nacks).toMatchObject([{ code: "muted", retryAfterMs: 539_900 }]);
    stage.expectNoViolations();
  });

  it("[D1] a rejection counts against no limit", async () => {
    const stage = await RoomStage.open({
      kind: main,
      settings: { rules: { "chat.say": { count: 1, perMs: 60_000 } } },
    });
    const hanna = stage.join("hanna", { role: "host" });
    const ann = stage.join("ann");
    moderate(stage, hanna, "mute", { user: "ann", forMs: 1_000 });
    for (let time = 0; time < 5; time++) stage.say(ann, "hello?");
    stage.advance(1_000);
    stage.say(ann, "hello!");
    expect(ann.read().nacks.map(({ code }) => code)).toEqual(Array(5).fill("muted"));
  });

  it("[D1] one timer serves the next end of any mute, however mutes are made and lifted", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 30 })), {
          maxLength: 30,
        }),
        async (steps) => {
          const stage = await open();
          const hanna = stage.join("hanna", { role: "host" });
          const ends = new Map<string, number>();
          for (const [who, seconds] of steps) {
            const user = `user${who}`;
            if (seconds === 0 && (ends.get(user) ?? 0) > stage.now) {
              moderate(stage, hanna, "unmute", { user });
              ends.delete(user);
            } else if (seconds > 0) {
              moderate(stage, hanna, "mute", { user, forMs: seconds * 1000 });
              ends.set(user, stage.now + seconds * 1000);
            }
            stage.advance(1_500);
            const expected = [...ends].filter(([, until]) => until > stage.now);
            expect(Object.entries(readMuted(hanna)).sort()).toEqual(expected.sort());
          }
          stage.expectNoViolations();
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("kicking", () => {
  it("[D2] a kick ends all of a user's connections with 4403, at once and without a grace", async () => {
    const { stage, hanna, ann, bob } = await openModeratedRoom();
    const other = stage.join("ann", { tab: "another" });
    moderate(stage, hanna, "kick", { user: "ann" });
    for (const tab of [ann, other]) {
      expect(tab.read().byes).toMatchObject([{ code: 4403 }]);
      expect(tab.byes[0]).not.toHaveProperty("retryAfterMs");
    }
    expect(readEventNames(bob).slice(-2)).toEqual(["moderation.kicked", "presence.left"]);
    expect(readMembers(bob)).toEqual(["bob", "hanna"]);
    expect(hanna.read().acks.size, "the kick is acknowledged").toBe(1);
    stage.expectNoViolations();
  });

  it("[D2] a kick is sent to no user before it is durable", async () => {
    const { stage, hanna, ann } = await openModeratedRoom();
    stage.isAutoDurable = false;
    moderate(stage, hanna, "kick", { user: "ann" });
    expect(ann.read().byes).toEqual([]);
    await stage.crash(0);
    stage.isAutoDurable = true;
    stage.makeDurable();
    const again = stage.rejoin(ann);
    expect(again.read().byes, "a kick that was lost keeps no user out").toEqual([]);
    stage.expectNoViolations();
  });

  it("[D2] a kick keeps the user out for a minute on every tab, over a restart, and no longer", async () => {
    const { stage, hanna, ann } = await openModeratedRoom();
    moderate(stage, hanna, "kick", { user: "ann" });
    expect(stage.rejoin(ann).read().byes).toMatchObject([{ code: 4403 }, { code: 4403 }]);
    await stage.crash();
    stage.advance(KICK_MS - 1);
    const early = stage.join("ann", { tab: "another" });
    expect(early.read().welcomes).toEqual([]);
    expect(early.byes).toMatchObject([{ code: 4403 }]);
    stage.advance(1);
    expect(stage.join("ann").read().welcomes).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("[D2] the room ignores messages of a kicked user, even in the same turn", async () => {
    const { stage, hanna, ann, bob } = await openModeratedRoom();
    stage.turn(() => {
      const say = (text: string) =>
        stage.room.receive(
          ann.peer.id,
          JSON.stringify({ t: "do", id: text, f: "chat", a: "say", d: { text } }),
          stage.now,
        );
      say("before");
      stage.room.receive(
        hanna.peer.id,
        JSON.stringify({ t: "do", id: "k", f: "moderation", a: "kick", d: { user: "ann" } }),
        stage.now,
      );
      say("after");
    });
    stage.advance(200);
    expect(
      bob
        .read()
        .events.filter(({ n }) => n === "said")
        .map(({ d }) => (d as { text: string }).text),
    ).toEqual(["before"]);
    stage.expectNoViolations();
  });

  it("[D2] a kick of a user in the grace ends the grace, and one of an absent user is `unknown_user`", async () => {
    const { stage, hanna, ann, bob } = await openModeratedRoom();
    stage.leave(ann);
    moderate(stage, hanna, "kick", { user: "ann" });
    stage.advance(100);
    expect(readMembers(bob)).toEqual(["bob", "hanna"]);
    moderate(stage, hanna, "kick", { user: "ann" });
    expect(hanna.read().nacks).toMatchObject([{ code: "unknown_user" }]);
    stage.expectNoViolations();
  });

  it("[D2] a kick over HTTP is the room's own action", async () => {
    const { stage, ann, bob } = await openModeratedRoom();
    expect(stage.post("hanna", "moderation", "kick", { user: "ann" })).toMatchObject({ ok: true });
    expect(ann.read().byes).toMatchObject([{ code: 4403 }]);
    expect(bob.read().events.find(({ n }) => n === "kicked")).not.toHaveProperty("by");
  });
});

describe("banning", () => {
  it("[D3] a ban disconnects and rejects the user, and tells the reason to that user alone", async () => {
    const { stage, hanna, ann, bob } = await openModeratedRoom();
    moderate(stage, hanna, "ban", { user: "ann", scope: "room", reason: "spoilers" });
    expect(ann.read().byes).toMatchObject([
      { code: 4403, reason: "You are banned from this room: spoilers" },
    ]);
    stage.advance(24 * 3_600_000);
    expect(stage.join("ann", { expiresAt: stage.now + 1_000_000 }).read().byes).toMatchObject([
      { code: 4403 },
    ]);
    expect(JSON.stringify([bob.read().slices, bob.events])).not.toContain("spoilers");
    expect(bob.events.find(({ n }) => n === "banned")?.d).toEqual({ user: "ann", scope: "room" });
    stage.expectNoViolations();
  });

  it("[D3] a ban ends by itself at `untilMs`, and by unbanning", async () => {
    const { stage, hanna, ann } = await openModeratedRoom();
    moderate(stage, hanna, "ban", { user: "ann", untilMs: stage.now + 5_000 });
    moderate(stage, hanna, "ban", { user: "bob" });
    stage.advance(4_999);
    expect(stage.rejoin(ann).read().byes).toHaveLength(2);
    stage.advance(1);
    expect(stage.join("ann").read().welcomes).toHaveLength(1);
    moderate(stage, hanna, "unban", { user: "bob" });
    const back = stage.join("bob", { tab: "back" });
    stage.advance(100);
    expect(back.read().welcomes).toHaveLength(1);
    moderate(stage, hanna, "ban", { user: "ann", untilMs: stage.now });
    expect(hanna.read().nacks).toMatchObject([{ code: "bad_data" }]);
    stage.expectNoViolations();
  });

  it("[D3] a ban applies to a user who has not been here yet, over a snapshot and a restart", async () => {
    const { stage, hanna } = await openModeratedRoom();
    moderate(stage, hanna, "ban", { user: "carl" });
    for (let line = 0; line < 600; line++) {
      stage.say(hanna, `line ${line}`);
      stage.advance(10);
    }
    await stage.crash();
    expect(stage.join("carl").read().byes).toMatchObject([{ code: 4403 }]);
    stage.expectNoViolations();
  });

  it("[D4] a ban everywhere is for admins alone, and so is lifting it", async () => {
    const { stage, hanna, ann } = await openModeratedRoom();
    moderate(stage, hanna, "ban", { user: "ann", scope: "everywhere" });
    moderate(stage, hanna, "unban", { user: "ann", scope: "everywhere" });
    expect(hanna.read().nacks.map(({ code }) => code)).toEqual(["not_allowed", "not_allowed"]);
    expect(ann.read().byes).toEqual([]);
    const ada = stage.join("ada", { role: "admin" });
    moderate(stage, ada, "ban", { user: "ann", scope: "everywhere" });
    expect(ann.read().byes).toMatchObject([{ code: 4403, reason: "You are banned." }]);
    moderate(stage, hanna, "unban", { user: "ann" });
    expect(stage.join("ann", { tab: "a host cannot" }).read().byes).toHaveLength(1);
    moderate(stage, ada, "unban", { user: "ann" });
    expect(stage.join("ann", { tab: "an admin can" }).read().byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[D6] a ban everywhere is for an admin of all rooms, not of some, even after a sleep and over HTTP", async () => {
    const { stage, ann } = await openModeratedRoom();
    const bound = stage.join("bert", { role: "admin", allRooms: false });
    const ada = stage.join("ada", { role: "admin" });
    stage.advance(20_000);
    await stage.sleep();
    for (const a of ["ban", "unban"]) moderate(stage, bound, a, { user: "ann", scope: "everywhere" });
    expect(bound.read().nacks).toMatchObject([{ code: "not_allowed" }, { code: "not_allowed" }]);
    const ban = { id: "1", f: "moderation", a: "ban", d: { user: "ann", scope: "everywhere" } };
    const caller = { user: "bert", name: "Bert", role: "admin" as const };
    const posted = stage.turn(() => stage.room.act(ban, caller, stage.now));
    expect(posted).toMatchObject({ ok: false, rejection: { code: "not_allowed" } });
    expect(ann.read().byes).toEqual([]);
    moderate(stage, ada, "ban", { user: "ann", scope: "everywhere" });
    expect(ann.read().byes).toMatchObject([{ code: 4403 }]);
    moderate(stage, bound, "unban", { user: "ann" });
    expect(stage.join("ann", { tab: "again" }).read().byes, "only the room's ban was lifted").toHaveLength(1);
    stage.expectNoViolations();
  });
});

describe("roles", () => {
  const actions: [string, object][] = [
    ["kick", {}],
    ["mute", {}],
    ["ban", { scope: "room" }],
  ];

  it("[D4] a user may moderate neither an equal or higher role nor themselves", async () => {
    const ranks: Role[] = ["player", "host", "admin"];
    for (const [action, d] of actions) {
      for (const by of ranks) {
        for (const of of ranks) {
          const stage = await open();
          const actor = stage.join("actor", { role: by });
          const target = stage.join("target", { role: of });
          moderate(stage, actor, action, { user: "target", ...d });
          const may = ranks.indexOf(by) > ranks.indexOf(of) && by !== "player";
          expect(
            actor.read().nacks.map(({ code }) => code),
            `${by} ${action}s ${of}`,
          ).toEqual(may ? [] : ["not_allowed"]);
          moderate(stage, actor, action, { user: "actor", ...d });
          expect(actor.read().nacks.at(-1)?.code, "themselves").toBe("not_allowed");
          expect(target.read().violations).toEqual([]);
        }
      }
    }
  });

  it("[D4] the role of an absent host applies, over a restart too, until the host returns with a lower one", async () => {
    const { stage, hanna } = await openModeratedRoom();
    const otto = stage.join("otto", { role: "host" });
    stage.leave(otto);
    stage.advance(60_000);
    await stage.crash();
    const again = stage.rejoin(hanna);
    stage.advance(100);
    moderate(stage, again, "ban", { user: "otto" });
    expect(again.read().nacks).toMatchObject([{ code: "not_allowed" }]);
    const demoted = stage.join("otto", { tab: "demoted" });
    stage.advance(100);
    moderate(stage, again, "ban", { user: "otto" });
    expect(demoted.read().byes).toMatchObject([{ code: 4403 }]);
    stage.expectNoViolations();
  });

  it("[D4] the role is the highest of a user's tabs in any order", async () => {
    const { stage, hanna } = await openModeratedRoom();
    const first = stage.join("otto", { tab: "first" });
    const second = stage.join("otto", { tab: "second", role: "host" });
    stage.advance(100);
    moderate(stage, hanna, "kick", { user: "otto" });
    expect(hanna.read().nacks).toMatchObject([{ code: "not_allowed" }]);
    moderate(stage, second, "kick", { user: "otto" });
    expect(second.read().nacks, "themselves").toMatchObject([{ code: "not_allowed" }]);
    expect([...first.read().byes, ...second.read().byes]).toEqual([]);
    stage.expectNoViolations();
  });

  it("[D4] a user who acts over HTTP from outside the room has only the token's role", async () => {
    const { stage } = await openModeratedRoom();
    const ask = (id: string, user: string) =>
      stage.room.act(
        { id, f: "moderation", a: "ban", d: { user } },
        { user: "ada", name: "Ada", role: "admin" },
        stage.now,
      );
    expect(ask("1", "ada")).toMatchObject({ ok: false, rejection: { code: "not_allowed" } });
    expect(ask("2", "ann")).toMatchObject({ ok: true });
    stage.expectNoViolations();
  });

  it("[D4] an invalid action is rejected with what is wrong about it", async () => {
    const { stage, hanna } = await openModeratedRoom();
    const wrong: [string, object][] = [
      ["kick", {}],
      ["kick", { user: "" }],
      ["kick", { user: 5 }],
      ["mute", { user: "ann", forMs: 0 }],
      ["mute", { user: "ann", forMs: 1.5 }],
      ["mute", { user: "ann", forMs: 1e15 }],
      ["ban", { user: "ann", scope: "moon" }],
      ["ban", { user: "ann", untilMs: 9e15 }],
      ["ban", { user: "ann", reason: "x".repeat(201) }],
    ];
    for (const [action, d] of wrong) moderate(stage, hanna, action, d as Record<string, string>);
    expect(hanna.read().nacks.map(({ code }) => code)).toEqual(wrong.map(() => "bad_data"));
    expect(readMembers(hanna)).toEqual(["ann", "bob", "hanna"]);
  });

  it("[D4] the longest id and reason, in the widest characters, are never too large", async () => {
    const { stage, hanna } = await openModeratedRoom();
    const user = "💥".repeat(128);
    for (const action of ["mute", "unmute", "ban", "unban"]) moderate(stage, hanna, action, { user });
    moderate(stage, hanna, "ban", { user, reason: "\u0001".repeat(200) });
    moderate(stage, hanna, "ban", { user: '"'.repeat(128), reason: "💥".repeat(200) });
    expect(hanna.read().nacks).toEqual([]);
    stage.expectNoViolations();
  });
});
