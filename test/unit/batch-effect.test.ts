import { afterEach, describe, expect, it, vi } from "vitest";
import type { Json } from "../../src/protocol/messages";
import { logAnomalies } from "../../src/services/boards/ingest/batch-effect";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("[K5] an answer that reports a gap", () => {
  const batch = { v: 1, room: "main/hall", epoch: "e", n: 5, entries: [] };
  const answered = async (answer: Json, level: "error" | "log" = "error") => {
    const error = vi.spyOn(console, level).mockImplementation(() => undefined);
    const sink = logAnomalies(async () => answer);
    expect(await sink({ kind: "main", id: "hall" }, batch, AbortSignal.timeout(1_000))).toEqual(answer);
    return error.mock.calls.map(([line]) => String(line));
  };

  it("the log reports the gap with the room and both numbers", async () => {
    const lines = await answered({ applied: false, reason: "gap", expected: 3 });
    expect(lines).toEqual([expect.stringMatching(/^main\/hall: batch 5 found a gap.* expects 3\./)]);
  });

  it("the log reports no other answer as a gap", async () => {
    expect(await answered({ applied: true, refused: [] })).toEqual([]);
    expect(await answered({ applied: false, reason: "duplicate", refused: [] })).toEqual([]);
  });

  it("the log mentions a batch that had been applied before, without an alarm", async () => {
    const lines = await answered({ applied: false, reason: "duplicate", refused: [] }, "log");
    expect(lines).toEqual(["main/hall: batch 5 had been applied, and its answer was lost."]);
  });

  it("the log does not mention a batch that was applied for the first time", async () => {
    expect(await answered({ applied: true, refused: [] }, "log")).toEqual([]);
  });
});
