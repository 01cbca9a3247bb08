import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonical, checksum, crc32 } from "../../src/protocol/checksum";
import { canonical as canonicalOutside, crc32 as crc32Outside } from "../platforms/reference-checksum";

const native = (zlib as { crc32?: (text: string) => number }).crc32;
const text = fc.string({ unit: "binary", maxLength: 60 }).filter((any) => any.isWellFormed());

describe("CRC-32", () => {
  it("the checksum of the known inputs has its known values", () => {
    expect(crc32("123456789").toString(16)).toBe("cbf43926");
    expect(crc32("")).toBe(0);
    expect(crc32("a").toString(16)).toBe("e8b7be43");
    expect(crc32("The quick brown fox jumps over the lazy dog").toString(16)).toBe("414fa339");
  });

  it("the checksum covers the text's UTF-8, and agrees with a second implementation and with zlib", () => {
    fc.assert(
      fc.property(text, (any) => {
        expect(crc32(any)).toBe(crc32Outside(new TextEncoder().encode(any)));
        if (native) expect(crc32(any)).toBe(native(any));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("canonical JSON", () => {
  it("[RFC 8785, 3.2.2] the example of the standard is written as the standard says", () => {
    const value = {
      // biome-ignore lint/correctness/noPrecisionLoss: the standard's own example
      numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
      literals: [null, true, false],
    };
    expect(canonical(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it("[RFC 8785, 3.2.3] keys are sorted by UTF-16 units", () => {
    const value = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    };
    expect(Object.values(JSON.parse(canonical(value)))).toEqual([
      "One",
      ...["Carriage Return", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign"],
      ...["Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh"],
    ]);
    expect([...canonical(value).matchAll(/"([^"]*)":/g)].map(([, key]) => key)).toEqual([
      "\\r",
      "1",
      "\u0080",
      "\u00f6",
      "\u20ac",
      "\ud83d\ude00",
      "\ufb33",
    ]);
  });

  it("[RFC 8785, appendix B] numbers are written as ECMAScript writes them", () => {
    const known: [number, string][] = [
      [0, "0"],
      [-0, "0"],
      [5e-324, "5e-324"],
      [-5e-324, "-5e-324"],
      [1.7976931348623157e308, "1.7976931348623157e+308"],
      [9007199254740992, "9007199254740992"],
      [295147905179352830000, "295147905179352830000"],
      [9.999999999999997e22, "9.999999999999997e+22"],
      [1e23, "1e+23"],
      [1.0000000000000001e23, "1.0000000000000001e+23"],
      [999999999999999700000, "999999999999999700000"],
      [1e21, "1e+21"],
      [9.999999999999997e-7, "9.999999999999997e-7"],
      [0.000001, "0.000001"],
      [333333333.3333332, "333333333.3333332"],
      [-0.0000033333333333333333, "-0.0000033333333333333333"],
      [1424953923781206.2, "1424953923781206.2"],
    ];
    for (const [number, written] of known) expect(canonical(number)).toBe(written);
  });

  it("the text leaves out what JSON would, and keeps keys that are named like members of an object's prototype", () => {
    expect(canonical({ b: undefined, a: [undefined] })).toBe('{"a":[null]}');
    expect(canonical(JSON.parse('{"constructor":1,"__proto__":{"x":1},"1":2}'))).toBe(
      '{"1":2,"__proto__":{"x":1},"constructor":1}',
    );
    const bare = Object.assign(Object.create(null), { b: 1, a: 2 });
    expect(canonical(bare)).toBe('{"a":2,"b":1}');
  });

  it("the text does not depend on the order of keys, survives JSON, and agrees with a second implementation", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy = JSON.parse(JSON.stringify(value));
        expect(canonical(copy)).toBe(canonical(value));
        expect(canonical(value)).toBe(canonicalOutside(value as never));
        expect(JSON.stringify(JSON.parse(canonical(value)))).toBe(
          JSON.stringify(JSON.parse(canonical(reverseKeys(copy)))),
        );
        expect(canonical(reverseKeys(copy))).toBe(canonical(value));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a checksum", () => {
  it("the checksum has eight hex digits, even if the first are zeros", () => {
    expect(checksum("123456789")).toMatch(/^[0-9a-f]{8}$/);
    let noughts = 0;
    for (let n = 0; n < 2_000; n++) {
      const sum = checksum(n);
      expect(sum).toHaveLength(8);
      if (sum.startsWith("0")) noughts++;
    }
    expect(noughts).toBeGreaterThan(50);
  });
});

/** The same value with the keys of every object in reverse order. */
function reverseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reverseKeys(member)]),
  );
}
