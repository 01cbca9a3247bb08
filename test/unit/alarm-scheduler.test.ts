import { describe, expect, it } from "vitest";
import { MonotonicClock } from "../../src/lib/monotonic-clock";
import { AlarmScheduler } from "../../src/room/time/alarm";

function openScheduler(armedAt: number | null, works = true) {
  const set: number[] = [];
  const failures: unknown[] = [];
  const clock = new MonotonicClock(0);
  const storage = {
    setAlarm: (at: number) => {
      set.push(at);
      return works ? Promise.resolve() : Promise.reject(new Error("full"));
    },
  };
  return {
    set,
    failures,
    clock,
    wheel: new AlarmScheduler(storage, clock, (error) => failures.push(error), armedAt),
  };
}

describe("the alarm scheduler", () => {
  it("the scheduler sets the one alarm to the earliest pending time", () => {
    const { set, wheel: it } = openScheduler(null);
    for (const at of [50, 70, 50, 30, 40, Number.POSITIVE_INFINITY]) it.ringBy(at);
    expect(set).toEqual([50, 30]);
    expect(it.armedAt).toBe(30);
  });

  it("the scheduler writes nothing if storage has an alarm that is early enough", () => {
    const { set, wheel: it } = openScheduler(40);
    it.ringBy(40);
    it.ringBy(90);
    expect(set).toEqual([]);
    it.ringBy(39);
    expect(set).toEqual([39]);
  });

  it("the scheduler asks for no time that a runtime rejects, and sets later times once the alarm has rung", () => {
    const { set, wheel: it } = openScheduler(null);
    it.ringBy(9_999_999_999_000);
    expect(set).toEqual([366 * 86_400_000]);
    it.ringBy(9_999_999_999_000);
    it.hasRung();
    it.ringBy(8_640_000_000_000_000);
    expect(set).toEqual([366 * 86_400_000, 366 * 86_400_000]);
  });

  it("the scheduler does not fail its caller if the alarm is rejected at once", () => {
    const failures: unknown[] = [];
    const refusing = {
      setAlarm: () => {
        throw new Error("refused");
      },
    };
    const it = new AlarmScheduler(refusing, new MonotonicClock(0), (error) => failures.push(error), null);
    expect(() => it.ringBy(50)).not.toThrow();
    expect(failures).toHaveLength(1);
  });

  it("the alarm rings at the room's time, even if the machine's clock has gone back", () => {
    const { set, clock, wheel: it } = openScheduler(null);
    clock.read(1_000);
    it.ringBy(1_500);
    it.clockWentBack(clock.read(400));
    expect(clock.now).toBe(1_000);
    expect(set).toEqual([1_500, 899]);
    // The room's clock is 600 ms ahead, so it runs at half speed for 1,200 ms.
    clock.read(500);
    expect(clock.now).toBe(1_050);
    it.ringBy(1_300);
    expect(set.at(-1)).toBe(899);
    it.ringBy(1_240);
    expect(set.at(-1)).toBe(880);
    clock.read(900);
    expect(clock.now).toBe(1_250);
    clock.read(2_000);
    expect(clock.now).toBe(2_000);
  });

  it("the scheduler sets no alarm for a time that never comes", () => {
    const { set, wheel: it } = openScheduler(null);
    it.ringBy(Number.POSITIVE_INFINITY);
    expect(set).toEqual([]);
  });

  it("the scheduler knows that nothing is armed after a ring, and can be armed later", () => {
    const { set, wheel: it } = openScheduler(40);
    it.hasRung();
    it.ringBy(90);
    expect(set).toEqual([90]);
  });

  it("the scheduler reports when an alarm could not be set", async () => {
    const { failures, wheel: it } = openScheduler(null, false);
    it.ringBy(10);
    await Promise.resolve();
    await Promise.resolve();
    expect(failures).toHaveLength(1);
  });
});
