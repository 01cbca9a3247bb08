import { inspect, isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asRead, type Told } from "../../src/room/as-read";

const SEQ = 7;
const AT = 1_700_000_000_000;

/** What any reader makes of the text. */
const parsed = (text: string) => ({ ...JSON.parse(text), seq: SEQ, at: AT });

const read = (told: Told) => {
  const text = JSON.stringify(told);
  return { event: asRead(told, text, SEQ, AT), text };
};

/** What a feature might put into an event, sense or none. */
const value = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, Number.POSITIVE_INFINITY),
  fc.constantFrom(Symbol("none"), () => "none", new Date(AT), [1, undefined], { deep: { d: undefined } }),
);
const key = fc.oneof(fc.string(), fc.constantFrom("__proto__", "toJSON", "constructor", "1", "length"));
const data = fc.oneof(
  value,
  fc.array(fc.tuple(key, value)).map((entries) => {
    const made = {};
    for (const [name, held] of entries)
      Object.defineProperty(made, name, { value: held, enumerable: true, configurable: true });
    return made;
  }),
  fc.constant(Object.assign(Object.create({ inherited: 1 }), { own: 2 })),
  fc.constant(Object.assign(Object.create(null), { own: 2 })),
);

describe("an event as it is read", () => {
  it("is what its text says, whatever a feature put into it", () => {
    let copied = 0;
    fc.assert(
      fc.property(
        data,
        fc.option(fc.string(), { nil: undefined }),
        fc.option(fc.string(), { nil: undefined }),
        (d, by, op) => {
          const { event, text } = read({ f: "lab", n: "told", d, by, op });
          expect(isDeepStrictEqual(event, parsed(text)), `${inspect(event)} of ${text}`).toBe(true);
          expect(Object.keys((event.d ?? {}) as object)).toEqual(Object.keys(parsed(text).d ?? {}));
          if (by !== undefined && op !== undefined) copied++;
        },
      ),
      { numRuns: 2_000 },
    );
    expect(copied).toBeGreaterThan(300);
  });

  it("shares nothing with what was decided", () => {
    const d: Record<string, unknown> = { text: "now", list: [1] };
    const flat = { text: "now" };
    const { event } = read({ f: "lab", n: "told", d, by: "ann", op: "1" });
    const { event: copy } = read({ f: "lab", n: "told", d: flat, by: "ann", op: "1" });
    d["text"] = flat.text = "later";
    (d["list"] as number[]).push(2);
    expect(event.d).toEqual({ text: "now", list: [1] });
    expect(copy.d).toEqual({ text: "now" });
  });
});
