import { describe, expect, it } from "vitest";
import { z } from "zod";
import { guardJson } from "../../src/protocol/json-guard";
import { batchSchema, readBatch } from "../../src/protocol/schema/batch";
import { defineFeature } from "../../src/room/api/feature";
import { defineKind } from "../../src/room/api/kind";
import { labFeature } from "../support/room-features";

const feature = (name: string) =>
  defineFeature({
    name,
    version: "1",
    schema: { actions: { go: z.object({}) }, events: { went: z.object({}) } },
    shared: { initial: () => 0, reduce: (count: number) => count + 1 },
    actions: { go: { maxBytes: 2, rate: { count: 1, perMs: 1_000 }, decide: () => ({}) } },
  });

describe("a definition that makes no sense is refused before any room is", () => {
  it.each(["Main", "", "a kind", "1st", "x".repeat(33)])("the kind %s", (name) => {
    expect(() => defineKind({ name, features: [] })).toThrow("A kind's name is 1–32 small letters");
  });

  it.each(["Chat", "", "a feature", "x".repeat(33)])("the feature %s", (name) => {
    expect(() => feature(name)).toThrow("A feature's name is 1–32 letters");
  });

  it("a feature that is called as the room itself", () => {
    expect(() => feature("room")).toThrow('No feature is called "room"');
  });

  it("a feature twice, and a rate for what none of them has", () => {
    expect(() => defineKind({ name: "main", features: [feature("walk"), feature("walk")] })).toThrow(
      'The kind "main" has the feature "walk" twice.',
    );
    const rules = { "walk.run": { count: 1, perMs: 1_000 } };
    expect(() => defineKind({ name: "main", features: [feature("walk")], rules })).toThrow(
      'sets a rate for "walk.run", which none of its features has',
    );
    expect(defineKind({ name: "main", features: [feature("walk"), labFeature()] }).features).toHaveLength(2);
  });

  it.each([
    [{ points: 0, perMinute: 5 }],
    [{ points: 1.5, perMinute: 5 }],
    [{ points: 5, perMinute: Number.POSITIVE_INFINITY }],
  ])("a board of which players may enter %o", (own) => {
    expect(() =>
      defineKind({ name: "main", features: [], boards: { main: { combine: "sum", own } } }),
    ).toThrow("needs whole numbers above 0 for what players may enter");
  });
});

describe("a minute's bound for what players enter", () => {
  const boards = (combine: "sum" | "best") => ({ main: { combine, own: { points: 50, perMinute: 25 } } });

  it("[G7] is one for each award too, where points add up", () => {
    expect(() => defineKind({ name: "main", features: [], boards: boards("sum") })).toThrow(
      "lets players enter more points at once than in a minute",
    );
  });

  it("[G7] counts games where each stands for itself", () => {
    expect(defineKind({ name: "main", features: [], boards: boards("best") }).boards).toEqual(boards("best"));
  });
});

describe("a batch's envelope", () => {
  it("keeps what is said in it and leaves out what is not", () => {
    const batch = { v: 1, room: "main/hall", epoch: "e", n: 1, entries: [] };
    const read = (more: object) => readBatch(batchSchema.parse({ ...batch, ...more }));
    expect(read({})).toEqual(batch);
    expect(read({ ownOnly: true, closing: true })).toEqual({ ...batch, ownOnly: true, closing: true });
  });
});

describe("what is no JSON at all", () => {
  it.each([[undefined], [() => 1], [Symbol("x")], [1n]])("is said to be none: %s", (value) => {
    expect(guardJson(value)).toBe("That is not JSON.");
    expect(guardJson({ x: [value] })).toBe("That is not JSON.");
  });
});
