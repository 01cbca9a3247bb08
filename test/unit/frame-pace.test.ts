import { describe, expect, it } from "vitest";
import { FramePace } from "../../src/room/commit/frame-pace";

describe("a frame's window", () => {
  it("[F4] the window is min(5 + peers × 0.072, 100) ms, in whole ones, in a calm room", () => {
    const pace = new FramePace();
    expect([0, 1, 16, 17, 100, 200, 1_000].map((peers) => pace.windowMs(peers))).toEqual([
      5, 5, 6, 6, 12, 19, 77,
    ]);
    expect([1_320, 10_000].map((peers) => pace.windowMs(peers))).toEqual([100, 100]);
  });

  it("a timer that is on time, early or normally late does not widen the window", () => {
    const pace = new FramePace();
    for (const late of [0, 1, 2, -5, 0.4, 1.9]) pace.fired(late);
    expect(pace.windowMs(1)).toBe(5);
  });

  it("the window widens quickly while the timer fires late, and never past 250 ms", () => {
    const pace = new FramePace();
    pace.fired(22);
    expect(pace.windowMs(1)).toBe(25);
    for (let n = 0; n < 100; n++) pace.fired(1_000);
    expect(pace.windowMs(1)).toBe(250);
    expect(pace.windowMs(10_000)).toBe(250);
  });

  it("the window narrows again once the timer is on time", () => {
    const pace = new FramePace();
    for (let n = 0; n < 20; n++) pace.fired(60);
    const wide = pace.windowMs(1);
    pace.fired(0);
    expect(pace.windowMs(1)).toBeLessThan(wide);
    for (let n = 0; n < 100; n++) pace.fired(0);
    expect(pace.windowMs(1)).toBeCloseTo(5, 1);
  });
});
