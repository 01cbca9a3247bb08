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

describe("an invalid definition is rejected before any room exists", () => {
  it.each(["Main", "", "a kind", "1st", "x".repeat(33)])("the definition rejects the kind %s", (name) => {
    expect(() => defineKind({ name, features: [] })).toThrow("A kind's name is 1–32 small letters");
  });

  it.each(["Chat", "", "a feature", "x".repeat(33)])("the definition rejects the feature %s", (name) => {
    expect(() => feature(name)).toThrow("A feature's name is 1–32 letters");
  });

  it("the definition rejects a feature with the room's own name", () => {
    expect(() => feature("room")).toThrow('No feature is called "room"');
  });

  it("the definition rejects a feature twice, and a rate for an unknown action", () => {
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
  ])("the definition rejects a board to which players may enter %o", (own) => {
    expect(() =>
      defineKind({ name: "main", features: [], boards: { main: { combine: "sum", own } } }),
    ).toThrow("needs whole numbers above 0 for what players may enter");
  });
});

describe("a bound on what players enter in a minute", () => {
  const boards = (combine: "sum" | "best") => ({ main: { combine, own: { points: 50, perMinute: 25 } } });

  it("[G7] the bound applies to each award too if points add up", () => {
    expect(() => defineKind({ name: "main", features: [], boards: boards("sum") })).toThrow(
      "lets players enter more points at once than in a minute",
    );
  });

  it("[G7] the bound counts games if each game stands alone", () => {
    expect(defineKind({ name: "main", features: [], boards: boards("best") }).boards).toEqual(boards("best"));
  });
});

describe("the envelope of a batch", () => {
  it("the envelope keeps the named fields and drops the others", () => {
    const batch = { v: 1, room: "main/hall", epoch: "e", n: 1, entries: [] };
    const read = (more: object) => readBatch(batchSchema.parse({ ...batch, ...more }));
    expect(read({})).toEqual(batch);
    expect(read({ ownOnly: true, closing: true })).toEqual({ ...batch, ownOnly: true, closing: true });
  });
});

describe("a value that is no JSON", () => {
  it.each([[undefined], [() => 1], [Symbol("x")], [1n]])("the check rejects %s", (value) => {
    expect(guardJson(value)).toBe("That is not JSON.");
    expect(guardJson({ x: [value] })).toBe("That is not JSON.");
  });
});
