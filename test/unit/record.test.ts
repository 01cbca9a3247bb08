import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpenFrame } from "../../src/room/commit/open-frame";
import type { AcceptedRecord } from "../../src/room/state/idempotency";
import { readFrame, restoreOperation } from "../../src/room/storage/record";

const AT = 1_790_000_000_000;
const N = 7;
/** The key of the record in storage. */
const KEY = 3;
const BEFORE = 40;

const name = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom("__proto__", "\ud800", "zoë 💥", "a\nb\tc", '"'),
);
const action = fc.record({
  user: name,
  id: name,
  print: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  after: fc.integer({ min: -5, max: 100 }),
  events: fc.integer({ min: 1, max: 3 }),
  byRoom: fc.nat(2),
  rule: fc.option(fc.constantFrom("chat.say", "lab.add"), { nil: undefined }),
  from: fc.option(name, { nil: undefined }),
  data: fc.jsonValue(),
});
const frames = fc.array(action, { minLength: 1, maxLength: 5 });

/** A frame of events with their authors, and the operations that the room remembers of it. */
function plain(actions: typeof frames extends fc.Arbitrary<infer T> ? T : never): {
  frame: OpenFrame;
  operations: AcceptedRecord[];
} {
  const frame = new OpenFrame(AT, BEFORE);
  const operations: AcceptedRecord[] = [];
  for (const { user, id, print, after, events, byRoom, rule, from, data } of actions) {
    for (let n = 1; n <= events; n++) {
      frame.addEvent(
        JSON.stringify({ f: "lab", n: "did", d: data, by: user, op: n === events ? id : undefined }),
      );
    }
    const seq = BEFORE + frame.count;
    const operation: AcceptedRecord = {
      user,
      id,
      fingerprint: print,
      at: AT + after,
      seq,
      answer: undefined,
      rule,
      from,
      record: N,
    };
    operations.push(operation);
    frame.addOperation(operation, user);
    for (let n = 0; n < byRoom; n++) frame.addEvent(JSON.stringify({ f: "scores", n: "changed", d: data }));
  }
  return { frame, operations };
}

describe("a record", () => {
  it("the record of a plain frame is its text and what the text lacks, and restores the same frame", () => {
    fc.assert(
      fc.property(frames, (actions) => {
        const { frame, operations } = plain(actions);
        const text = frame.texts(AT).lean as string;
        const stored = frame.store(N, text);
        expect(typeof stored).toBe("string");
        const { record, events } = readFrame(KEY, structuredClone(stored));
        expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => BEFORE + 1 + at));
        expect(record).toMatchObject({ n: N, seq: BEFORE + frame.count, at: AT, text });
        expect(record.o?.map((operation) => restoreOperation(operation, N))).toEqual(operations);
      }),
    );
  });

  it("the record of events alone is their text", () => {
    const frame = new OpenFrame(AT, BEFORE);
    frame.addEvent(JSON.stringify({ f: "room", n: "began", d: {} }));
    const text = frame.texts(AT).lean as string;
    const stored = frame.store(N, text);
    expect(stored).toBe(`${text}\n${N}`);
    // An earlier build identified the record by its key.
    for (const [key, form] of [[KEY, stored] as const, [N, text] as const]) {
      expect(readFrame(key, form)).toEqual({
        record: { n: N, seq: BEFORE + 1, at: AT, text },
        events: [{ f: "room", n: "began", d: {}, seq: BEFORE + 1, at: AT }],
      });
    }
  });

  const storedOperation = ["ann", "1", 1, AT, BEFORE + 1, undefined];
  const more: [what: string, add: (frame: OpenFrame) => void, extra: object][] = [
    [
      "with an action that no event names",
      (frame) => frame.addOperation({ ...bobs, seq: undefined }, undefined),
      { o: [storedOperation, ["bob", "2", 2, AT, undefined, undefined]] },
    ],
    [
      "with an action whose event names another user",
      (frame) => frame.addOperation({ ...bobs, user: "\0ann" }, "ann"),
      { o: [storedOperation, ["\0ann", "2", 2, AT, BEFORE + 1, undefined]] },
    ],
    [
      "with an answer",
      (frame) => frame.addOperation({ ...bobs, answer: { x: 1 } }, "bob"),
      { o: [storedOperation, ["bob", "2", 2, AT, BEFORE + 1, undefined, '{"x":1}']] },
    ],
    [
      "with a private event",
      (frame) => frame.addPrivate("lab", "dealt", "{}", "ann"),
      { p: [["lab", "dealt", "{}", "ann", AT]] },
    ],
    ["with a member who left", (frame) => frame.addMember({ user: "ann" }), { m: [{ user: "ann" }] }],
    ["with a timer", (frame) => frame.addTimer("lab/t", AT), { w: [["lab/t", AT]] }],
    ["with an effect", (frame) => frame.addEffect("lab/post", null), { e: [["lab/post", null]] }],
    ["with a penalty", (frame) => frame.addPenalty("ann", AT), { x: [["ann", AT]] }],
  ];
  it.each(more)("the record of a frame %s contains it", (_, add, extra) => {
    const { frame } = plain([
      {
        user: "ann",
        id: "1",
        print: 1,
        after: 0,
        events: 1,
        byRoom: 0,
        rule: undefined,
        from: undefined,
        data: 1,
      },
    ]);
    add(frame);
    const text = frame.texts(AT).lean as string;
    const stored = frame.store(N, text);
    expect(stored).toEqual({ n: N, seq: BEFORE + 1, at: AT, text, o: [storedOperation], ...extra });
    expect(readFrame(KEY, stored).record).toBe(stored);
  });
});

const bobs: AcceptedRecord = {
  user: "bob",
  id: "2",
  fingerprint: 2,
  at: AT,
  seq: BEFORE + 1,
  answer: undefined,
  rule: undefined,
  from: undefined,
  record: N,
};
