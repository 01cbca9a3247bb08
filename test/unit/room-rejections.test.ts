import { describe, expect, it } from "vitest";
import { z } from "zod";
import { moderation } from "../../src/features/moderation/decide";
import {
  reducePrivate as hideBans,
  initialPrivate as noBans,
} from "../../src/features/moderation/private-state";
import { presence } from "../../src/features/presence/decide";
import { scores } from "../../src/features/scores/decide";
import { initialPrivate } from "../../src/features/scores/private-state";
import { initial } from "../../src/features/scores/state";
import { type AnyFeature, defineFeature } from "../../src/room/api/feature";
import { defineKind } from "../../src/room/api/kind";
import type { WordFilter } from "../../src/text/word-filter";
import { labFeature } from "../support/room-features";
import { RoomStage } from "../support/room-stage";
import { BOARDS } from "../support/score-stage";

const unlimited = { maxBytes: 1_000, rate: { count: 1_000, perMs: 1_000 } };

/** Actions of each sort of bound, and one without a schema. */
const desk = defineFeature({
  name: "desk",
  version: "1",
  schema: { actions: { close: z.object({}), lost: z.object({}) }, events: { closed: z.object({}) } },
  shared: { initial: () => 0, reduce: (count: number) => count + 1 },
  actions: {
    close: { ...unlimited, who: "admin", decide: () => ({ events: [{ n: "closed", d: {} }] }) },
    lost: { ...unlimited, decide: () => ({}) },
  },
});
const { lost: _, ...others } = desk.schema.actions;
const forgetful = { ...desk, schema: { ...desk.schema, actions: others } } as unknown as AnyFeature;
const silent = { ...labFeature(), name: "mute", schema: { ...labFeature().schema, signals: undefined } };

const kind = defineKind({
  name: "main",
  features: [presence, labFeature(), forgetful, silent as unknown as AnyFeature],
  words: "reject",
  rules: { "presence.set": null, "lab.rare": null },
});
const filter: WordFilter = { find: (text) => (text.includes("bad") ? [{ from: 2, to: 5 }] : []) };

describe("a rejection", () => {
  it("the rejection names who may act, if a host is not enough", async () => {
    const stage = await RoomStage.open({ kind });
    const hanna = stage.join("hanna", { role: "host" });
    const ada = stage.join("ada", { role: "admin" });
    stage.do(hanna, "desk", "close");
    stage.do(ada, "desk", "close");
    stage.do(hanna, "lab", "hosts");
    const ann = stage.join("ann");
    stage.do(ann, "lab", "hosts");
    stage.advance(100);
    expect(hanna.read().nacks.map(({ message }) => message)).toEqual(["Only an admin may do that."]);
    expect(ann.read().nacks.map(({ message }) => message)).toEqual(["Only a host may do that."]);
    expect(ada.read().slices.desk).toBe(1);
  });

  it("the room reports a missing schema as its own error, and goes on", async () => {
    const stage = await RoomStage.open({ kind });
    const ann = stage.join("ann");
    stage.do(ann, "desk", "lost");
    stage.signal(ann, "mute", "point", { x: 1 });
    stage.advance(2_000);
    expect(ann.read().nacks.map(({ code }) => code)).toEqual(["internal", "internal"]);
    stage.do(ann, "lab", "urgent");
    stage.advance(100);
    expect(ann.read().slices.lab).toMatchObject({ total: 1 });
  });

  it("[L3] signals pass at any rate if their limit is off", async () => {
    const stage = await RoomStage.open({ kind });
    const [ann, bob] = [stage.join("ann"), stage.join("bob")];
    // The signal comes in the frame that announces Bob, so the room does not send it to him.
    stage.advance(200);
    for (let x = 0; x < 5; x++) {
      stage.signal(ann, "lab", "rare", { x });
      stage.advance(200);
    }
    stage.advance(1_000);
    expect(ann.read().nacks).toEqual([]);
    expect(bob.read().signals.filter(({ n }) => n === "rare")).toHaveLength(5);
  });

  it("[P3] the room rejects a status with forbidden words, and accepts any other", async () => {
    const stage = await RoomStage.open({ kind, filter });
    const ann = stage.join("ann");
    stage.do(ann, "presence", "set", { status: "a bad word" });
    stage.do(ann, "presence", "set", { status: "here" });
    stage.do(ann, "presence", "set", { data: { x: 1 } });
    stage.advance(100);
    expect(ann.read().nacks.map(({ code }) => code)).toEqual(["not_allowed"]);
    expect(ann.slices.presence).toMatchObject({ members: { ann: { status: "here", data: { x: 1 } } } });
  });
});

