import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { EffectHandlers } from "../../src/lib/effect-handler";
import { runEffect } from "../../src/platforms/run-effect";

const room = { kind: "main", id: "hall" };
const effect = { call: "1", name: "debt/pay", request: { owed: 3 } };

const warnings: string[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  warnings.length = 0;
  vi.spyOn(console, "warn").mockImplementation((line: string) => void warnings.push(line));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const runAsked = (handlers: EffectHandlers) => runEffect(handlers, room, effect);

describe("an errand on a platform", () => {
  it("goes to whoever does what its name says, with the room's name and what is asked", async () => {
    const handler = vi.fn(async () => "done");
    expect(await runAsked({ "debt/pay": handler, "debt/other": vi.fn() })).toEqual({
      ok: true,
      answer: "done",
    });
    expect(handler.mock.calls).toEqual([[room, { owed: 3 }, expect.any(AbortSignal)]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each<[string, EffectHandlers]>([
    ["that rejects", { "debt/pay": () => Promise.reject(new Error("away")) }],
    [
      "that throws",
      {
        "debt/pay": () => {
          throw new Error("away");
        },
      },
    ],
    ["that nobody does", {}],
    ["named like what every object has", Object.create({ "debt/pay": async () => 1 })],
  ])("%s has failed, and says so with the room and the errand", async (_, handlers) => {
    expect(await runAsked(handlers)).toEqual({ ok: false });
    expect(warnings).toEqual([expect.stringMatching(/^main\/hall: debt\/pay will be tried again: /)]);
  });

  it("without an answer has failed after 10 s; its handler is told, and its late answer is nobody's", async () => {
    let signal: AbortSignal | undefined;
    let late = (_: string) => {};
    const carrying = runAsked({
      "debt/pay": (_, __, given) => {
        signal = given;
        return new Promise((resolve) => {
          late = resolve;
        });
      },
    });
    await vi.advanceTimersByTimeAsync(9_999);
    expect(signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await carrying).toEqual({ ok: false });
    expect(signal?.aborted).toBe(true);
    late("done after all");
    await vi.advanceTimersByTimeAsync(1);
    expect(warnings).toHaveLength(1);
  });
});
