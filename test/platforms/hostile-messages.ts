import type { Random } from "./random";

/** What a room may do with it: refuse it always, answer as it likes, or (a signal) refuse it now and then. */
export type Treatment = "refused" | "any" | "signal";

export interface HostileMessage {
  /** For the report, if it is handled otherwise. */
  about: string;
  treatment: Treatment;
  data: string | Uint8Array;
  binary: boolean;
}

type Maker = (random: Random, nth: number) => unknown;

const text = (random: Random, length: number) =>
  String.fromCharCode(...Array.from({ length: random.below(length) }, () => 32 + random.below(95)));
const bytes = (random: Random, length: number) =>
  Uint8Array.from({ length: 1 + random.below(length) }, () => random.below(256));
const nested = (depth: number, open = "[", close = "]") => open.repeat(depth) + close.repeat(depth);
const action = (f: unknown, a: unknown, d: unknown) => (_: Random, nth: number) => ({
  t: "do",
  id: `h${nth}`,
  f,
  a,
  d,
});

/** Raw text where JSON.stringify would make it harmless; anything else is stringified. */
const REJECTED_MAKERS: Record<string, Maker> = {
  "random bytes": (random) => bytes(random, 300),
  "random bytes as text": (random) => Buffer.from(bytes(random, 300)).toString("latin1"),
  "random text": (random) => text(random, 300),
  "binary JSON": () => new TextEncoder().encode('{"t":"verify"}'),
  "empty text": () => "",
  blanks: () => " \n\t ",
  "a byte-order mark": () => '\ufeff{"t":"verify"}',
  "a raw U+0000": () => '{"t":"verify"\u0000}',
  "a comment": () => '{"t":"verify"/* */}',
  "a comma too many": () => '{"t":"verify",}',
  "single quotes": () => "{'t':'verify'}",
  "not a number": () => '{"t":"seen","seq":NaN}',
  "cut off": (random) =>
    '{"t":"do","id":"x","f":"chat","a":"say","d":{"text":"hi"}}'.slice(0, random.below(57)),
  "deep arrays": (random) => nested(33 + random.below(7000)),
  "deep objects": (random) => `${'{"a":'.repeat(33 + random.below(2000))}1${"}".repeat(33)}`,
  "deep and closed": (random) => {
    const depth = 33 + random.below(1500);
    return `${'{"t":'.repeat(depth)}1${"}".repeat(depth)}`;
  },
  "deep data": (random) =>
    `{"t":"do","id":"deep","f":"presence","a":"set","d":{"data":${nested(600 + random.below(3000))}}}`,
  "a number": (random) => String(random.next() * 1e9),
  "a string": () => '"verify"',
  null: () => "null",
  true: () => "true",
  "an array": () => '[{"t":"verify"}]',
  "an empty array": () => "[]",
  "an empty object": () => "{}",
  "t absent": () => ({ id: "x", f: "chat", a: "say", d: { text: "x" } }),
  "t unknown": (random) => ({ t: text(random, 30) || "x", id: "x" }),
  "t of the room": (random) => ({
    t: random.pick(["welcome", "frame", "ack", "nack", "checksum", "bye", "mine"]),
    seq: 1,
    e: [],
  }),
  "t of nature": (random) => ({
    t: random.pick(["__proto__", "constructor", "toString", "valueOf", "hasOwnProperty"]),
  }),
  "t of a wrong type": (random) => ({ t: random.pick([1, null, true, [], {}, ["do"]]), id: "x" }),
  "t in the prototype": () => '{"__proto__":{"t":"verify"}}',
  "pollution at the top": () => '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}',
  "do without id": () => ({ t: "do", f: "chat", a: "say", d: { text: "x" } }),
  "do with an odd id": (random) => ({
    t: "do",
    id: random.pick(["", "x".repeat(65), "💥".repeat(65), 7, null, [], {}, true, "\ud800", "a\u0000b"]),
    f: "chat",
    a: "say",
    d: { text: "x" },
  }),
  "do with an odd feature": (random, nth) =>
    action(
      random.pick(["", "nosuch", "__proto__", "constructor", "toString", 7, null, [], {}, "x".repeat(3000)]),
      "say",
      {
        text: "x",
      },
    )(random, nth),
  "do with an odd action": (random, nth) =>
    action(
      "chat",
      random.pick(["", "nosuch", "__proto__", "constructor", "toString", 7, null, [], {}, "x".repeat(3000)]),
      {
        text: "x",
      },
    )(random, nth),
  "do without data": (_, nth) => ({ t: "do", id: `h${nth}`, f: "chat", a: "say" }),
  "do with odd data": (random, nth) =>
    action(
      "chat",
      "say",
      random.pick([null, 7, "text", true, [], [{ text: "x" }], {}, { Text: "x" }]),
    )(random, nth),
  "a line of no text": (random, nth) =>
    action("chat", "say", {
      text: random.pick<unknown>(["", 5, null, true, [], ["x"], {}, { toString: "x" }]),
    })(random, nth),
  "a line too long": (random, nth) =>
    action("chat", "say", { text: "x".repeat(501 + random.below(5000)) })(random, nth),
  "a line with a lone surrogate": (random, nth) =>
    action("chat", "say", { text: `a${random.pick(["\ud800", "\udfff", "\udc00\ud800"])}b` })(random, nth),
  "a line with U+0000": (random, nth) =>
    action("chat", "say", { text: `${text(random, 20)}\u0000` })(random, nth),
  "text in the prototype": (_, nth) =>
    `{"t":"do","id":"h${nth}","f":"chat","a":"say","d":{"__proto__":{"text":"x"}}}`,
  "an odd status": (random, nth) =>
    action("presence", "set", { status: random.pick([5, [], {}, true, "x".repeat(65), "\ud800", "\u0000"]) })(
      random,
      nth,
    ),
  "data too large": (random, nth) =>
    action("presence", "set", { data: { x: "y".repeat(1025 + random.below(9000)) } })(random, nth),
  "data with many keys": (_, nth) =>
    action("presence", "set", {
      data: Object.fromEntries(Array.from({ length: 600 }, (__, key) => [`k${key}`, key])),
    })(_, nth),
  "data that is not finite": (_, nth) =>
    `{"t":"do","id":"h${nth}","f":"presence","a":"set","d":{"data":{"x":1e400}}}`,
  "data with a lone surrogate": (_, nth) =>
    action("presence", "set", { data: { "\ud800": "\udc00" } })(_, nth),
  "an odd id to remove": (random, nth) =>
    action("chat", "remove", { id: random.pick([-1, 1.5, "1", null, {}, [], true, 2 ** 60]) })(random, nth),
  "an infinite id to remove": (_, nth) =>
    `{"t":"do","id":"h${nth}","f":"chat","a":"remove","d":{"id":-1e400}}`,
  "an odd clock": (random) => ({ t: "clock", t0: random.pick([null, "now", [], {}, true]) }),
  "an infinite clock": () => '{"t":"clock","t0":1e400}',
  "an odd seen": (random) => ({ t: "seen", seq: random.pick([-1, 1.5, null, "1", [], {}, true, 2 ** 60]) }),
  "an infinite seen": () => '{"t":"seen","seq":1e400}',
  "many keys": () => Object.fromEntries(Array.from({ length: 1500 }, (_, key) => [`k${key}`, 0])),
};