const actor = { user: "hanna", name: "Hanna", role: "host" as const, isOverHttp: false };
const featureContext = {
  at: 1_000,
  wallAt: 1_000,
  room: { kind: "main", id: "hall" },
  seq: 1,
  epoch: "e",
  openedByGuest: false,
  boards: BOARDS,
  flushMs: 5_000,
  members: new Map([["ann", { number: 1, user: "ann", name: "Ann", role: "player" as const, since: 0 }]]),
  timer: () => undefined,
  random: () => 0.5,
  freshId: () => "id",
  filterText: (text: string) => text,
};

describe("points beyond what a room can store", () => {
  const full = {
    ...featureContext,
    by: actor,
    state: initial(),
    private: { ...initialPrivate(), standings: { size: 100_000, lists: [] } },
  };

  it("[G4] the points go to no new player, neither by award nor by another feature's decision", () => {
    const award = { user: "ann", points: 1 };
    expect(scores.actions.award.decide(full, award)).toMatchObject({ refused: "full" });
    expect(scores.onAwards?.(full, [award])).toEqual({});
  });

  it("the points go nowhere in a room without a board", () => {
    expect(scores.actions.award.decide({ ...full, boards: {} }, { user: "ann", points: 1 })).toMatchObject({
      refused: "bad_data",
      message: "This room has no board.",
    });
  });

  it("the points are flushed by no other timer than their own", () => {
    expect(scores.onTimer?.(full, "other")).toEqual({});
  });
});

describe("moderation beyond what a room can store", () => {
  const context = { ...featureContext, by: actor, state: { muted: {} }, private: noBans() };

  it("the room mutes no more users than its list has space for, except those already in it", () => {
    const muted = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`user-${n}`, 5_000]));
    const mute = (user: string) => moderation.actions.mute.decide({ ...context, state: { muted } }, { user });
    expect(mute("ann")).toMatchObject({ refused: "unavailable" });
    expect(mute("user-7")).toMatchObject({ events: [{ n: "muted", d: { user: "user-7" } }] });
  });

  it("the room bans no user while it cannot remember further bans", () => {
    const write = { n: 1, user: "x", scope: "room" as const, ban: null };
    const writes = Array.from({ length: 1_000 }, () => write) as unknown as ReturnType<
      typeof noBans
    >["unsent"];
    const full = { ...context, private: { ...noBans(), unsent: writes } };
    expect(moderation.actions.ban.decide(full, { user: "ann", scope: "room" })).toMatchObject({
      refused: "unavailable",
    });
  });

  it("an unban lifts the named ban, or all that its author may lift", () => {
    const scopes = (role: "host" | "admin", scope?: "room" | "everywhere") => {
      const speaking = { ...context, by: { ...actor, role, allRooms: true as const } };
      const outcome = moderation.actions.unban.decide(speaking, { user: "ann", ...(scope ? { scope } : {}) });
      return "refused" in outcome
        ? outcome.refused
        : outcome.events?.map(({ d }) => ("scope" in d ? d.scope : undefined));
    };
    expect([scopes("host"), scopes("admin"), scopes("host", "room")]).toEqual([
      ["room"],
      ["room", "everywhere"],
      ["room"],
    ]);
    expect([scopes("host", "everywhere"), scopes("admin", "everywhere")]).toEqual([
      "not_allowed",
      ["everywhere"],
    ]);
  });

  it("the room says once that it ends, and takes that back if a user comes", () => {
    const ended = { ...context, private: { ...noBans(), isEnded: true } };
    expect(moderation.beforeClose?.(context, true)).toMatchObject({
      private: [{ n: "ended" }],
      effects: ["places"],
    });
    expect(moderation.beforeClose?.(ended, true)).toEqual({ effects: [] });
    const joined = { number: 2, user: "bob", name: "Bob", role: "player" as const, since: 0 };
    expect(moderation.joined?.(ended, joined)).toMatchObject({ private: [{ n: "told" }] });
    expect(
      hideBans(noBans(), { n: "unknown", d: {}, at: 0 } as unknown as Parameters<typeof hideBans>[1]),
    ).toEqual(noBans());
  });
});
