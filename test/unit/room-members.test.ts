import { describe, expect, it } from "vitest";
import { MAX_CONNECTIONS_PER_MEMBER } from "../../src/protocol/limits";
import { HOUR_MS, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const readPresenceEvents = (tab: RoomTab) =>
  tab
    .read()
    .events.filter(({ f }) => f === "presence")
    .map(({ n, d }) => `${(d as { user: string }).user} ${n}`);

async function openRoomWithThree(): Promise<{ stage: RoomStage; ann: RoomTab; bob: RoomTab; eve: RoomTab }> {
  const stage = await RoomStage.open();
  const eve = stage.join("eve");
  stage.advance(1_000);
  const ann = stage.join("ann");
  const bob = stage.join("bob");
  stage.advance(1_000);
  return { stage, ann, bob, eve };
}

describe("a user who disconnects", () => {
  it("[P1] the user has left after the grace, and not a moment before", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    stage.leave(ann);
    stage.advance(4_999);
    expect(readPresenceEvents(eve)).not.toContain("ann left");
    stage.advance(1);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined", "ann left"]);
    expect(stage.room.summary(stage.now).users).toBe(2);
    stage.expectNoViolations();
  });

  it("[P1] a user who returns within the grace never left, and no other user notices", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    for (let n = 0; n < 3; n++) {
      stage.leave(ann);
      stage.advance(4_900);
      stage.rejoin(ann);
      stage.advance(6_000);
    }
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined"]);
    expect(
      ann
        .read()
        .welcomes.slice(1)
        .every(({ resumed }) => resumed),
    ).toBe(true);
    stage.expectNoViolations();
  });

  it("[P1] a user who returns after the grace is new", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    stage.leave(ann);
    stage.advance(6_000);
    stage.rejoin(ann);
    stage.advance(100);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined", "ann left", "ann joined"]);
    stage.expectNoViolations();
  });

  it("a user who returns under another name is announced again", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    stage.leave(ann);
    stage.advance(1_000);
    stage.rejoin(ann, { name: "Anna" });
    stage.advance(100);
    expect(eve.read().events.at(-1)).toMatchObject({ n: "joined", d: { user: "ann", name: "Anna" } });
    expect(ann.read().slices.presence).toMatchObject({ count: 3, members: { ann: { name: "Anna" } } });
    stage.expectNoViolations();
  });
});

describe("a user with two tabs", () => {
  it("[P1] the user is one member, who leaves with the last tab", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    const second = stage.join("ann", { tab: "second" });
    stage.advance(100);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined"]);
    expect(stage.room.summary(stage.now)).toMatchObject({ users: 3, connections: 4 });
    stage.leave(ann);
    stage.advance(10_000);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined"]);
    stage.leave(second);
    stage.advance(5_000);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined", "ann left"]);
    stage.expectNoViolations();
  });

  it("[A5] a newer socket of the same tab replaces the older, which is closed 4409, and no member comes or goes", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    const older = ann.peer;
    stage.rejoin(ann);
    stage.advance(10_000);
    expect(older.closes).toMatchObject([{ code: 4409 }]);
    expect(older.texts.at(-1)).toMatch(/^\{"t":"bye","code":4409/);
    expect(older.texts.at(-1)).not.toMatch("retryAfterMs");
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: true });
    stage.turn(() => stage.room.left(older.id, older.note, stage.now));
    stage.advance(10_000);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined"]);
    expect(stage.room.summary(stage.now)).toMatchObject({ users: 3, connections: 3 });
    stage.expectNoViolations();
  });

  it("[A5] the room ignores messages of a replaced socket", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    const older = ann.peer;
    stage.rejoin(ann);
    stage.turn(() =>
      stage.room.receive(
        older.id,
        '{"t":"do","id":"z","f":"chat","a":"say","d":{"text":"ghost"}}',
        stage.now,
      ),
    );
    stage.advance(100);
    expect(eve.read().events.some(({ f }) => f === "chat")).toBe(false);
  });

  it("[A5] another user with the same tab id does not close the socket", async () => {
    const { stage, ann } = await openRoomWithThree();
    stage.join("mallory", { tab: ann.tab });
    stage.advance(1_000);
    expect(ann.read().byes).toEqual([]);
    stage.expectNoViolations();
  });
});

describe("a member's sockets", () => {
  it("[L3] the sockets have a maximum number, past which the next is rejected with a time to come back", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: MAX_CONNECTIONS_PER_MEMBER + 1 }, (_, n) =>
      stage.join("ann", { tab: `t${n}` }),
    );
    stage.advance(100);
    expect(tabs.map((tab) => tab.read().byes.map(({ code }) => code))).toEqual([
      ...tabs.slice(1).map(() => []),
      [4429],
    ]);
    expect(stage.room.summary(stage.now).connections).toBe(MAX_CONNECTIONS_PER_MEMBER);
    stage.expectNoViolations();
  });

  it("the maximum stays the same after a newer socket of one tab replaced an older one", async () => {
    const stage = await RoomStage.open();
    const tabs = Array.from({ length: MAX_CONNECTIONS_PER_MEMBER }, (_, n) =>
      stage.join("ann", { tab: `t${n}` }),
    );
    stage.advance(100);
    stage.rejoin(tabs[5] as RoomTab);
    stage.advance(100);
    expect(stage.room.summary(stage.now).connections).toBe(MAX_CONNECTIONS_PER_MEMBER);
    expect((tabs[0] as RoomTab).read().byes).toEqual([]);
    stage.expectNoViolations();
  });
});

