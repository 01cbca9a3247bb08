import { describe, expect, test } from "vitest";
import type { Nack, WireEvent, WireSignal } from "../../src/protocol/messages";
import { linesOf } from "../../web/play/lines";
import { Session } from "../../web/play/session";
import { awayWords, endWords, fateWords, linkWords, typingWords } from "../../web/play/words";

/** A session with a socket that only notes what is asked of it, and a room that says what the story wants. */
function open(chance = 0.5) {
  const asked: string[] = [];
  const wire = {
    open: () => asked.push("open"),
    send: (text: string) => asked.push(text),
    close: () => asked.push("close"),
  };
  const session = new Session(wire, () => chance, "visit");
  let now = 1_000_000;
  let seq = 0;
  const story = {
    session,
    get now() {
      return now;
    },
    view: () => session.view(now),
    /** What was asked of the socket since last looked at. */
    asked: () => asked.splice(0),
    /** The same, messages only, as the room reads them. */
    sent: () => story.asked().flatMap((text) => (text.startsWith("{") ? [JSON.parse(text)] : [])),
    hear: (message: unknown) =>
      session.heard(typeof message === "string" ? message : JSON.stringify(message), now),
    welcome(more: Record<string, unknown> = {}) {
      if (typeof more.seq === "number") seq = more.seq;
      story.hear({
        ...{
          t: "welcome",
          v: 1,
          room: { kind: "main", id: "hall" },
          epoch: "first",
          seq,
          at: now,
          resumed: false,
        },
        you: { user: "guest-me", name: "Me", role: "player", conn: "c" },
        features: {},
        state: { chat: { messages: [] }, presence: { members: {}, count: 0 } },
        limits: {
          maxBytes: 16_384,
          resendMs: 120_000,
          recoveryMs: 120_000,
          pingMs: 20_000,
          silentMs: 45_000,
          rules: {},
        },
        ...more,
      });
    },
    frame(e: WireEvent[], s?: WireSignal[]) {
      seq += e.length;
      story.hear({ t: "frame", seq, at: now, e, ...(s ? { s } : {}) });
    },
    /** Time goes by, and the driver does what it is there for. */
    pass(ms: number) {
      const end = now + ms;
      for (let at = session.wakeAt(now); at <= end; at = session.wakeAt(now)) {
        now = Math.max(now, at);
        session.tick(now);
      }
      now = end;
    },
    live() {
      session.join(now);
      story.welcome();
      story.asked();
      return story;
    },
  };
  return story;
}

const said = (text: string, by = "ann", op?: string): WireEvent => ({
  ...{ f: "chat", n: "said", d: { name: "Ann", text }, by },
  ...(op ? { op } : {}),
});
const typing = (by: string): WireSignal => ({ f: "chat", n: "typing", d: {}, by });

describe("joining", () => {
  test("a welcome makes it live, with the room's state", () => {
    const story = open();
    story.session.join(story.now);
    expect(story.asked()).toEqual(["open"]);
    expect(story.view().link).toEqual({ is: "connecting", again: false });
    story.welcome({
      seq: 7,
      state: {
        chat: { messages: [] },
        presence: { members: { ann: { name: "Ann", role: "host", since: 1 } }, count: 1 },
      },
    });
    expect(story.view().link).toEqual({ is: "live" });
    expect(story.view().presence.members.ann?.name).toBe("Ann");
    expect(story.session.resumePoint()).toEqual({ epoch: "first", since: "7" });
  });

  test("no welcome within a while: hang up, and try again with growing pauses and chance in them", () => {
    const story = open(0);
    story.session.join(story.now);
    story.pass(11_999);
    expect(story.asked()).toEqual(["open"]);
    story.pass(1);
    expect(story.asked()).toEqual(["close"]);
    story.pass(250);
    expect(story.asked()).toEqual(["open"]);
    story.session.closed(1006, "", story.now);
    expect(story.view().link).toEqual({ is: "waiting", again: false, retryAt: story.now + 450 });
    expect(linkWords(story.view().link)).toBe("Not connected");
  });

  test("what it does not know it ignores", () => {
    const story = open().live();
    for (const odd of ["", "null", "[]", "{", '{"t":"news"}', '{"t":"checksum","seq":1,"sums":{}}'])
      story.hear(odd);
    story.frame([{ f: "confetti", n: "thrown", d: {} }], [{ f: "confetti", n: "falling", d: {}, by: "ann" }]);
    expect(story.view().link).toEqual({ is: "live" });
    expect(story.session.resumePoint().since).toBe("1");
  });
});

