import { describe, expect, it } from "vitest";
import { Backoff } from "../../src/client/session/backoff";
import { randomFrom } from "../platforms/random";
import { maxInWindow } from "../support/max-in-window";
import { RoomStage } from "../support/room-stage";
import { advance, SessionClient } from "../support/session-client";

async function openRoomWithAnn(chance?: () => number) {
  const stage = await RoomStage.open();
  const ann = new SessionClient(stage, "ann", chance ? { chance } : {}).start();
  const go = (ms: number) => advance(stage, [ann], ms);
  return { stage, ann, go };
}

describe("a connection", () => {
  it("[W1] the connection is live with the room's state, and knows its own user", async () => {
    const { ann } = await openRoomWithAnn();
    expect(ann.session.connection).toEqual({ is: "live" });
    expect(ann.session.you).toMatchObject({ user: "ann", name: "ann", role: "player" });
    expect(ann.session.states.presence).toMatchObject({ count: 1, members: { ann: { name: "ann" } } });
    expect(ann.session.outdated).toBe(false);
  });

  it("[W3] a connection that breaks resumes where it was, ten times in a row and after a quiet time", async () => {
    const { stage, ann, go } = await openRoomWithAnn();
    const bob = new SessionClient(stage, "bob").start();
    for (let n = 0; n < 10; n++) {
      ann.cut();
      bob.say(`number ${n}`);
      advance(stage, [ann, bob], 20_000);
    }
    go(10 * 60_000);
    ann.cut();
    go(20_000);
    expect(ann.freshCount).toBe(1);
    expect(ann.events.filter(({ n }) => n === "said").map(({ d }) => (d as { text: string }).text)).toEqual(
      Array.from({ length: 10 }, (_, n) => `number ${n}`),
    );
    expect(ann.session.slices.checksum("chat")).toBe(bob.session.slices.checksum("chat"));
  });

  it("[W3] a connection with a gap asks again from where it was", async () => {
    const { ann, go } = await openRoomWithAnn();
    const [link = 0] = ann.links;
    ann.session.onMessage(
      link,
      JSON.stringify({ t: "frame", seq: 9, at: ann.now, e: [{ f: "chat", n: "said", d: {} }] }),
      ann.now,
    );
    expect(ann.session.connection.is).toBe("waiting");
    expect(ann.events.filter(({ n }) => n === "said")).toEqual([]);
    go(20_000);
    expect(ann.session.connection.is).toBe("live");
    expect(ann.freshCount).toBe(1);
  });

  it("[F1] a frame that arrives twice is folded once", async () => {
    const { ann, go } = await openRoomWithAnn();
    const heard = () => ann.events.filter(({ n }) => n === "said").length;
    ann.say("Once");
    go(200);
    const [link = 0] = ann.links;
    const frame = {
      t: "frame",
      seq: 2,
      at: ann.now,
      e: [{ f: "chat", n: "said", d: { name: "x", text: "x" } }],
    };
    ann.session.onMessage(link, JSON.stringify(frame), ann.now);
    expect(heard()).toBe(1);
    expect(ann.session.connection.is).toBe("live");
  });

  it("[M5] the client ignores unknown and unreadable messages", async () => {
    const { ann } = await openRoomWithAnn();
    const [link = 0] = ann.links;
    const odd = [
      "",
      "null",
      "[]",
      "{",
      '{"t":"news"}',
      '{"t":"frame"}',
      '{"t":"welcome"}',
      '{"t":"constructor"}',
      '{"t":7}',
    ];
    for (const text of [...odd, '{"t":"mine"}', '{"t":"checksum","seq":1,"sums":{}}'])
      ann.session.onMessage(link, text, ann.now);
    const e = [
      { f: "confetti", n: "thrown", d: {} },
      { f: "chat", n: "whispered", d: {}, extra: 1 },
      { f: "constructor", n: "x", d: {} },
    ];
    ann.session.onMessage(
      link,
      JSON.stringify({ t: "frame", seq: 4, at: 1, e, s: [{ f: "confetti", n: "falls", d: 1, by: "bob" }] }),
      ann.now,
    );
    expect(ann.session.connection).toEqual({ is: "live" });
    expect(ann.session.seq).toBe(4);
    expect(ann.session.states.chat).toEqual({ messages: [] });
    expect(ann.problems).toEqual([]);
  });

  it("[M2] the client pings, and gives up the connection if nothing comes back", async () => {
    const { ann, go } = await openRoomWithAnn();
    go(20_000);
    expect(ann.sent.filter(({ text }) => text === "ping")).toHaveLength(1);
    go(19_000);
    expect(ann.session.connection.is).toBe("live");
    ann.halfOpen();
    go(12_999);
    expect(ann.opened).toHaveLength(1);
    go(15_000);
    expect(ann.opened).toHaveLength(2);
    expect(ann.session.connection.is).toBe("live");
    expect(ann.freshCount).toBe(1);
  });

  it("the client gives up a connection without a welcome, and tries again", async () => {
    const { stage } = await openRoomWithAnn();
    const bob = new SessionClient(stage, "bob");
    bob.session.start(bob.now);
    const [opening] = bob.opened;
    expect(opening).toBeUndefined();
    // The client is not pumped, so the token never comes.
    stage.runtime.now += 29_999;
    bob.tick();
    expect(bob.session.connection.is).toBe("connecting");
    stage.runtime.now += 1;
    bob.tick();
    expect(bob.session.connection).toMatchObject({ is: "waiting", again: false });
    advance(stage, [bob], 30_000);
    expect(bob.session.connection.is).toBe("live");
  });

  it("the client tests the connection if the page becomes visible, and tries at once without one", async () => {
    const { ann, go } = await openRoomWithAnn();
    ann.halfOpen();
    ann.session.reconnect(ann.now);
    go(4_000);
    expect(ann.session.connection.is).not.toBe("live");
    ann.isOffline = true;
    go(60_000);
    ann.isOffline = false;
    expect(ann.session.connection.is).toBe("waiting");
    ann.session.reconnect(ann.now);
    ann.deliverAll();
    expect(ann.session.connection.is).toBe("live");
  });

  it("the client reports what it has read at least every 256 KiB", async () => {
    const { stage, ann } = await openRoomWithAnn();
    const bob = new SessionClient(stage, "bob").start();
    for (let n = 0; n < 60; n++) {
      bob.do("lab", "many", { count: 10, chars: 1_000 });
      advance(stage, [ann, bob], 200);
    }
    const reports = ann.sent.map(({ text }) => text).filter((text) => text.includes('"seen"'));
    expect(reports.length).toBeGreaterThanOrEqual(4);
    expect(ann.session.connection.is).toBe("live");
    expect(ann.freshCount).toBe(1);
    const seqs = reports.map((text) => JSON.parse(text).seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });
});

describe("bye", () => {
  it.each([4400, 4403, 4404, 4409, 4410, 4413])(
    "[E1] close code %i ends the connection with a reason, and later messages change nothing",
    async (code) => {
      const { ann, go } = await openRoomWithAnn();
      const [link = 0] = ann.links;
      ann.session.onMessage(link, JSON.stringify({ t: "bye", code, reason: "Because." }), ann.now);
      expect(ann.session.connection).toEqual({ is: "ended", code, reason: "Because." });
      const opened = ann.opened.length;
      ann.session.reconnect(ann.now);
      go(600_000);
      expect(ann.opened).toHaveLength(opened);
      // The user may still decide to come back.
      ann.start();
      expect(ann.session.connection.is).toBe("live");
    },
  );

  it("[E1] the close alone carries the reason if the message was lost", async () => {
    const { ann } = await openRoomWithAnn();
    const [link = 0] = ann.links;
    ann.session.onClosed(link, { code: 4410, reason: "Closed." }, ann.now);
    expect(ann.session.connection).toMatchObject({ is: "ended", code: 4410 });
  });

  it("[E1] the client keeps to the time that the room names", async () => {
    const { ann, go } = await openRoomWithAnn(() => 0.5);
    const [link = 0] = ann.links;
    ann.session.onMessage(
      link,
      JSON.stringify({ t: "bye", code: 1012, reason: "Moving.", retryAfterMs: 4_000 }),
      ann.now,
    );
    expect(ann.session.connection).toMatchObject({
      is: "waiting",
      retryAt: ann.now + 4_000,
      reason: "Moving.",
    });
    go(3_999);
    expect(ann.opened).toHaveLength(1);
    go(1);
    expect(ann.opened).toHaveLength(2);
  });

  it("clients that get the same message do not come back in step", async () => {
    const random = randomFrom(7);
    const backoff = new Backoff(() => random.next());
    const times = Array.from({ length: 200 }, () => backoff.delayMs(10_000, false));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(10_000);
    expect(new Set(times.map((time) => Math.floor(time / 250))).size).toBeGreaterThan(6);
  });

  it("a late `bye` from an old socket has no effect", async () => {
    const { ann, go } = await openRoomWithAnn();
    const [old = 0] = ann.links;
    ann.cut();
    go(20_000);
    ann.session.onMessage(old, JSON.stringify({ t: "bye", code: 4409, reason: "Replaced." }), ann.now);
    ann.session.onClosed(old, { code: 4409, reason: "" }, ann.now);
    expect(ann.session.connection.is).toBe("live");
  });
});

describe("a page that becomes visible again", () => {
  it.each([
    [1012, true],
    [4429, true],
    [4503, true],
    [4408, false],
    [1006, false],
  ])(
    "[E1] the client keeps to the time that the room named after %i, unless the user asks for a retry",
    async (code, isKept) => {
      const { ann, go } = await openRoomWithAnn(() => 0.9);
      const [link = 0] = ann.links;
      const named = code === 1006 ? {} : { retryAfterMs: 60_000 };
      ann.session.onClosed(link, { code, reason: "Later.", ...named }, ann.now);
      ann.session.reconnect(ann.now, false);
      go(0);
      expect(ann.opened).toHaveLength(isKept ? 1 : 2);
      if (isKept) ann.session.reconnect(ann.now);
      go(100);
      expect(ann.session.connection.is).toBe("live");
    },
  );

  it("a `bye` without a pause does not mean `at once, and again`", () => {
    expect(new Backoff(() => 0).delayMs(0, true)).toBeGreaterThan(0);
    expect(new Backoff(() => 0).delayMs(-1, false)).toBeGreaterThan(0);
  });
});

describe("retry pauses", () => {
  it.each([0, 1_500, 3_000, 4_500, 6_000, 20_000])(
    "the busiest 250 ms have at most a tenth of a thousand clients that lost their connections at once, with the server away for %i ms",
    (downMs) => {
      for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const random = randomFrom(seed);
        const tries = Array.from({ length: 1_000 }, () => {
          const backoff = new Backoff(() => random.next());
          const times = [backoff.nextMs(1_000)];
          for (let at = times[0] ?? 0; at < downMs; times.push(at)) at += backoff.nextMs(1_000);
          return times;
        });
        expect(maxInWindow(tries.flat(), 250), `seed ${seed}`).toBeLessThanOrEqual(100);
      }
    },
  );

  it("the pauses are short for two clients and longer for a crowd, grow with each failure, and never exceed ten seconds", () => {
    const pauses = (members: number | undefined) => {
      const backoff = new Backoff(() => 1);
      return Array.from({ length: 6 }, () => backoff.nextMs(members));
    };
    expect(pauses(2)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000]);
    expect(pauses(1_000)).toEqual([4_500, 9_000, 10_000, 10_000, 10_000, 10_000]);
    expect(pauses(undefined)).toEqual(pauses(1_000));
    expect(new Backoff(() => 0).nextMs(2)).toBeGreaterThan(0);
  });

  it("the pauses start small again after a connection that lasted, and grow on after one that did not", async () => {
    const { ann, go } = await openRoomWithAnn(() => 0.999);
    const pauseAfter = (liveMs: number) => {
      ann.session.reconnect(ann.now);
      go(liveMs);
      ann.cut();
      const { connection: link } = ann.session;
      return link.is === "waiting" ? Math.round((link.retryAt - ann.now) / 500) : undefined;
    };
    expect([pauseAfter(0), pauseAfter(0), pauseAfter(0)]).toEqual([1, 2, 4]);
    expect([pauseAfter(11_000), pauseAfter(0)]).toEqual([1, 2]);
  });
});

