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

const run = (handlers: EffectHandlers) => runEffect(handlers, room, effect);

describe("an effect on a platform", () => {
  it("the effect goes to the handler of its name, with the room's name and the request", async () => {
    const handler = vi.fn(async () => "done");
    expect(await run({ "debt/pay": handler, "debt/other": vi.fn() })).toEqual({
      ok: true,
      answer: "done",
    });
    expect(handler.mock.calls).toEqual([[room, { owed: 3 }, expect.any(AbortSignal)]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each<[string, EffectHandlers]>([
    ["its handler rejects", { "debt/pay": () => Promise.reject(new Error("away")) }],
    [
      "its handler throws",
      {
        "debt/pay": () => {
          throw new Error("away");
        },
      },
    ],
    ["no handler has its name", {}],
    ["it is named like a member of every object", Object.create({ "debt/pay": async () => 1 })],
  ])("the effect fails if %s, and the error names the room and the effect", async (_, handlers) => {
    expect(await run(handlers)).toEqual({ ok: false });
    expect(warnings).toEqual([expect.stringMatching(/^main\/hall: debt\/pay will be tried again: /)]);
  });

  it("the effect fails after 10 s without an answer, its handler is aborted, and a late answer is ignored", async () => {
    let signal: AbortSignal | undefined;
    let late = (_: string) => {};
    const carrying = run({
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