describe("talking", () => {
  test("one's own message stands there at once, and becomes the room's without changing its key", () => {
    const story = open().live();
    story.session.say("Hello", story.now);
    const [asked] = story.sent();
    expect(asked).toEqual({ t: "do", id: "visit-1", f: "chat", a: "say", d: { text: "Hello" } });
    expect(linesOf(story.view())).toMatchObject([
      { key: "visit-1", text: "Hello", mine: true, draft: { fate: { is: "sent" } } },
    ]);
    story.frame([said("Before", "ann"), said("Hello", "guest-me", "visit-1")]);
    const lines = linesOf(story.view());
    expect(lines.map(({ key, text }) => [key, text])).toEqual([
      ["said-1", "Before"],
      ["visit-1", "Hello"],
    ]);
    expect(lines[1]?.draft).toBeUndefined();
  });

  test("ids grow, and another's event with the same id settles nothing", () => {
    const story = open().live();
    story.session.say("One", story.now);
    story.session.say("Two", story.now);
    expect(story.sent().map(({ id }) => id)).toEqual(["visit-1", "visit-2"]);
    story.frame([said("Mine too", "ann", "visit-1")]);
    expect(story.view().drafts.map(({ text }) => text)).toEqual(["One", "Two"]);
  });

  test("a refusal is told with its wait, and the same message can be tried again", () => {
    const story = open().live();
    story.session.say("Too much", story.now);
    story.sent();
    const nack: Nack = { t: "nack", id: "visit-1", code: "rate_limited", message: "…", retryAfterMs: 12_000 };
    story.hear(nack);
    const told = () => {
      const [draft] = story.view().drafts;
      return draft && fateWords(draft.fate, story.view().link, story.now);
    };
    expect(told()).toEqual({ text: "That was faster than this room allows.", asks: true, wait: "12 s" });
    expect(story.session.wakeAt(story.now)).toBe(story.now + 1_000);
    story.pass(12_000);
    expect(told()).toEqual({ text: "That was faster than this room allows.", asks: true });
    story.session.sayAgain("visit-1", story.now);
    expect(story.sent()).toMatchObject([{ t: "do", id: "visit-1", d: { text: "Too much" } }]);
    story.frame([said("Too much", "guest-me", "visit-1")]);
    expect(story.view().drafts).toEqual([]);
  });

  test("any other refusal is told in the room's own words, and can be thrown away", () => {
    const story = open().live();
    story.session.say("Hm", story.now);
    story.hear({ t: "nack", id: "visit-1", code: "muted", message: "You have been muted." });
    const [draft] = story.view().drafts;
    expect(draft && fateWords(draft.fate, { is: "live" }, story.now).text).toBe("You have been muted.");
    story.session.discard("visit-1");
    expect(story.view().drafts).toEqual([]);
  });

  test("a draft is dated by the room's clock, and stands in the group it will stay in", () => {
    const story = open();
    story.session.join(story.now);
    const ahead = story.now + 3_600_000;
    story.welcome({ at: ahead });
    story.session.say("Hello", story.now);
    expect(story.view().drafts[0]?.at).toBe(ahead);
  });

  test("whoever comes back under another name opens a group of their own", () => {
    const story = open().live();
    story.frame([said("One"), { ...said("Two"), d: { name: "Anna", text: "Two" } }]);
    expect(linesOf(story.view()).map(({ opens }) => opens)).toEqual([true, true]);
  });

  test("lines are grouped by author and minute, and days are told apart", () => {
    const story = open().live();
    const minute = 60_000;
    const at = [0, 1, minute, minute + 1, 3 * 24 * 60 * minute].map((ms) => 1_700_000_040_000 + ms);
    story.welcome({
      seq: 5,
      state: {
        chat: {
          messages: ["ann", "ann", "ann", "bob", "bob"].map((user, i) => ({
            id: i + 1,
            user,
            name: user,
            text: "x",
            at: at[i],
          })),
        },
        presence: { members: {}, count: 0 },
      },
    });
    const lines = linesOf(story.view());
    expect(lines.map(({ opens }) => opens)).toEqual([true, false, true, true, true]);
    expect(lines.map(({ closes }) => closes)).toEqual([false, true, true, true, true]);
    expect(lines.map(({ newDay }) => newDay)).toEqual([true, false, false, false, true]);
  });
});