const OVERSIZE_MAKERS: Record<string, Maker> = {
  "a byte too many": () => `{"t":"verify","x":"${"x".repeat(16_385 - 21)}"}`,
  "too many bytes, not too many characters": () => `{"t":"verify","x":"${"é".repeat(9000)}"}`,
  "far too large": (random) => "x".repeat(20_000 + random.below(300_000)),
  "far too large and nested": () => nested(100_000),
  "far too many bytes": (random) => new Uint8Array(17_000 + random.below(200_000)),
};

const ANY_MAKERS: Record<string, Maker> = {
  "data from objects' nature": (_, nth) =>
    `{"t":"do","id":"h${nth}","f":"presence","a":"set","d":{"data":{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}}}}}`,
  "minus nothing": (_, nth) =>
    `{"t":"do","id":"h${nth}","f":"presence","a":"set","d":{"data":{"x":-0,"y":1e-400}}}`,
  "a natural id": (random) => ({
    t: "do",
    id: random.pick(["__proto__", "constructor", "toString", "💥"]),
    f: "chat",
    a: "say",
    d: { text: "x" },
  }),
  "the same key twice": (_, nth) =>
    `{"t":"do","id":"h${nth}","t":"do","f":"chat","a":"say","d":{"text":"x","text":"y"}}`,
  "a lone surrogate beside": (_, nth) =>
    `{"t":"do","id":"h${nth}","f":"chat","a":"say","d":{"text":"x"},"beside":"\\ud800"}`,
  "a line that ends others": (_, nth) =>
    action("chat", "say", { text: "\u2028\u2029\u0007\u001b[2J</script>\u202e" })(_, nth),
  "nothing to remove": (random, nth) => action("chat", "remove", { id: random.below(1e9) })(random, nth),
  "seen ahead of time": (random) => ({ t: "seen", seq: random.below(2 ** 31) }),
  "one character off": (random, nth) => {
    const whole = JSON.stringify({ t: "do", id: `h${nth}`, f: "chat", a: "say", d: { text: "hi" } });
    const at = random.below(whole.length);
    return (
      whole.slice(0, at) + String.fromCharCode(32 + random.below(95)) + whole.slice(at + random.below(2))
    );
  },
  "a deep stranger": (random, nth) =>
    `{"t":"do","id":"h${nth}","f":"chat","a":"say","d":{"text":"x"},"x":${nested(1 + random.below(3000))}}`,
};

const SIGNAL_MAKERS: Record<string, Maker> = {
  "an odd signal": (random) => ({
    t: "sig",
    f: random.pick(["chat", "nosuch", "__proto__", 7, null]),
    n: random.pick(["nosuch", "__proto__", "constructor", 7, null, ""]),
    d: random.pick([{}, null, [], "x", { x: "y".repeat(2000) }]),
  }),
};

/** Nothing that a well-meaning client sends, so many of each treatment, in an order that follows from the seed. */
export function makeHostileMessages(
  random: Random,
  counts: Record<Treatment, number>,
  oversize: number,
): HostileMessage[] {
  const make = (makers: Record<string, Maker>, treatment: Treatment, count: number) =>
    Array.from({ length: count }, (_, nth) => {
      const about = Object.keys(makers)[nth % Object.keys(makers).length] as string;
      const made = makers[about]?.(random, nth);
      const data = typeof made === "string" || made instanceof Uint8Array ? made : JSON.stringify(made);
      return { about, treatment, data, binary: data instanceof Uint8Array };
    });
  const all = [
    ...make(REJECTED_MAKERS, "refused", counts.refused - oversize),
    ...make(OVERSIZE_MAKERS, "refused", oversize),
    ...make(ANY_MAKERS, "any", counts.any),
    ...make(SIGNAL_MAKERS, "signal", counts.signal),
  ];
  for (let last = all.length - 1; last > 0; last -= 1) {
    const other = random.below(last + 1);
    [all[last], all[other]] = [all[other] as HostileMessage, all[last] as HostileMessage];
  }
  return all;
}
