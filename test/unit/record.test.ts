import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpenFrame } from "../../src/room/open-frame";
import type { Operation } from "../../src/room/operations";
import { readFrame, restoreOperation } from "../../src/room/record";

const AT = 1_790_000_000_000;
const N = 7;
const BEFORE = 40;

const name = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom("__proto__", "\ud800", "zoë 💥", "a\nb\tc", '"'),
);
const asked = fc.record({
  user: name,
  id: name,
  print: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  after: fc.nat(100),
  events: fc.integer({ min: 1, max: 3 }),
  rule: fc.option(fc.constantFrom("chat.say", "lab.add"), { nil: undefined }),
  from: fc.option(name, { nil: undefined }),
  data: fc.jsonValue(),
});
const frames = fc.array(asked, { minLength: 1, maxLength: 5 });

/** A frame of events that say who did what, and what the room remembers of it. */
function plain(actions: typeof frames extends fc.Arbitrary<infer T> ? T : never): {
  frame: OpenFrame;
  operations: Operation[];
} {
  const frame = new OpenFrame(AT, BEFORE);
  const operations: Operation[] = [];
  for (const { user, id, print, after, events, rule, from, data } of actions) {
    for (let n = 1; n <= events; n++) {
      frame.addEvent(
        JSON.stringify({ f: "lab", n: "did", d: data, by: user, op: n === events ? id : undefined }),
      );
    }
    const seq = BEFORE + frame.count;
    const operation: Operation = {
      user,
      id,
      print,
      at: AT + after,
      seq,
      answer: undefined,
      rule,
      from,
      record: N,
    };
    operations.push(operation);
    frame.addOperation(operation, true);
  }
  return { frame, operations };
}

describe("a record", () => {
  it("of a plain frame is its text and what that does not tell, and reads as what it was made of", () => {
    fc.assert(
      fc.property(frames, (actions) => {
        const { frame, operations } = plain(actions);
        const text = frame.texts(AT).lean as string;
        const stored = frame.store(N, text);
        expect(typeof stored).toBe("string");
        const record = readFrame(N, structuredClone(stored));
        expect(record).toMatchObject({ n: N, seq: BEFORE + frame.count, at: AT, text });
        expect(record.o?.map((operation) => restoreOperation(operation, N))).toEqual(operations);
      }),
    );
  });

  it("of events alone is their text", () => {
    const frame = new OpenFrame(AT, BEFORE);
    frame.addEvent(JSON.stringify({ f: "room", n: "began", d: {} }));
    const text = frame.texts(AT).lean as string;
    expect(frame.store(N, text)).toBe(text);
    expect(readFrame(N, text)).toEqual({ n: N, seq: BEFORE + 1, at: AT, text });
  });

  const more: [what: string, add: (frame: OpenFrame) => void][] = [
    ["whose action no event tells of", (frame) => frame.addOperation(operation({}), false)],
    ["with an answer", (frame) => frame.addOperation(operation({ answer: { x: 1 } }), true)],
    ["with a private event", (frame) => frame.addPrivate("lab", "dealt", "{}", "ann")],
    ["with a member who left", (frame) => frame.addMember({ user: "ann" })],
    ["with a timer", (frame) => frame.addTimer("lab/t", AT)],
    ["with an errand", (frame) => frame.addErrand("lab/post", null)],
    ["with an offence", (frame) => frame.addOffence("ann", AT)],
  ];
  it.each(more)("of a frame %s holds it", (_, add) => {
    const { frame } = plain([
      { user: "ann", id: "1", print: 1, after: 0, events: 1, rule: undefined, from: undefined, data: 1 },
    ]);
    add(frame);
    const stored = frame.store(N, frame.texts(AT).lean);
    expect(typeof stored).toBe("object");
    expect(readFrame(N, stored)).toBe(stored);
    expect(Object.keys(stored).length).toBeGreaterThanOrEqual(5);
  });

  function operation(more: Partial<Operation>): Operation {
    const { operations } = plain([
      { user: "bob", id: "2", print: 2, after: 0, events: 1, rule: undefined, from: undefined, data: 1 },
    ]);
    return { ...(operations[0] as Operation), ...more };
  }
});