describe("typing", () => {
  test("is told at most every two seconds, and only on a live connection", () => {
    const story = open();
    story.session.typing(story.now);
    expect(story.asked()).toEqual([]);
    story.live();
    for (let i = 0; i < 41; i++) {
      story.session.typing(story.now);
      story.pass(100);
    }
    expect(story.sent()).toEqual(Array(3).fill({ t: "sig", f: "chat", n: "typing", d: {} }));
  });

  test("is shown for four seconds or until they have spoken, and never of oneself", () => {
    const story = open().live();
    story.frame([], [typing("ann"), typing("guest-me")]);
    expect(story.view().typing).toEqual(["ann"]);
    story.pass(3_999);
    expect(story.view().typing).toEqual(["ann"]);
    story.pass(1);
    expect(story.view().typing).toEqual([]);
    story.frame([], [typing("ann")]);
    story.frame([said("There")], [typing("ann")]);
    expect(story.view().typing).toEqual([]);
  });

  test("has words for any number of people", () => {
    expect(typingWords([])).toBe("");
    expect(typingWords(["Ann"])).toBe("Ann is typing…");
    expect(typingWords(["Ann", "Bob"])).toBe("Ann and Bob are typing…");
    expect(typingWords(["Ann", "Bob", "Cleo"])).toBe("Several people are typing…");
  });
});

describe("a connection that breaks", () => {
  test("resumes from where it was, and sends nothing again that the replay settles", () => {
    const story = open().live();
    story.session.say("Arrived", story.now);
    story.session.say("Lost", story.now);
    story.asked();
    story.session.closed(1006, "", story.now);
    expect(linkWords(story.view().link)).toBe("Reconnecting…");
    story.session.say("Meanwhile", story.now);
    expect(awayWords(story.view(), story.now)).toContain("Your 3 messages are kept and will be sent.");
    story.pass(500);
    expect(story.asked()).toEqual(["open"]);
    expect(story.session.resumePoint()).toEqual({ epoch: "first", since: "0" });
    story.welcome({ seq: 2, resumed: true, state: undefined });
    expect(story.asked()).toEqual([]);
    story.hear({ t: "frame", seq: 1, at: story.now, e: [said("Arrived", "guest-me", "visit-1")] });
    story.hear({ t: "frame", seq: 2, at: story.now, e: [said("News")] });
    expect(story.sent().map(({ id }) => id)).toEqual(["visit-2", "visit-3"]);
    story.hear({ t: "ack", id: "visit-2", seq: 3 });
    expect(story.view().drafts.map(({ op }) => op)).toEqual(["visit-3"]);
  });

  test("what went out in another life of the room, or too long ago, is left to the person", () => {
    const story = open().live();
    story.session.say("Before", story.now);
    story.session.closed(1006, "", story.now);
    story.session.say("Never sent", story.now);
    story.pass(500);
    story.asked();
    story.welcome({ epoch: "second" });
    expect(story.sent().map(({ id }) => id)).toEqual(["visit-2"]);
    expect(story.view().drafts[0]?.fate).toEqual({ is: "unknown" });

    story.session.closed(1006, "", story.now);
    story.pass(60_001);
    story.asked();
    story.welcome({ epoch: "second" });
    expect(story.sent()).toEqual([]);
    story.session.sayAgain("visit-1", story.now);
    expect(story.sent()).toMatchObject([{ id: "visit-1" }]);
  });

  test("what was sent again is as old as its first sending", () => {
    const story = open().live();
    story.session.say("Hello", story.now);
    for (let i = 0; i < 2; i++) {
      story.session.closed(1006, "", story.now);
      story.pass(40_000);
      story.asked();
      story.welcome({ resumed: true, state: undefined });
      expect(story.sent()).toHaveLength(i === 0 ? 1 : 0);
    }
    expect(story.view().drafts[0]?.fate).toEqual({ is: "unknown" });
  });

  test("pauses grow while nothing holds, and start small again after a connection that did", () => {
    const story = open(0.5);
    const pauseAfter = (liveMs: number) => {
      story.session.nudge(story.now);
      story.welcome();
      story.pass(liveMs);
      story.session.closed(1006, "", story.now);
      const { link } = story.view();
      return link.is === "waiting" ? link.retryAt - story.now : undefined;
    };
    story.session.join(story.now);
    expect([0, 0, 9_999].map(pauseAfter)).toEqual([500, 900, 1_620]);
    expect([10_000, 0].map(pauseAfter)).toEqual([500, 900]);
    for (let i = 0; i < 20; i++) pauseAfter(0);
    expect(pauseAfter(0)).toBe(10_000);
  });

  test("frames that came twice are folded once, and a gap is closed by asking again", () => {
    const story = open().live();
    const twice = { t: "frame", seq: 2, at: story.now, e: [said("One"), said("Two")] };
    story.hear(twice);
    story.hear(twice);
    story.hear({ ...twice, seq: 3, e: [said("Two"), said("Three")] });
    expect(story.view().chat.messages.map(({ text }) => text)).toEqual(["One", "Two", "Three"]);
    story.hear({ ...twice, seq: 9, e: [said("Nine")] });
    expect(story.asked()).toEqual(["close"]);
    expect(story.session.resumePoint().since).toBe("3");
  });

  test("a ping goes out every 20 seconds; without an answer the connection counts as dead", () => {
    const story = open().live();
    story.pass(20_000);
    expect(story.asked()).toEqual(["ping"]);
    story.hear("pong");
    story.pass(20_000);
    expect(story.asked()).toEqual(["ping"]);
    story.pass(12_000);
    expect(story.asked()).toEqual(["close"]);
  });

  test("whoever comes back to the page does not wait: neither for the next try nor for the next ping", () => {
    const story = open().live();
    story.session.nudge(story.now);
    expect(story.asked()).toEqual(["ping"]);
    story.pass(4_000);
    expect(story.asked()).toEqual(["close"]);
    story.session.nudge(story.now);
    expect(story.asked()).toEqual(["open"]);
  });

  test("what has been read is told at least every 256 KiB", () => {
    const story = open().live();
    for (let i = 0; i < 400; i++) story.frame([said("€".repeat(450))]);
    const told = story.sent().filter(({ t }) => t === "seen");
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(told.every(({ seq }, i) => seq > (told[i - 1]?.seq ?? 0))).toBe(true);
  });
});