describe("after a crash", () => {
  it("[P1] every member has 30 s to come back: one who does never left, and one who does not has left", async () => {
    const { stage, ann, bob, eve } = await openRoomWithThree();
    await stage.crash();
    stage.advance(1_000);
    stage.rejoin(eve);
    stage.advance(28_000);
    stage.rejoin(ann);
    stage.advance(999);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined"]);
    stage.advance(1);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined", "bob left"]);
    stage.advance(60_000);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined", "bob left"]);
    expect(bob.read().byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[P1] a member who was in the grace has the same time as the others", async () => {
    const { stage, ann, bob, eve } = await openRoomWithThree();
    stage.leave(ann);
    stage.advance(3_000);
    await stage.crash();
    stage.rejoin(eve);
    stage.advance(20_000);
    stage.rejoin(ann);
    stage.rejoin(bob);
    stage.advance(60_000);
    expect(readPresenceEvents(eve)).toEqual(["ann joined", "bob joined"]);
    stage.expectNoViolations();
  });

  it("[P1] the members need not come back: the alarm reports as left those who are absent", async () => {
    const { stage, ann } = await openRoomWithThree();
    stage.die();
    stage.advance(0);
    stage.runtime.now = stage.runtime.alarmAt ?? 0;
    await stage.wake();
    stage.fireAlarm();
    stage.advance(30_000);
    expect(stage.room.summary(stage.now).users).toBe(0);
    stage.rejoin(ann);
    stage.advance(100);
    expect(readPresenceEvents(ann).slice(-4).sort()).toEqual([
      "ann joined",
      "ann left",
      "bob left",
      "eve left",
    ]);
  });
});

describe("a room that slept", () => {
  it("the room continues as if it had not slept: nothing is written, sent or forgotten", async () => {
    const { stage, ann, bob, eve } = await openRoomWithThree();
    stage.say(ann, "before");
    stage.advance(1_000);
    const texts = [ann, bob, eve].map(({ peer }) => peer.texts.length);
    const { puts, alarms } = stage.runtime.counts;
    const summary = stage.room.summary(stage.now);
    for (let n = 0; n < 5; n++) {
      stage.advance(20_000);
      await stage.sleep();
    }
    expect(stage.runtime.counts).toMatchObject({ puts, alarms });
    expect([ann, bob, eve].map(({ peer }) => peer.texts.length)).toEqual(texts);
    expect(stage.room.summary(stage.now)).toEqual(summary);
    stage.say(bob, "after");
    stage.verify(ann);
    expect(eve.read().events.at(-1)).toMatchObject({ by: "bob", d: { text: "after" } });
    expect(ann.read().checksums).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("the room remembers every user's role and tab", async () => {
    const { stage } = await openRoomWithThree();
    const host = stage.join("hanna", { role: "host" });
    const player = stage.join("hanna", { tab: "another", role: "player" });
    stage.advance(1_000);
    await stage.sleep();
    stage.do(host, "lab", "hosts", {}, "h");
    stage.do(player, "lab", "hosts", {}, "p");
    stage.advance(100);
    expect([host, player].map((tab) => tab.read().nacks.map(({ code }) => code))).toEqual([
      [],
      ["not_allowed"],
    ]);
    const older = host.peer;
    stage.rejoin(host, { role: "host" });
    expect(older.closes).toMatchObject([{ code: 4409 }]);
    expect(player.peer.closes).toEqual([]);
  });

  it("[P1] the room notices a close that wakes it, and reports the leave after the grace", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    stage.advance(60_000);
    ann.peer.state = "gone";
    await stage.wake();
    stage.turn(() => stage.room.left(ann.peer.id, ann.peer.note, stage.now));
    stage.advance(4_999);
    expect(readPresenceEvents(eve)).not.toContain("ann left");
    stage.advance(1);
    expect(readPresenceEvents(eve)).toContain("ann left");
    stage.expectNoViolations();
  });

  it("[P1] a user with two tabs stays a member if one closes during the sleep", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    stage.join("ann", { tab: "second" });
    stage.advance(60_000);
    ann.peer.state = "gone";
    await stage.wake();
    stage.turn(() => stage.room.left(ann.peer.id, ann.peer.note, stage.now));
    stage.advance(60_000);
    expect(readPresenceEvents(eve)).not.toContain("ann left");
    stage.expectNoViolations();
  });

  it("[P1] the room still ends a grace that began before it slept", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    stage.leave(ann);
    stage.advance(2_000);
    await stage.sleep();
    stage.advance(2_999);
    expect(readPresenceEvents(eve)).not.toContain("ann left");
    stage.advance(1);
    expect(readPresenceEvents(eve)).toContain("ann left");
  });

  it("the room never confuses the note of a user who left with another user's", async () => {
    const { stage, bob, eve } = await openRoomWithThree();
    const { note } = bob.peer;
    stage.leave(bob);
    for (let n = 0; n < 520; n++) {
      stage.do(eve, "lab", "nothing");
      stage.advance(20);
    }
    expect(stage.runtime.keys("s/")).not.toEqual([]);
    await stage.crash();
    stage.rejoin(eve);
    const cat = stage.join("cat");
    stage.advance(100);
    expect(cat.peer.note?.m).not.toBe(note?.m);
    stage.expectNoViolations();
  });

  it("the room asks a socket to come back if nothing about it is stored", async () => {
    const { stage, ann } = await openRoomWithThree();
    ann.peer.note = { m: 99, r: 0, t: "x", x: stage.now + HOUR_MS, s: 0, h: stage.now };
    await stage.sleep();
    expect(ann.peer.closes).toMatchObject([{ code: 1012 }]);
    expect(ann.read().byes).toMatchObject([{ code: 1012, retryAfterMs: expect.any(Number) }]);
  });
});

