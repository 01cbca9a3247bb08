import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMessage } from "../../src/client/session/parse-message";
import { decode } from "../../src/protocol/codec";
import { guardJson } from "../../src/protocol/json-guard";
import { MAX_MESSAGE_BYTES } from "../../src/protocol/limits";
import { up } from "../../src/protocol/schema/up";
import { FUZZ_TIMEOUT_MS, fuzzRuns } from "./fuzz-runs";
import { spoil } from "./spoil";

/** Cases of the corpus. `is` is the decoded message; it is absent if the codec must reject the case. */
const corpus: { about: string; text: string; is?: string }[] = JSON.parse(
  readFileSync(new URL("corpus/codec.json", import.meta.url), "utf8"),
);

const right = fc.oneof(
  fc.constantFrom(...corpus.map(({ text }) => text)),
  fc
    .record({ id: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), d: fc.jsonValue() })
    .map(({ id, d }) => JSON.stringify({ t: "do", id, f: "chat", a: "say", d })),
  fc.jsonValue().map((d) => JSON.stringify({ t: "sig", f: "lab", n: "point", d })),
  fc.maxSafeNat().map((seq) => JSON.stringify({ t: "seen", seq })),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((t0) => JSON.stringify({ t: "clock", t0 })),
);

describe("the codec, fuzzed", () => {
  it.each(corpus)("[M4] the codec reads a message of the corpus as before: $about", ({ text, is }) => {
    const decoded = decode(text);
    if (is === undefined) expect(decoded.ok).toBe(false);
    else expect(decoded).toMatchObject({ ok: true, message: { t: is } });
  });

  it(
    "[M3] the codec reads a mutated message as what it still is or rejects it in a sentence, and it reads its own output",
    () => {
      const seen = { taken: 0, refused: 0 };
      fc.assert(
        fc.property(spoil(right), (text) => {
          const decoded = decode(text);
          if (!decoded.ok) {
            seen.refused++;
            expect(decoded.problem).toMatch(/^\S.*\.$/s);
            if (decoded.id !== undefined) expect(guardJson(decoded.id)).toBeUndefined();
            return;
          }
          seen.taken++;
          const { message } = decoded;
          expect(up.safeParse(message).success).toBe(true);
          expect(guardJson(message)).toBeUndefined();
          const written = JSON.stringify(message);
          expect(decode(written)).toEqual({ ok: true, message: JSON.parse(written) });
        }),
        fuzzRuns(3_000),
      );
      // A fuzzer that only ever saw accepted or only rejected messages would prove nothing.
      for (const count of Object.values(seen)) expect(count).toBeGreaterThan(300);
      expect(Object.keys(Object.prototype)).toEqual([]);
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    "[M1] the codec checks the size before anything else, to the byte",
    () => {
      const unit = fc.constantFrom("x", "é", "€", "💥", "\ud800");
      fc.assert(
        fc.property(unit, fc.integer({ min: -40, max: 40 }), (char, off) => {
          const frame = '{"t":"verify","x":""}';
          const bytes = Buffer.byteLength(char);
          const units = Math.floor((MAX_MESSAGE_BYTES + off - frame.length) / bytes);
          const text = frame.replace('""', `"${char.repeat(units)}"`);
          const isTooLarge = Buffer.byteLength(text) > MAX_MESSAGE_BYTES;
          const decoded = decode(text);
          // A lone surrogate counts fewer bytes than it may take: it is rejected for itself.
          if (char === "\ud800") expect(decoded.ok).toBe(false);
          else expect(decoded.ok ? false : decoded.tooLarge).toBe(isTooLarge);
        }),
        fuzzRuns(200),
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    "[M5] the client ignores messages that it cannot use, and throws at none",
    () => {
      const downs = fc.constantFrom(
        '{"t":"frame","seq":3,"at":1,"e":[{"f":"chat","n":"said","d":{"name":"Ann","text":"hi"},"by":"ann"}]}',
        '{"t":"welcome","v":1,"room":{"kind":"main","id":"hall"},"you":{"user":"ann"},"epoch":"e","seq":0,"at":1,"resumed":false,"features":{},"state":{},"limits":{}}',
        '{"t":"ack","id":"1","seq":3}',
        '{"t":"nack","id":"1","code":"muted","message":"No."}',
        '{"t":"clock","t0":1,"t1":2,"t2":3}',
        '{"t":"checksum","seq":3,"sums":{"chat":"00000000"}}',
        '{"t":"mine","f":"quiz","d":null}',
        '{"t":"bye","code":1012,"reason":"Please come back."}',
      );
      fc.assert(
        fc.property(spoil(downs), (text) => {
          const message = parseMessage(text);
          if (message === undefined) return;
          if (message.t === "frame") expect(Array.isArray(message.e)).toBe(true);
          if (message.t === "welcome") expect(typeof message.features).toBe("object");
          if (message.t === "checksum") expect(message.sums).toBeInstanceOf(Object);
        }),
        fuzzRuns(3_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});