describe("a token", () => {
  it("[T8] the client renews the token before it ends, by a second socket that no other user notices", async () => {
    const stage = await RoomStage.open();
    const ann = new SessionClient(stage, "ann");
    const bob = new SessionClient(stage, "bob").start();
    ann.tokenEndsAt = stage.now + 60_000;
    ann.start();
    advance(stage, [ann, bob], 100);
    for (let n = 0; n < 20; n++) {
      ann.tokenEndsAt = stage.now + 60_000;
      bob.say(`number ${n}`);
      ann.say(`answer ${n}`);
      advance(stage, [ann, bob], 10_000);
      expect(ann.session.connection, `after ${n}`).toEqual({ is: "live" });
    }
    expect(ann.opened.length).toBeGreaterThanOrEqual(3);
    expect(ann.opened.slice(1).every(({ anew, resumes }) => anew && resumes)).toBe(true);
    expect(ann.freshCount).toBe(1);
    expect([...ann.outcomes.values()].map(([outcome]) => outcome?.is)).toEqual(Array(20).fill("event"));
    const said = (visitor: SessionClient) =>
      visitor.events.filter(({ n }) => n === "said").map(({ seq }) => seq);
    expect(said(ann)).toEqual(said(bob));
    expect(ann.session.slices.checksum("chat")).toBe(bob.session.slices.checksum("chat"));
    expect(bob.events.filter(({ n }) => n === "left")).toEqual([]);
  });

  it("[T8] the second socket takes over silently: the old socket closes first, and one is live all the time", async () => {
    const stage = await RoomStage.open();
    const ann = new SessionClient(stage, "ann");
    ann.tokenEndsAt = stage.now + 60_000;
    ann.start();
    advance(stage, [ann], 40_000);
    ann.tokenEndsAt = stage.now + 60_000;
    const before = ann.connectionStates.length;
    advance(stage, [ann], 20_000);
    expect(ann.opened).toHaveLength(2);
    expect(new Set(ann.connectionStates.slice(before))).toEqual(new Set(["live"]));
  });

  it("[T8] the client asks again for a token that cannot be renewed yet, while the old one lasts", async () => {
    const stage = await RoomStage.open();
    const ann = new SessionClient(stage, "ann");
    ann.tokenEndsAt = stage.now + 100_000;
    ann.start();
    ann.tokenFailure = { code: 1006, reason: "The server is away." };
    advance(stage, [ann], 95_000);
    expect(ann.session.connection).toEqual({ is: "live" });
    ann.tokenFailure = undefined;
    ann.tokenEndsAt = stage.now + 100_000;
    advance(stage, [ann], 20_000);
    expect(ann.session.connection).toEqual({ is: "live" });
    expect(ann.freshCount).toBe(1);
  });

  it("[A5] a second socket that broke before its welcome does not end the connection if it arrives later", async () => {
    const stage = await RoomStage.open();
    const ann = new SessionClient(stage, "ann");
    ann.tokenEndsAt = stage.now + 100_000;
    ann.start();
    const [live = 0] = ann.links;
    ann.tokenFailure = { code: 1006, reason: "" };
    advance(stage, [ann], 95_000);
    ann.tokenFailure = undefined;
    ann.tokenEndsAt = stage.now + 100_000;
    ann.session.onMessage(live, JSON.stringify({ t: "bye", code: 4409, reason: "Replaced." }), ann.now);
    advance(stage, [ann], 20_000);
    expect(ann.session.connection).toEqual({ is: "live" });
  });

  it("[A5] a token that ends before the second socket is open is fetched again, and that late socket ends nothing", async () => {
    const stage = await RoomStage.open();
    const ann = new SessionClient(stage, "ann");
    ann.tokenEndsAt = stage.now + 100_000;
    ann.start();
    const [live = 0] = ann.links;
    advance(stage, [ann], 60_000);
    ann.session.tick(ann.now + 30_000);
    ann.session.onMessage(live, JSON.stringify({ t: "bye", code: 4401, reason: "It has ended." }), ann.now);
    ann.tokenEndsAt = stage.now + 1_000_000;
    advance(stage, [ann], 5_000);
    const newest = ann.links.at(-1) ?? 0;
    ann.session.onMessage(newest, JSON.stringify({ t: "bye", code: 4409, reason: "Replaced." }), ann.now);
    advance(stage, [ann], 20_000);
    expect(ann.session.connection).toEqual({ is: "live" });
  });

  it("[E1] the client fetches a rejected token again once, and a second rejection ends the visit", async () => {
    const { ann, go } = await openRoomWithAnn();
    ann.tokenFailure = { code: 4401, reason: "Your token has ended." };
    ann.cut();
    go(30_000);
    expect(ann.session.connection).toEqual({ is: "ended", code: 4401, reason: "Your token has ended." });
  });

  it("[E1] the client fetches a token that ended during a disconnection, and the visit continues", async () => {
    const { ann, go } = await openRoomWithAnn();
    go(20_000);
    const [link = 0] = ann.links;
    ann.session.onMessage(
      link,
      JSON.stringify({ t: "bye", code: 4401, reason: "Your token has ended." }),
      ann.now,
    );
    go(100);
    expect(ann.session.connection).toEqual({ is: "live" });
    expect(ann.opened.map(({ anew }) => anew)).toEqual([false, true]);
    expect(ann.freshCount).toBe(1);
  });

  it("[E1] a token that cannot be fetched again ends the visit at once", async () => {
    const stage = await RoomStage.open();
    const ann = new SessionClient(stage, "ann", { canRenew: false }).start();
    ann.session.onClosed(ann.links[0] ?? 0, { code: 4401, reason: "Ended." }, ann.now);
    expect(ann.session.connection).toMatchObject({ is: "ended", code: 4401 });
  });
});
