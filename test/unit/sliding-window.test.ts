import { describe, expect, it } from "vitest";
import { SlidingWindow } from "../../src/lib/sliding-window";
import type { Rate } from "../../src/protocol/rates";
import { freshSeed, randomFrom } from "../platforms/random";

const rate: Rate = { count: 3, perMs: 1_000 };

/** The rule as a person would check it, looking at every moment by itself. */
class BruteForce {
  readonly #accepted: { rule: string; user: string; at: number }[] = [];

  allowed(rule: string, user: string, { count, perMs }: Rate, now: number): boolean {
    const inside = this.#accepted.filter(
      (a) => a.rule === rule && a.user === user && a.at > now - perMs && a.at <= now,
    );
    return inside.length < count;
  }

  accept(rule: string, user: string, at: number): void {
    this.#accepted.push({ rule, user, at });
    if (this.#accepted.length > 400) this.#accepted.splice(0, 200);
  }
}

describe("a sliding window", () => {
  it("the window lets `count` through in any span of `perMs`, and no more", () => {
    const window = new SlidingWindow();
    for (const at of [0, 400, 900]) {
      expect(window.wait("r", "ann", rate, at)).toBe(0);
      window.stamp("r", "ann", at);
    }
    expect(window.wait("r", "ann", rate, 999)).toBe(1);
    expect(window.wait("r", "ann", rate, 1_000)).toBe(0);
  });

  it("[L1] the window tells the exact wait: a moment before its end the answer is still no, and then it is yes", () => {
    const window = new SlidingWindow();
    for (const at of [17, 230, 555]) window.stamp("r", "ann", at);
    const wait = window.wait("r", "ann", rate, 600);
    expect(wait).toBe(417);
    expect(window.wait("r", "ann", rate, 600 + wait - 1)).toBe(1);
    expect(window.wait("r", "ann", rate, 600 + wait)).toBe(0);
  });

  it("[L1] repeated questions do not lengthen the wait", () => {
    const window = new SlidingWindow();
    for (const at of [0, 0, 0]) window.stamp("r", "ann", at);
    for (let at = 1; at < 1_000; at++) expect(window.wait("r", "ann", rate, at)).toBe(1_000 - at);
    expect(window.wait("r", "ann", rate, 1_000)).toBe(0);
  });

  it("each user and each rule has its own window", () => {
    const window = new SlidingWindow();
    for (const at of [0, 0, 0]) window.stamp("r", "ann", at);
    expect(window.wait("r", "bob", rate, 1)).toBe(0);
    expect(window.wait("other", "ann", rate, 1)).toBe(0);
    for (const user of ["__proto__", "constructor", "toString"]) {
      expect(window.wait("__proto__", user, rate, 1)).toBe(0);
      window.stamp("__proto__", user, 1);
      expect(window.wait("__proto__", user, { count: 1, perMs: 10 }, 2)).toBe(9);
    }
  });

  it("the window waits for the right stamp after the count was lowered", () => {
    const window = new SlidingWindow();
    for (const at of [0, 100, 200, 300, 400]) window.stamp("r", "ann", at);
    expect(window.wait("r", "ann", { count: 2, perMs: 1_000 }, 500)).toBe(800);
  });

  it("the window forgets what has aged out, and users whom it should forget", () => {
    const window = new SlidingWindow();
    for (let user = 0; user < 100; user++) window.stamp("r", `u${user}`, user);
    window.sweep(new Map([["r", { count: 1, perMs: 50 }]]), 100);
    expect(window.size).toBe(49);
    expect(window.wait("r", "u51", { count: 1, perMs: 50 }, 100)).toBe(1);
    window.forget("r", "u51");
    expect(window.wait("r", "u51", { count: 1, perMs: 50 }, 100)).toBe(0);
    window.sweep(new Map(), 100);
    expect(window.size).toBe(0);
  });

  it("the window is restored from its entries", () => {
    const window = new SlidingWindow();
    for (const at of [10, 20, 30]) window.stamp("r", "ann", at);
    const again = new SlidingWindow();
    for (const [rule, user, stamps] of JSON.parse(JSON.stringify(window.entries()))) {
      for (const at of stamps) again.stamp(rule, user, at);
    }
    expect(again.wait("r", "ann", rate, 500)).toBe(window.wait("r", "ann", rate, 500));
  });

  it("[L1] the window agrees with a model that checks every moment by itself, over 120,000 random steps", () => {
    const random = randomFrom(freshSeed());
    const rules = ["a.x", "a.y"];
    const rates = new Map(
      rules.map((rule) => [rule, { count: 1 + random.below(5), perMs: 100 + random.below(300) }] as const),
    );
    const users = ["ann", "bob", "__proto__"];
    const window = new SlidingWindow();
    const model = new BruteForce();
    let now = 1_000;
    let refused = 0;
    for (let step = 0; step < 120_000; step++) {
      now += random.below(4) === 0 ? random.below(120) : 0;
      const rule = random.pick(rules);
      const user = random.pick(users);
      const rate = rates.get(rule) as Rate;
      const wait = window.wait(rule, user, rate, now);
      const context = `seed ${random.seed}, step ${step}: ${rule} by ${user} at ${now}, wait ${wait}`;
      if ((wait === 0) !== model.allowed(rule, user, rate, now)) expect.fail(context);
      if (wait > 0) {
        refused++;
        // The wait is exact: not allowed a moment before, allowed then.
        if (model.allowed(rule, user, rate, now + wait - 1))
          expect.fail(`${context}, could have come earlier`);
        if (!model.allowed(rule, user, rate, now + wait)) expect.fail(`${context}, may not come then`);
      } else {
        window.stamp(rule, user, now);
        model.accept(rule, user, now);
      }
      if (random.below(1_000) === 0) window.sweep(rates, now);
    }
    expect(refused).toBeGreaterThan(5_000);
    expect(refused).toBeLessThan(115_000);
  });
});
