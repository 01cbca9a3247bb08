import { describe, expect, test } from "vitest";
import { ActionError, type Status } from "../../src/client/room-client";
import { Drafts } from "../../web/play/drafts";
import { toLines } from "../../web/play/lines";
import { Typists } from "../../web/play/typists";
import type { View } from "../../web/play/view";
import { draftStateText, endNotice, offlineText, statusText, typingText } from "../../web/play/words";

const live: Status = { is: "live", outdated: false };
const NOW = 1_700_000_040_000;

function makeView(more: Partial<View> = {}): View {
  return {
    status: live,
    you: { user: "guest-me", name: "Me", role: "player", conn: "c" },
    chat: { messages: [] },
    presence: { members: {}, count: 0 },
    drafts: [],
    draftBySeq: new Map(),
    typingUsers: [],
    ...more,
  };
}

const message = (id: number, user: string, at = NOW, name = user, text = "x") => ({
  id,
  user,
  name,
  text,
  at,
});
const refusal = (code: "rate_limited" | "muted" | "unknown_outcome", text: string, retryAfterMs?: number) =>
  new ActionError("op-1", { code, message: text, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });

describe("lines", () => {
  test("the user's own message appears at once, and becomes the room's without changing its key", () => {
    const drafts = new Drafts();
    drafts.add("op-1", "Hello", NOW);
    expect(toLines(makeView({ drafts: drafts.all }))).toMatchObject([
      { key: "op-1", text: "Hello", mine: true, draft: { fate: { is: "waiting" } } },
    ]);
    const chat = { messages: [message(1, "ann"), message(2, "guest-me", NOW, "Me", "Hello")] };
    const lines = toLines(makeView({ chat, draftBySeq: new Map([[2, "op-1"]]) }));
    expect(lines.map(({ key, text }) => [key, text])).toEqual([
      ["said-1", "x"],
      ["op-1", "Hello"],
    ]);
    expect(lines[1]?.draft).toBeUndefined();
  });

  test("the lines are grouped by author and minute, and days are separated", () => {
    const minute = 60_000;
    const at = [0, 1, minute, minute + 1, 3 * 24 * 60 * minute].map((ms) => NOW + ms);
    const messages = ["ann", "ann", "ann", "bob", "bob"].map((user, i) => message(i + 1, user, at[i]));
    const lines = toLines(makeView({ chat: { messages } }));
    expect(lines.map(({ opens }) => opens)).toEqual([true, false, true, true, true]);
    expect(lines.map(({ closes }) => closes)).toEqual([false, true, true, true, true]);
    expect(lines.map(({ newDay }) => newDay)).toEqual([true, false, false, false, true]);
  });

  test("a user who returns under another name starts a new group", () => {
    const messages = [message(1, "ann", NOW, "Ann"), message(2, "ann", NOW, "Anna")];
    expect(toLines(makeView({ chat: { messages } })).map(({ opens }) => opens)).toEqual([true, true]);
  });
});

describe("the result of a draft", () => {
  test("a rejection is shown with its wait, and the same message can be sent again", () => {
    const drafts = new Drafts();
    drafts.add("op-1", "Too much", NOW);
    drafts.markFailed("op-1", refusal("rate_limited", "…", 12_000), NOW);
    const text = (now: number) => drafts.all.map(({ state: fate }) => draftStateText(fate, live, now))[0];
    expect(text(NOW)).toEqual({
      text: "That was faster than this room allows.",
      needsDecision: true,
      wait: "12 s",
    });
    expect(drafts.pendingRetryAts(NOW)).toEqual([NOW + 12_000]);
    expect(text(NOW + 12_000)).toEqual({
      text: "That was faster than this room allows.",
      needsDecision: true,
    });
    expect(drafts.pendingRetryAts(NOW + 12_000)).toEqual([]);
    expect(drafts.retry("op-1")).toBe("Too much");
    expect(text(NOW)).toEqual({ text: "Sending…", needsDecision: false });
    drafts.remove("op-1");
    expect(drafts.all).toEqual([]);
  });

  test("any other rejection is shown in the room's own words, and an unknown outcome as such", () => {
    const drafts = new Drafts();
    for (const op of ["op-1", "op-2"]) drafts.add(op, "Hm", NOW);
    drafts.markFailed("op-1", refusal("muted", "You have been muted."), NOW);
    drafts.markFailed("op-2", refusal("unknown_outcome", "…"), NOW);
    expect(drafts.all.map(({ state: fate }) => draftStateText(fate, live, NOW).text)).toEqual([
      "You have been muted.",
      "It is not certain that this arrived.",
    ]);
  });

  test("the page says that it waits for the connection while there is none", () => {
    const waiting: Status = { is: "waiting", again: true, retryAt: NOW + 4_250, outdated: false };
    expect(draftStateText({ is: "waiting" }, waiting, NOW).text).toBe("Waiting for the connection");
    const drafts = new Drafts();
    expect(offlineText(makeView({ status: waiting }), NOW)).toContain("What you write is kept");
    drafts.add("a", "x", NOW);
    expect(offlineText(makeView({ status: waiting, drafts: drafts.all }), NOW)).toContain(
      "Your message is kept and will be sent.",
    );
    drafts.add("b", "x", NOW);
    expect(
      offlineText(
        makeView({ status: { ...waiting, reason: "The room is moving." }, drafts: drafts.all }),
        NOW,
      ),
    ).toMatch(/^The room is moving\. Your 2 messages are kept .* Next try in 5 s\.$/);
  });
});

describe("the page's texts", () => {
  test("there is a text for every connection state", () => {
    expect(statusText(live)).toBe("Live");
    expect(statusText({ is: "connecting", again: false, outdated: false })).toBe("Connecting…");
    expect(statusText({ is: "connecting", again: true, outdated: false })).toBe("Reconnecting…");
    expect(statusText({ is: "waiting", again: false, retryAt: 0, outdated: false })).toBe("Not connected");
    expect(offlineText(makeView(), NOW)).toBeUndefined();
  });

  test("there is a sentence and a way on for every final code", () => {
    for (const code of [4400, 4401, 4403, 4404, 4409, 4410, 4413]) {
      const { title, button } = endNotice(code, "Because.");
      expect(title).toMatch(/\.$/);
      expect(button).not.toBe("");
    }
    expect(endNotice(4409, "").button).toBe("Use this tab");
  });

  test("there is a text for any number of users who type", () => {
    expect(typingText([])).toBe("");
    expect(typingText(["Ann"])).toBe("Ann is typing…");
    expect(typingText(["Ann", "Bob"])).toBe("Ann and Bob are typing…");
    expect(typingText(["Ann", "Bob", "Cleo"])).toBe("Several people are typing…");
  });
});

test("a typing user is shown for four seconds, or until their message arrives", () => {
  const typists = new Typists();
  typists.add("ann", NOW);
  typists.add("bob", NOW);
  typists.remove("bob");
  expect(typists.list(NOW + 3_999)).toEqual(["ann"]);
  expect(typists.nextAt()).toBe(NOW + 4_000);
  typists.prune(NOW + 4_000);
  expect(typists.list(NOW + 4_000)).toEqual([]);
});
