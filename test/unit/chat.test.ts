import { describe, expect, it } from "vitest";
import { chatSchema } from "../../src/features/chat/schema";
import { type ChatEvent, type ChatState, initial, reduce } from "../../src/features/chat/state";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const saidEvent = (seq: number, text = `line ${seq}`): ChatEvent => ({
  n: "said",
  d: { name: "Ann", text },
  by: "ann",
  seq,
  at: seq * 10,
});
const readLines = (tab: RoomTab) => (tab.read().slices.chat as ChatState).messages.map(({ text }) => text);

describe("chat's reducer", () => {
  it("[P] the reducer keeps the last hundred lines, each identified by its number", () => {
    let state = initial();
    for (let seq = 1; seq <= 130; seq++) state = reduce(state, saidEvent(seq));
    expect(state.messages.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, n) => n + 31));
    expect(state.messages[0]).toEqual({ id: 31, user: "ann", name: "Ann", text: "line 31", at: 310 });
  });

  it("[P] the reducer takes out a removed line and no other", () => {
    let state = [1, 2, 3].reduce((current, seq) => reduce(current, saidEvent(seq)), initial());
    state = reduce(state, { n: "removed", d: { id: 2 }, by: "ann", seq: 4, at: 40 });
    expect(state.messages.map(({ id }) => id)).toEqual([1, 3]);
    expect(reduce(state, { n: "removed", d: { id: 99 }, by: "ann", seq: 5, at: 50 })).toEqual(state);
  });

  it("the reducer ignores events that a later release may add", () => {
    const state = reduce(initial(), saidEvent(1));
    expect(reduce(state, { n: "edited", d: {}, seq: 2, at: 2 } as never)).toBe(state);
  });
});

describe("a line", () => {
  it("[P] a line has 1 to 500 characters of any size", () => {
    const { say } = chatSchema.actions;
    for (const text of ["x", "💥".repeat(500), "x".repeat(500)])
      expect(say.safeParse({ text }).success).toBe(true);
    for (const text of ["", "💥".repeat(501), "\0", "\ud800", 5, null])
      expect(say.safeParse({ text }).success).toBe(false);
  });

  it("[P] a line of 500 characters is never too large, whichever characters and escapes it has", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const worst = ["💥", "\u0001", "\u007f", "\uffff", '"', "\\", "€"].map((unit) => unit.repeat(500));
    for (const text of worst) stage.say(ann, text);
    stage.advance(100);
    expect(ann.read().nacks).toEqual([]);
    expect(readLines(ann)).toEqual(worst);
    stage.expectNoViolations();
  });
});

describe("removing a line", () => {
  it("[P] the author and a host may remove a line, and no other user may", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    const host = stage.join("hanna", { role: "host" });
    stage.say(ann, "first");
    stage.say(ann, "second");
    stage.advance(100);
    const [first, second] = (ann.read().slices.chat as ChatState).messages.map(({ id }) => id);
    stage.do(bob, "chat", "remove", { id: first ?? 0 });
    expect(bob.read().nacks).toMatchObject([{ code: "not_allowed" }]);
    stage.do(ann, "chat", "remove", { id: first ?? 0 });
    stage.do(host, "chat", "remove", { id: second ?? 0 });
    stage.advance(100);
    expect(readLines(bob)).toEqual([]);
    stage.do(ann, "chat", "remove", { id: first ?? 0 });
    expect(ann.read().nacks).toMatchObject([{ code: "conflict" }]);
    stage.expectNoViolations();
  });

  it("[D4] only the author may remove the line of an equal or higher role, whether the author is present or not", async () => {
    const stage = await RoomStage.open();
    const hanna = stage.join("hanna", { role: "host" });
    const otto = stage.join("otto", { role: "host" });
    const ada = stage.join("ada", { role: "admin" });
    stage.say(otto, "otto's");
    stage.say(ada, "ada's");
    stage.advance(100);
    const ids = () => (hanna.read().slices.chat as ChatState).messages.map(({ id }) => id);
    const removeAll = (tab: RoomTab) => {
      for (const id of ids()) stage.do(tab, "chat", "remove", { id });
      stage.advance(100);
      return tab
        .read()
        .nacks.splice(0)
        .map(({ code }) => code);
    };
    expect(removeAll(hanna)).toEqual(["not_allowed", "not_allowed"]);
    const overHttp = ids().map((id) => stage.post("hanna", "chat", "remove", { id }));
    expect(overHttp.every(({ ok }) => !ok)).toBe(true);
    for (const tab of [otto, ada]) stage.leave(tab);
    stage.advance(60_000);
    await stage.crash();
    stage.rejoin(hanna);
    stage.advance(100);
    expect(removeAll(hanna)).toEqual(["not_allowed", "not_allowed"]);
    const anna = stage.join("anna", { role: "admin" });
    expect(removeAll(anna)).toEqual(["not_allowed"]);
    stage.rejoin(ada);
    expect(removeAll(ada)).toEqual([]);
    expect(readLines(hanna)).toEqual([]);
    stage.expectNoViolations();
  });

  it("[P] a host may remove the room's own line, and a player without a name may not", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    expect(stage.post("hanna", "chat", "say", { text: "welcome, all" })).toMatchObject({ ok: true });
    const [line] = (ann.read().slices.chat as ChatState).messages;
    expect(line).toMatchObject({ user: "", name: "hanna" });
    stage.do(ann, "chat", "remove", { id: line?.id ?? 0 });
    expect(ann.read().nacks).toMatchObject([{ code: "not_allowed" }]);
  });
});
