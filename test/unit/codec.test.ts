import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteLength, codePoints, decode, hasControl, isOpId } from "../../src/protocol/codec";
import { MAX_DEPTH, MAX_MESSAGE_BYTES } from "../../src/protocol/limits";
import { up } from "../../src/protocol/schema/up";
import { makeHostileMessages } from "../platforms/hostile-messages";
import { freshSeed, randomFrom } from "../platforms/random";

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const whole = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed());

describe("decoding a client's message", () => {
  it.each([
    [
      '{"t":"do","id":"a","f":"chat","a":"say","d":{"text":"x"}}',
      { t: "do", id: "a", f: "chat", a: "say", d: { text: "x" } },
    ],
    ['{"t":"do","id":"a","f":"quiz","a":"start"}', { t: "do", id: "a", f: "quiz", a: "start", d: {} }],
    ['{"t":"do","id":"a","f":"x","a":"y","d":null}', { t: "do", id: "a", f: "x", a: "y", d: null }],
    ['{"t":"sig","f":"chat","n":"typing"}', { t: "sig", f: "chat", n: "typing", d: {} }],
    ['{"t":"seen","seq":0}', { t: "seen", seq: 0 }],
    ['{"t":"clock","t0":1.5}', { t: "clock", t0: 1.5 }],
    [' {"t":"verify","more":[1]} ', { t: "verify" }],
  ])("[M] the codec accepts %s", (text, message) => {
    expect(decode(text)).toEqual({ ok: true, message });
  });

  it.each([
    [
      "",
      "verify",
      '"verify"',
      "null",
      "[]",
      "[{}]",
      "1",
      "{}",
      '{"t":null}',
      '{"t":"welcome"}',
      '{"t":"constructor"}',
    ],
    [
      '{"t":"do"}',
      '{"t":"do","id":"","f":"a","a":"b"}',
      '{"t":"do","id":1,"f":"a","a":"b"}',
      '{"t":"do","id":"1","f":"a"}',
    ],
    [`{"t":"do","id":"${"x".repeat(65)}","f":"a","a":"b"}`, '{"t":"do","id":"\\u0000","f":"a","a":"b"}'],
    ['{"t":"do","id":"\\ud800","f":"a","a":"b"}', `{"t":"do","id":"1","f":"${"x".repeat(65)}","a":"b"}`],
    ['{"t":"sig","f":"a"}', '{"t":"sig","f":"","n":"b"}', '{"t":"sig","f":"a","n":"b","d":{"x":1e400}}'],
    [
      '{"t":"seen"}',
      '{"t":"seen","seq":-1}',
      '{"t":"seen","seq":1.5}',
      '{"t":"seen","seq":9007199254740992}',
      '{"t":"seen","seq":"1"}',
    ],
    ['{"t":"clock"}', '{"t":"clock","t0":"1"}', '{"t":"clock","t0":1e999}', '{"t":"clock","t0":null}'],
    [
      '{"__proto__":{"t":"verify"}}',
      '{"t":"verify","__proto__":{}}',
      '{"t":"verify","x":{"y":[{"__proto__":1}]}}',
    ],
    ['{"t":"verify","x":"\\u0000"}', '{"t":"verify","\\ud800":1}', '{"t":"verify","x":"\\udc00"}'],
  ])("[M4] the codec rejects an invalid message: %s …", (...texts) => {
    for (const text of texts) expect(decode(text), text).toMatchObject({ ok: false, tooLarge: false });
  });

  it("[M4] the codec rejects anything but text", () => {
    for (const data of [new ArrayBuffer(3), new Uint8Array(2), undefined, null, 5, {}, []]) {
      expect(decode(data)).toMatchObject({ ok: false, tooLarge: false });
    }
  });

  it("a rejection names the id of an action for its sender, and says that a signal was one", () => {
    expect(decode('{"t":"do","id":"a7","f":5}')).toMatchObject({ ok: false, id: "a7" });
    expect(decode('{"t":"do","id":"a7","f":"a","a":"b","d":{"__proto__":1}}')).toMatchObject({
      ok: false,
      id: "a7",
    });
    expect(decode('{"t":"sig","f":5}')).toMatchObject({ ok: false, signal: true });
    expect(decode('{"t":"sig","f":"a","n":"b","d":1e999}')).toMatchObject({ ok: false, signal: true });
  });

  it("[M1] the codec accepts 16,384 bytes and not one more, of characters of any size", () => {
    const padded = (bytes: number, unit: string) => {
      const frame = '{"t":"verify","x":""}';
      const units = Math.floor((bytes - frame.length) / Buffer.byteLength(unit));
      const rest = bytes - frame.length - units * Buffer.byteLength(unit);
      return frame.replace('""', `"${unit.repeat(units)}${"-".repeat(rest)}"`);
    };
    for (const unit of ["x", "é", "€", "💥"]) {
      expect(Buffer.byteLength(padded(MAX_MESSAGE_BYTES, unit))).toBe(MAX_MESSAGE_BYTES);
      expect(decode(padded(MAX_MESSAGE_BYTES, unit))).toMatchObject({ ok: true });
      expect(decode(padded(MAX_MESSAGE_BYTES + 1, unit))).toMatchObject({ ok: false, tooLarge: true });
    }
    expect(decode("x".repeat(10_000_000))).toMatchObject({ ok: false, tooLarge: true });
  });

  it("[M3] the codec accepts JSON of the allowed depth and no deeper", () => {
    const message = (depth: number) => `{"t":"sig","f":"a","n":"b","d":${nested(depth - 1)}}`;
    expect(decode(message(MAX_DEPTH))).toMatchObject({ ok: true });
    expect(decode(message(MAX_DEPTH + 1))).toMatchObject({ ok: false, tooLarge: false });
    expect(decode(message(8_000))).toMatchObject({ ok: false, tooLarge: false });
  });

  it("[M3] the codec never throws and never pollutes a prototype, over random and nearly valid texts", () => {
    const nearlyRight = fc
      .tuple(
        fc.constantFrom("do", "sig", "seen", "clock", "verify"),
        fc.nat(70),
        fc.string({ unit: "binary", maxLength: 3 }),
      )
      .map(([t, at, noise]) => {
        const text = JSON.stringify({
          t,
          id: "1",
          f: "chat",
          a: "say",
          n: "typing",
          d: { text: "hi" },
          seq: 1,
          t0: 2,
        });
        return text.slice(0, at) + noise + text.slice(at + (noise.length % 2));
      });
    const any = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.json(), nearlyRight);
    fc.assert(
      fc.property(any, (text) => {
        const decoded = decode(text);
        expect(typeof decoded.ok).toBe("boolean");
        if (!decoded.ok) expect(decoded.problem).toMatch(/\.$/);
      }),
      { numRuns: 5_000 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("[M4] the codec rejects the hostile corpus, in a sentence that reveals nothing internal", () => {
    const random = randomFrom(freshSeed());
    for (const { about, treatment, data, binary } of makeHostileMessages(
      random,
      { refused: 4_000, any: 1_000, signal: 200 },
      100,
    )) {
      const decoded = decode(binary ? data : String(data));
      if (binary) expect(decoded.ok, about).toBe(false);
      if (treatment === "refused" && !decoded.ok)
        expect(decoded.problem, about).not.toMatch(/ at \S+:\d|Error|position|node:/);
      // An accepted message is for the feature's schema to check, but it must have the form of a message.
      if (decoded.ok)
        expect(up.safeParse(decoded.message).success, `${about}, seed ${random.seed}`).toBe(true);
    }
  });
});

describe("the schema beside the codec", () => {
  const names = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom("", "chat", "x".repeat(64), "x".repeat(65), "\0", "\ud800", "💥"),
  );
  const numbers = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.constantFrom(
      0,
      -0,
      1.5,
      -1,
      Number.MAX_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER + 1,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ),
  );
  const anything = fc.oneof(names, numbers, fc.constantFrom(null, true, [], {}));
  const mostly = <T>(right: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 6, arbitrary: right as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: anything });
  const data = fc.oneof(
    fc.jsonValue(),
    anything,
    fc.constantFrom(JSON.parse('{"__proto__":1}'), { "\ud800": 1 }, { x: "\0" }),
  );
  const message = fc.record(
    {
      t: mostly(fc.constantFrom("do", "sig", "seen", "clock", "verify")),
      id: mostly(names),
      f: mostly(names),
      a: mostly(names),
      n: mostly(names),
      d: data,
      seq: mostly(numbers),
      t0: mostly(numbers),
    },
    { requiredKeys: ["t"] },
  );

  it("[M] the schema accepts exactly what the codec does, with the same result", () => {
    let accepted = 0;
    fc.assert(
      fc.property(message, (value) => {
        // As JSON carries it: a number too large for JSON is written as one that overflows again.
        const text = JSON.stringify(value, (_, member) =>
          typeof member === "number" && !Number.isFinite(member) ? "infinite" : member,
        ).replaceAll('"infinite"', "1e999");
        const parsed = JSON.parse(text);
        const { t, id, f, a, n, d, seq, t0 } = parsed;
        // Unknown fields are ignored by the schema as by the codec.
        const own = new Map<unknown, object>([
          ["do", { t, id, f, a, d }],
          ["sig", { t, f, n, d }],
          ["seen", { t, seq }],
          ["clock", { t, t0 }],
        ]).get(t) ?? { t };
        const wire = JSON.stringify(own, (_, member) =>
          member === Number.POSITIVE_INFINITY ? "infinite" : member,
        ).replaceAll('"infinite"', "1e999");
        const decoded = decode(wire);
        const schema = up.safeParse(JSON.parse(wire));
        expect(schema.success, wire).toBe(decoded.ok);
        if (decoded.ok) expect(schema.data, wire).toEqual(decoded.message);
        if (decoded.ok) accepted++;
      }),
      { numRuns: 10_000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it("[M] the schema measures names and ids as the codec does, even with characters of two units", () => {
    for (const name of ["💥".repeat(32), "💥".repeat(33), "💥".repeat(64), "💥".repeat(65)]) {
      for (const message of [
        { t: "do", id: "1", f: name, a: "b", d: {} },
        { t: "do", id: name, f: "a", a: "b", d: {} },
        { t: "sig", f: "a", n: name, d: {} },
      ]) {
        expect(up.safeParse(message).success, JSON.stringify(message)).toBe(
          decode(JSON.stringify(message)).ok,
        );
      }
    }
  });

  it("[M3] the schema allows the same depth as the codec", () => {
    for (const depth of [MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1]) {
      const text = `{"t":"sig","f":"a","n":"b","d":${nested(depth)}}`;
      expect(up.safeParse(JSON.parse(text)).success, `data ${depth} deep`).toBe(decode(text).ok);
    }
  });
});

describe("lengths", () => {
  it("the length in bytes is that of UTF-8", () => {
    fc.assert(
      fc.property(whole, (text) => {
        expect(byteLength(text)).toBe(Buffer.byteLength(text));
      }),
      { numRuns: 3_000 },
    );
    for (const text of ["", "a", "\u007f\u0080", "\u07ff\u0800", "\uffff", "\ud83d\ude00", "é€💥x"]) {
      expect(byteLength(text)).toBe(Buffer.byteLength(text));
    }
  });

  it("[P] the length in characters counts code points", () => {
    fc.assert(
      fc.property(whole, (text) => {
        expect(codePoints(text)).toBe(Array.from(text).length);
      }),
      { numRuns: 3_000 },
    );
    expect(codePoints("👩‍👩‍👧")).toBe(5);
  });

  it("the length of a lone surrogate is never too high: such text is rejected for itself", () => {
    for (const half of ["\ud800", "\udc00", "x\ud83d", "\ude00\ud83d"]) {
      expect(byteLength(half)).toBeLessThanOrEqual(Buffer.byteLength(half));
      expect(codePoints(half)).toBeLessThanOrEqual(Array.from(half).length);
      expect(isOpId(half)).toBe(false);
    }
  });
});

describe("an operation's id", () => {
  it("[M] the id has 1 to 64 characters of well-formed text", () => {
    for (const good of ["a", "💥".repeat(64), "__proto__", " ", "\n"]) expect(isOpId(good), good).toBe(true);
    for (const bad of ["", "x".repeat(65), "💥".repeat(65), "\0", "a\0", 1, null, undefined, {}])
      expect(isOpId(bad)).toBe(false);
  });
});

describe("control characters", () => {
  it("the control characters are C0, C1 and delete", () => {
    for (const control of ["\0", "\n", "\u001b", "\u007f", "\u0080", "\u009f"])
      expect(hasControl(`a${control}`)).toBe(true);
    for (const fine of ["", " ", "~", "\u00a0", "💥", "é"]) expect(hasControl(fine)).toBe(false);
  });
});
