import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyPool, MAX_FREE_KEYS, MAX_FREE_RECORD_CHARS } from "../../src/room/storage/key-pool";

const step = fc.oneof(
  fc.record({
    keep: fc.integer({ min: 1, max: 2 * MAX_FREE_RECORD_CHARS }),
    times: fc.integer({ min: 1, max: 400 }),
  }),
  fc.record({ release: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.constant("restart" as const),
);

describe("the keys of records", () => {
  it("the keys never collide with a kept record, and the pool keeps few and small old values under them", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let keys = new KeyPool();
        let kept: { key: number; chars: number }[] = [];
        /** By key, as in storage: kept records and free ones. */
        const stored = new Map<number, number>();
        /** The keys that the newest release freed. */
        let rests = new Set<number>();
        for (const now of steps) {
          if (now === "restart") {
            keys = new KeyPool();
            rests = new Set();
            const wanted = new Set(kept.map(({ key }) => key));
            for (const [key, chars] of stored) if (!wanted.has(key)) keys.addFree(chars, key);
            for (const { key, chars } of kept) keys.take(chars, key);
          } else if ("keep" in now) {
            for (let n = 0; n < now.times; n++) {
              const key = keys.take(now.keep);
              expect(kept.some((other) => other.key === key)).toBe(false);
              expect(rests.has(key)).toBe(false);
              stored.set(key, now.keep);
              kept.push({ key, chars: now.keep });
            }
          } else {
            const count = Math.floor(now.release * kept.length);
            const gone = keys.release(count);
            for (const key of gone) expect(stored.delete(key)).toBe(true);
            for (const { key, chars } of kept.slice(0, count))
              if (chars > MAX_FREE_RECORD_CHARS) expect(stored.has(key)).toBe(false);
            rests = new Set(kept.slice(0, count).map(({ key }) => key));
            kept = kept.slice(count);
            for (const { key } of kept) expect(stored.has(key)).toBe(true);
          }
          expect(stored.size - kept.length).toBeLessThanOrEqual(MAX_FREE_KEYS);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("the next cleanup deletes found records that are too many or too large", () => {
    const keys = new KeyPool();
    for (let key = 1; key <= MAX_FREE_KEYS + 3; key++)
      keys.addFree(key === 5 ? MAX_FREE_RECORD_CHARS + 1 : 10, key);
    expect(keys.release(0)).toEqual([5, MAX_FREE_KEYS + 2, MAX_FREE_KEYS + 3]);
    expect(keys.release(0)).toEqual([]);
    expect([1, 2, 3, 4, 5].map(() => keys.take(10))).toEqual([1, 2, 3, 4, 6]);
  });

  it("the keys are used again in the order in which they came", () => {
    const keys = new KeyPool();
    for (let n = 1; n <= 5; n++) expect(keys.take(10)).toBe(n);
    expect(keys.release(3)).toEqual([]);
    expect(keys.take(10), "freed keys are quarantined until the next release").toBe(6);
    expect(keys.release(1)).toEqual([]);
    expect([1, 2, 3, 4].map(() => keys.take(10))).toEqual([1, 2, 3, 7]);
  });
});
