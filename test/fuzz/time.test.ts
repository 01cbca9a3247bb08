import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MonotonicClock } from "../../src/lib/monotonic-clock";
import { SlidingWindow } from "../../src/lib/sliding-window";
import type { Rate } from "../../src/protocol/rates";
import { AlarmScheduler } from "../../src/room/time/alarm";
import { FUZZ_TIMEOUT_MS, fuzzRuns } from "./fuzz-runs";

describe("the room's clock", () => {
  it(
    "the clock never goes back, tells its lead over the machine's clock, and loses that lead within twice its length",
    () => {
      const moves = fc.array(fc.integer({ min: -100_000, max: 100_000 }), { minLength: 1, maxLength: 60 });
      fc.assert(
        fc.property(fc.nat(1_000_000), moves, (start, steps) => {
          const clock = new MonotonicClock(start);
          let machine = start;
          let before = clock.now;
          for (const step of steps) {
            machine += step;
            const { aheadMs: ahead } = clock;
            const expected = clock.roomAt(machine);
            const back = clock.read(machine);
            expect(clock.now).toBeGreaterThanOrEqual(before);
            expect(clock.now).toBe(machine + clock.aheadMs);
            expect(clock.machineNow).toBe(machine);
            expect(back).toBe(Math.max(0, -step));
            if (step < 0) expect(clock.aheadMs).toBe(ahead - step);
            else {
              // The clock runs at half speed until the machine's clock has caught up, and then at full speed.
              expect(clock.now - before).toBeGreaterThanOrEqual(Math.floor(step / 2));
              expect(clock.now - before).toBeLessThanOrEqual(step);
              expect(clock.aheadMs).toBeLessThanOrEqual(Math.max(0, Math.ceil(ahead - step / 2)));
              expect(Math.abs(clock.now - expected)).toBeLessThanOrEqual(1);
            }
            before = clock.now;
          }
          clock.read(machine + 2 * clock.aheadMs + 1);
          expect(clock.aheadMs).toBe(0);
        }),
        fuzzRuns(600),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

describe("the alarm scheduler", () => {
  it(
    "the alarm never rings late by the room's clock, for any timers, rings and changes of the machine's clock",
    () => {
      const step = fc.oneof(
        fc.record({ does: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 5_000 }) }),
        fc.record({ does: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
        fc.record({ does: fc.constant("set back" as const), ms: fc.integer({ min: 1, max: 10_000 }) }),
      );
      fc.assert(
        fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
          let machine = 1_000_000;
          let stored: number | null = null;
          const storage = {
            setAlarm: async (at: number) => {
              stored = at;
            },
          };
          const clock = new MonotonicClock(machine);
          const scheduler = new AlarmScheduler(
            storage,
            clock,
            (error) => expect(error).toBeUndefined(),
            null,
          );
          let waiting: number[] = [];
          const ring = () => {
            scheduler.hasRung();
            stored = null;
            scheduler.clockWentBack(clock.read(machine));
            waiting = waiting.filter((at) => at > clock.now);
            scheduler.ringBy(Math.min(Number.POSITIVE_INFINITY, ...waiting));
          };
          for (const { does, ms } of steps) {
            if (does === "wait") {
              scheduler.clockWentBack(clock.read(machine));
              waiting.push(clock.now + ms);
              scheduler.ringBy(clock.now + ms);
            } else if (does === "set back") {
              machine -= ms;
              // The next message to the room shows it.
              scheduler.clockWentBack(clock.read(machine));
            } else {
              const until = machine + ms;
              while (stored !== null && stored <= until) {
                machine = Math.max(machine, stored);
                ring();
              }
              machine = until;
            }
            scheduler.clockWentBack(clock.read(machine));
            const soonest = Math.min(Number.POSITIVE_INFINITY, ...waiting);
            if (soonest > clock.now && soonest !== Number.POSITIVE_INFINITY) {
              expect(stored, "an alarm is set").not.toBeNull();
              // An alarm cannot be set to half a millisecond.
              expect(stored ?? 0).toBeLessThanOrEqual(Math.ceil(clock.machineAt(soonest)) + 1);
            }
            expect(soonest, "nothing is overdue").toBeGreaterThanOrEqual(clock.now);
          }
        }),
        fuzzRuns(2_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

describe("a sliding window", () => {
  const visit = fc.record({
    after: fc.nat(400),
    user: fc.constantFrom("ann", "bob", "__proto__"),
    sweeps: fc.boolean(),
    restarts: fc.boolean(),
  });
  const rates = fc.record<Rate>({
    count: fc.integer({ min: 1, max: 6 }),
    perMs: fc.integer({ min: 1, max: 1_500 }),
  });

  it(
    "[L1] the window is never exceeded at any moment, tells the exact wait, and survives sweeps and restarts",
    () => {
      fc.assert(
        fc.property(rates, fc.array(visit, { maxLength: 120 }), (rate, visits) => {
          let window = new SlidingWindow();
          const taken = new Map<string, number[]>();
          let now = 0;
          for (const { after, user, sweeps, restarts } of visits) {
            now += after;
            if (sweeps) window.sweep(new Map([["rule", rate]]), now);
            if (restarts) {
              const kept = window.entries();
              window = new SlidingWindow();
              for (const [rule, whose, stamps] of kept)
                for (const at of stamps) window.stamp(rule, whose, at);
            }
            const theirs = taken.get(user) ?? [];
            const inside = (at: number) => theirs.filter((one) => one > at - rate.perMs && one <= at).length;
            const wait = window.wait("rule", user, rate, now);
            if (wait === 0) {
              expect(inside(now)).toBeLessThan(rate.count);
              window.stamp("rule", user, now);
              taken.set(user, [...theirs, now]);
            } else {
              expect(inside(now)).toBe(rate.count);
              expect(inside(now + wait)).toBeLessThan(rate.count);
              expect(inside(now + wait - 1)).toBe(rate.count);
            }
          }
        }),
        fuzzRuns(800),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});
