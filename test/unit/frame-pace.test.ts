import { describe, expect, it } from "vitest";
import { FramePace } from "../../src/room/commit/frame-pace";

describe("a frame's window", () => {
  it("[F4] is min(5 + peers × 0.072, 100) ms, in whole ones, in a calm room", () => {
    const pace = new FramePace();
    expect([0, 1, 16, 17, 100, 200, 1_000].map((peers) => pace.windowMs(peers))).toEqual([
      5, 5, 6, 6, 12, 19, 77,
    ]);
    expect([1_320, 10_000].map((peers) => pace.windowMs(peers))).toEqual([100, 100]);
  });

  it("is not widened by a timer that is on time, early, or late by what timers are", () => {
    const pace = new FramePace();
    for (const late of [0, 1, 2, -5, 0.4, 1.9]) pace.fired(late);
    expect(pace.windowMs(1)).toBe(5);
  });

  it("widens while the timer fires late, quickly, and never past 250 ms", () => {
    const pace = new FramePace();
    pace.fired(22);
    expect(pace.windowMs(1)).toBe(25);
    for (let n = 0; n < 100; n++) pace.fired(1_000);
    expect(pace.windowMs(1)).toBe(250);
    expect(pace.windowMs(10_000)).toBe(250);
  });

  it("comes back once the timer is on time again", () => {
    const pace = new FramePace();
    for (let n = 0; n < 20; n++) pace.fired(60);
    const wide = pace.windowMs(1);
    pace.fired(0);
    expect(pace.windowMs(1)).toBeLessThan(wide);
    for (let n = 0; n < 100; n++) pace.fired(0);
    expect(pace.windowMs(1)).toBeCloseTo(5, 1);
  });
});
