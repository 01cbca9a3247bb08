import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSocketQuery } from "../../src/edge/room-url";
import { base64urlToText, textToBase64url } from "../../src/lib/base64url";
import { EventLog } from "../../src/room/delivery/event-log";
import { FUZZ_TIMEOUT_MS, fuzzRuns } from "./fuzz-runs";
import { spoil } from "./spoil";

describe("a cursor into the log", () => {
  it(
    "[W4] the log returns everything after any number once and in order, or says that it cannot",
    () => {
      const frames = fc.array(
        fc.record({
          count: fc.integer({ min: 1, max: 9 }),
          after: fc.nat(60),
          bytes: fc.integer({ min: 1, max: 500 }),
        }),
        { minLength: 1, maxLength: 60 },
      );
      fc.assert(
        fc.property(frames, fc.integer({ min: 1, max: 1_000 }), fc.nat(300), (all, recoveryMs, since) => {
          const log = new EventLog(recoveryMs);
          let [seq, now] = [0, 0];
          for (const { count, after, bytes } of all) {
            now += after;
            log.add({ first: seq + 1, seq: seq + count, at: now, text: "", bytes, record: seq });
            seq += count;
          }
          const read: number[] = [];
          let at = since;
          for (let frame = log.after(at); frame; frame = log.after(at)) {
            // The first frame may begin before the cursor; the reader has already read its beginning.
            for (let n = Math.max(frame.first, at + 1); n <= frame.seq; n++) read.push(n);
            expect(frame.seq).toBeGreaterThan(at);
            expect(log.end - log.positionOf(at)).toBeGreaterThan(log.end - log.positionOf(frame.seq));
            at = frame.seq;
          }
          const missed = Array.from({ length: Math.max(0, seq - since) }, (_, n) => since + 1 + n);
          expect(read).toEqual(since < seq && log.reaches(since) ? missed : []);
          expect(log.positionOf(seq)).toBe(log.end);
        }),
        fuzzRuns(2_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    "[S] a cursor in a URL is a whole number with an epoch, or absent, or rejected",
    () => {
      const query = spoil(
        fc.constantFrom("v=1&epoch=0a1b&since=12", "epoch=e&since=0", "since=9007199254740991&epoch=z"),
      );
      fc.assert(
        fc.property(query, (text) => {
          const url = new URL("http://127.0.0.1/parties/main/hall");
          url.search = text;
          const read = parseSocketQuery(url);
          if (!read.ok) {
            expect(read.reason).toMatch(/\.$/);
            return;
          }
          const { epoch, since } = read.query;
          expect(epoch === undefined).toBe(since === undefined);
          if (since === undefined) return;
          expect(Number.isSafeInteger(since) && since >= 0).toBe(true);
          expect(url.searchParams.get("since")).toMatch(/^\d+$/);
        }),
        fuzzRuns(2_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

describe("a page cursor", () => {
  it(
    "the cursor decodes to the text it was made of, and any other input gives text or nothing",
    () => {
      fc.assert(
        fc.property(
          fc.string({ unit: "grapheme", maxLength: 60 }),
          spoil(fc.constantFrom("eyJ4IjoxfQ", "WzEsMl0")),
          (text, other) => {
            const cursor = textToBase64url(text);
            expect(cursor).toMatch(/^[\w-]*$/);
            if (text.isWellFormed() && !text.startsWith("\ufeff")) expect(base64urlToText(cursor)).toBe(text);
            expect(["string", "undefined"]).toContain(typeof base64urlToText(other));
          },
        ),
        fuzzRuns(2_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});