describe("a connection that ends", () => {
  it("[T8] the connection ends with its token: 4401, at that moment", async () => {
    const { stage, eve } = await openRoomWithThree();
    const short = stage.join("short", { expiresAt: stage.now + 60_000 });
    stage.advance(59_999);
    expect(short.read().byes).toEqual([]);
    stage.advance(1);
    expect(short.read().byes).toMatchObject([{ code: 4401 }]);
    expect(short.byes[0]).not.toHaveProperty("retryAfterMs");
    stage.advance(5_000);
    expect(readPresenceEvents(eve)).toContain("short left");
    stage.expectNoViolations();
  });

  it("[T8] the connection continues if the token is renewed before: the newer socket's token counts", async () => {
    const { stage, eve } = await openRoomWithThree();
    const short = stage.join("short", { expiresAt: stage.now + 60_000 });
    stage.advance(50_000);
    stage.rejoin(short, { expiresAt: stage.now + HOUR_MS });
    stage.advance(60_000);
    expect(short.read().byes.map(({ code }) => code)).toEqual([]);
    expect(readPresenceEvents(eve)).not.toContain("short left");
    stage.expectNoViolations();
  });

  it("the connection is closed 4408 if it pinged and then was silent for 45 s, and never if it never pinged", async () => {
    const { stage, ann, bob, eve } = await openRoomWithThree();
    stage.send(ann, "ping");
    bob.peer.pongedAt = stage.now;
    expect(ann.peer.texts.at(-1)).toBe("pong");
    for (let n = 0; n < 8; n++) {
      stage.advance(10_000);
      stage.say(eve, `${n}`);
      stage.say(eve, `${n} again`);
      if (n === 3) expect([ann, bob].map((tab) => tab.read().byes.length)).toEqual([0, 0]);
    }
    stage.advance(100);
    expect([ann, bob, eve].map((tab) => tab.read().byes.map(({ code }) => code))).toEqual([
      [4408],
      [4408],
      [],
    ]);
    expect(ann.byes[0]?.retryAfterMs).toBeGreaterThan(0);
    stage.expectNoViolations();
  });

  it("[M2] the connection is not silent while the platform answers its pings", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    for (let n = 0; n < 8; n++) {
      ann.peer.pongedAt = stage.now;
      stage.advance(20_000);
      stage.say(eve, `${n}`);
    }
    expect(ann.read().byes).toEqual([]);
  });
});

describe("a closed room", () => {
  it("[H] the room sends 4410 to every user, which is final, and leaves nothing behind", async () => {
    const { stage, ann, eve } = await openRoomWithThree();
    stage.say(ann, "one");
    stage.say(ann, "two");
    stage.turn(() => stage.room.close(stage.now));
    expect([ann, eve].map((tab) => tab.read().byes.map(({ code }) => code))).toEqual([[4410], [4410]]);
    expect(eve.events.at(-1)).toMatchObject({ d: { text: "two" } });
    expect([stage.room.isOver, stage.room.exists]).toEqual([true, false]);
    for (const tab of [ann, eve]) stage.turn(() => stage.room.left(tab.peer.id, tab.peer.note, stage.now));
    stage.turn(() => stage.room.tick(stage.now + 100));
    stage.turn(() => stage.room.alarm(stage.now + 200));
    expect(stage.runtime.keys()).toEqual([]);
    expect(stage.runtime.alarmAt).toBeNull();
    stage.expectNoViolations();
  });
});

describe("a guest's token", () => {
  it("[T5] the token is sent in the welcome, and stored nowhere", async () => {
    const { stage } = await openRoomWithThree();
    const guest = stage.join("guest-1", { token: "a-fresh-token" });
    stage.advance(100);
    expect(guest.read().welcomes[0]?.you.token).toBe("a-fresh-token");
    for (const key of stage.runtime.keys())
      expect(JSON.stringify(stage.runtime.value(key))).not.toMatch("a-fresh-token");
    expect(JSON.stringify(guest.peer.note)).not.toMatch("a-fresh-token");
  });
});
