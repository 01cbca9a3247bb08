import { inspect, isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DecidedEvent, normalizeEvent } from "../../src/room/commit/normalize-event";

/** The event as any client parses it from the text, and as the room sees it. */
const read = (decided: DecidedEvent) => {
  const text = JSON.stringify(decided);
  const { seq, at, ...event } = normalizeEvent(decided, text);
  return { event, parsed: JSON.parse(text), text };
};

/** Any value that a feature might put into an event, valid or not. */
const value = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom("\ud800", null, undefined, -0, Number.NaN, Number.POSITIVE_INFINITY),
  fc.constantFrom(Symbol("none"), () => "none", new Date(0), [1, undefined], { deep: { d: undefined } }),
);
const key = fc.oneof(fc.string(), fc.constantFrom("__proto__", "toJSON", "constructor", "1", "length"));
const data = fc.oneof(
  value,
  fc.array(fc.tuple(key, value)).map((entries) => {
    const made = {};
    for (const [name, member] of entries)
      Object.defineProperty(made, name, { value: member, enumerable: true, configurable: true });
    return made;
  }),
  fc.constant(Object.assign(Object.create({ inherited: 1 }), { own: 2 })),
  fc.constant(Object.assign(Object.create(null), { own: 2 })),
  fc.constant(Object.defineProperty({ own: 2 }, "toJSON", { value: () => ({ own: 3 }) })),
);

describe("an event as the room reduces it", () => {
  it("the event is what its JSON text says, not the value that a feature returned", () => {
    const name = fc.option(fc.string(), { nil: undefined });
    fc.assert(
      fc.property(data, name, name, (d, by, op) => {
        const { event, parsed, text } = read({ f: "lab", n: "told", d, by, op });
        expect(isDeepStrictEqual(event, parsed), `${inspect(event)} of ${text}`).toBe(true);
        expect(Object.keys(Object(event.d))).toEqual(Object.keys(Object(parsed.d)));
      }),
      { numRuns: 2_000 },
    );
  });

  it("the event is a copy if an action made it of texts, numbers and booleans", () => {
    const d = { text: "now", count: 1.5, first: true, none: null };
    const unread = "no JSON";
    expect(normalizeEvent({ f: "lab", n: "told", d, by: "ann", op: "1" }, unread).d).toEqual(d);
    expect(() => normalizeEvent({ f: "lab", n: "told", d: { d }, by: "ann", op: "1" }, unread)).toThrow(
      SyntaxError,
    );
  });

  it("the event shares no object with the decision", () => {
    const flat = { text: "now" };
    const deep = { list: [1] };
    const of = (d: object) => read({ f: "lab", n: "told", d, by: "ann", op: "1" }).event;
    const events = [of(flat), of(deep)];
    flat.text = "later";
    deep.list.push(2);
    expect(events.map(({ d }) => d)).toEqual([{ text: "now" }, { list: [1] }]);
  });
});