describe("bye", () => {
  test("that is final stops for good, whatever the socket says afterwards", () => {
    const story = open().live();
    story.hear({ t: "bye", code: 4409, reason: "Replaced." });
    expect(story.asked()).toEqual(["close"]);
    story.session.closed(1006, "", story.now);
    story.session.nudge(story.now);
    story.pass(600_000);
    expect(story.asked()).toEqual([]);
    expect(story.view().link).toEqual({ is: "ended", code: 4409, reason: "Replaced." });
    expect(endWords(4409, "").button).toBe("Use this tab");
    story.session.join(story.now);
    expect(story.asked()).toEqual(["open"]);
  });

  test("the code of the close is enough where the message got lost", () => {
    const story = open().live();
    story.session.closed(4410, "Closed.", story.now);
    expect(story.view().link).toMatchObject({ is: "ended", code: 4410 });
  });

  test("that is not final comes back when it was told to, not earlier and not in step", () => {
    const story = open(0.25).live();
    story.hear({ t: "bye", code: 1012, reason: "The room is moving.", retryAfterMs: 4_000 });
    story.asked();
    expect(awayWords(story.view(), story.now)).toMatch(/^The room is moving\. .* Next try in 5 s\.$/);
    story.pass(4_249);
    expect(story.asked()).toEqual([]);
    story.pass(1);
    expect(story.asked()).toEqual(["open"]);
  });

  test("what a draining room refused goes out again by itself", () => {
    const story = open().live();
    story.session.say("Late", story.now);
    story.hear({ t: "nack", id: "visit-1", code: "draining", message: "…", retryAfterMs: 1_000 });
    story.hear({ t: "bye", code: 1012, reason: "…", retryAfterMs: 1_000 });
    story.pass(2_000);
    story.asked();
    story.welcome({ resumed: true, state: undefined });
    expect(story.sent()).toMatchObject([{ id: "visit-1" }]);
  });

  test("every final code has its sentence and its way on", () => {
    for (const code of [4400, 4401, 4403, 4404, 4409, 4410, 4413]) {
      const { title, button } = endWords(code, "Because.");
      expect(title).toMatch(/\.$/);
      expect(button).not.toBe("");
    }
  });
});
