import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { PrivateState } from "../../src/features/scores/private-state";
import type { BatchEntry } from "../../src/protocol/batch";
import { MAX_POINTS } from "../../src/protocol/limits";
import { defineFeature } from "../../src/room/api/feature";
import type { RoomTab } from "../support/room-tab";
import { ScoreStage, scoreKind } from "../support/score-stage";

const readRanking = (stage: ScoreStage, tab: RoomTab, board?: string) =>
  stage.top(tab, board).map(({ user, total }) => `${user} ${total}`);

/** The host Hanna, and the players Ann and Bob. */
async function openGame() {
  const stage = await ScoreStage.open();
  const hanna = stage.join("hanna", "host");
  const ann = stage.join("ann");
  const bob = stage.join("bob");
  stage.advance(1_000);
  return { stage, hanna, ann, bob };
}

describe("an award", () => {
  it("[G1] the award adds up, is sent to every user, and ranks by total and then by time", async () => {
    const { stage, hanna, ann, bob } = await openGame();
    stage.award(hanna, "bob", 5);
    stage.award(hanna, "ann", 3);
    stage.award(hanna, "ann", 2);
    stage.advance(100);
    expect(readRanking(stage, ann)).toEqual(["bob 5", "ann 5"]);
    stage.award(hanna, "ann", 1);
    stage.award(hanna, "bob", 1);
    stage.advance(100);
    expect(readRanking(stage, bob)).toEqual(["ann 6", "bob 6"]);
    expect(bob.events.at(-1)).toMatchObject({
      f: "scores",
      n: "scored",
      by: "hanna",
      d: { board: "main", changes: [{ user: "bob", name: "bob", total: 6 }] },
    });
    for (const tab of [hanna, ann, bob]) stage.room.verify(tab);
    stage.advance(100);
    stage.room.expectNoViolations();
  });

  it("[G2] an award of 0 points changes nothing if points add up, not even the ranking", async () => {
    const { stage, hanna, ann } = await openGame();
    stage.award(hanna, "bob", 5);
    stage.award(hanna, "ann", 5);
    stage.advance(100);
    const { seq } = ann.read();
    const zero = stage.award(hanna, "bob", 0);
    const first = stage.award(hanna, "hanna", 0);
    stage.advance(100);
    expect(hanna.read().acks.get(zero)).toMatchObject({ d: { total: 5 } });
    expect(hanna.acks.get(first)).toMatchObject({ d: { total: 0 } });
    expect(readRanking(stage, ann)).toEqual(["bob 5", "ann 5"]);
    expect(ann.seq).toBe(seq);
    stage.advance(10_000);
    expect(stage.boards.entries.map(({ user }) => user).sort()).toEqual(["ann", "bob"]);
  });

  it("[G3] an award is for hosts: a player gives none, unless the board says otherwise", async () => {
    const { stage, ann } = await openGame();
    stage.award(ann, "ann", 5);
    stage.award(ann, "bob", 5);
    stage.award(ann, "bob", 5, { board: "own" });
    stage.advance(100);
    expect(ann.read().nacks.map(({ code }) => code)).toEqual(["not_allowed", "not_allowed", "not_allowed"]);
    stage.advance(10_000);
    expect(stage.boards.calls).toEqual([]);
  });

  it("[G3] an award over HTTP is the room's own", async () => {
    const { stage, ann } = await openGame();
    expect(stage.room.post("desk", "scores", "award", { user: "ann", points: 7 })).toMatchObject({
      ok: true,
    });
    stage.advance(100);
    expect(ann.read().events.at(-1)?.by).toBeUndefined();
    expect(readRanking(stage, ann)).toEqual(["ann 7"]);
  });

  it.each([
    ["fractional points", { user: "ann", points: 1.5 }, "bad_data"],
    ["more points than an award may have", { user: "ann", points: 1_000_001 }, "bad_data"],
    ["a board that the kind does not declare", { user: "ann", points: 1, board: "other" }, "bad_data"],
    [
      "a board named like a member of every object",
      { user: "ann", points: 1, board: "toString" },
      "bad_data",
    ],
    ["a tie where points add up", { user: "ann", points: 1, tie: 3 }, "bad_data"],
    ["a user who has never joined", { user: "zoe", points: 1 }, "unknown_user"],
  ])("[G4] an award with %s is rejected, and nothing changes", async (_, award, code) => {
    const { stage, hanna } = await openGame();
    stage.room.do(hanna, "scores", "award", award);
    stage.advance(100);
    expect(hanna.read().nacks.map((nack) => nack.code)).toEqual([code]);
    stage.advance(10_000);
    expect([stage.boards.calls, readRanking(stage, hanna)]).toEqual([[], []]);
  });

  it("[G4] an award has a largest value, over HTTP as on a socket", async () => {
    const { stage, hanna } = await openGame();
    const edge = 1_000_000;
    const most = 2 ** 53 - 1;
    const taken = [
      { user: "ann", points: edge },
      { user: "ann", points: -edge },
      { user: "bob", points: edge, board: "best", tie: most },
      { user: "bob", points: -edge, board: "last" },
    ];
    for (const award of taken) {
      stage.room.do(hanna, "scores", "award", award);
      expect(stage.room.post("desk", "scores", "award", award), JSON.stringify(award)).toMatchObject({
        ok: true,
      });
    }
    const refused = [
      { user: "ann", points: edge + 1 },
      { user: "ann", points: -edge - 1 },
      { user: "ann", points: 0.1 },
      { user: "ann", points: "1" },
      { user: "ann", points: null },
      { user: "ann" },
      { points: 1 },
      { user: "", points: 1 },
      { user: "a".repeat(129), points: 1 },
      { user: "bob", points: 1, board: "best", tie: most + 1 },
      { user: "bob", points: 1, board: "__proto__" },
      { user: "bob", points: 1, board: "constructor" },
      { user: "bob", points: 1, board: "main:hall" },
      { user: "bob", points: 1, board: "" },
    ];
    for (const award of refused) {
      stage.room.do(hanna, "scores", "award", award);
      expect(stage.room.post("desk", "scores", "award", award), JSON.stringify(award)).toMatchObject({
        ok: false,
        rejection: { code: "bad_data" },
      });
    }
    for (const user of ["__proto__", "constructor", "nobody"]) {
      expect(stage.room.post("desk", "scores", "award", { user, points: 1 })).toMatchObject({
        ok: false,
        rejection: { code: "unknown_user" },
      });
    }
    stage.advance(100);
    expect(hanna.read().nacks.map(({ code }) => code)).toEqual(refused.map(() => "bad_data"));
    expect([
      readRanking(stage, hanna),
      readRanking(stage, hanna, "best"),
      readRanking(stage, hanna, "last"),
    ]).toEqual([["ann 0"], ["bob 1000000"], ["bob -1000000"]]);
    stage.advance(10_000);
    expect(
      stage.boards.entries.map(({ board, user, points, tie }) => [board, user, points, tie]).sort(),
    ).toEqual([
      ["best", "bob", edge, most],
      ["last", "bob", -edge, undefined],
    ]);
    stage.room.expectNoViolations();
  });

  it("[G4] an award to one more player than a room can store is rejected, and stored players go on", async () => {
    const { stage, hanna } = await openGame();
    stage.award(hanna, "ann", 1);
    stage.advance(100);
    // The state is patched as if so many had scored: the table states its size.
    const { slices } = stage.room.room["context"].state;
    const privateState = slices.private("scores") as PrivateState;
    const full = { ...privateState, standings: { ...privateState.standings, size: 100_000 } };
    vi.spyOn(slices, "private").mockImplementation(() => full);
    expect(stage.room.post("desk", "scores", "award", { user: "bob", points: 1 })).toMatchObject({
      ok: false,
      rejection: { code: "full" },
    });
    expect(stage.room.post("desk", "scores", "award", { user: "ann", points: 1 })).toMatchObject({
      ok: true,
    });
    full.standings.size = 99_999;
    expect(stage.room.post("desk", "scores", "award", { user: "bob", points: 1 })).toMatchObject({
      ok: true,
    });
  });

  it("[G4] an award may go to a user who has left, if they have scored here", async () => {
    const { stage, hanna, ann } = await openGame();
    stage.award(hanna, "ann", 1);
    stage.room.leave(ann);
    stage.advance(20_000);
    stage.award(hanna, "ann", 1);
    stage.advance(100);
    expect(readRanking(stage, hanna)).toEqual(["ann 2"]);
  });

  it("[G5] the totals stay exact, and an award that would make them inexact is rejected", async () => {
    const { stage, hanna } = await openGame();
    const near = stage.room.kind;
    expect(near.name).toBe("main");
    // Nine billion awards would take too long, so the state is patched as if they had been made.
    const { totals } = await restoreWithTotal(stage, "ann", MAX_POINTS - 5);
    expect(totals).toEqual([`ann ${MAX_POINTS - 5}`]);
    stage.award(hanna, "ann", 6);
    stage.award(hanna, "ann", 5);
    stage.advance(100);
    expect(hanna.read().nacks.map(({ code }) => code)).toEqual(["conflict"]);
    expect(readRanking(stage, hanna)).toEqual([`ann ${MAX_POINTS}`]);
  });

  it("[G6] a board of the best keeps both columns of the better game, never a mixture", async () => {
    const { stage, hanna } = await openGame();
    const play = (points: number, tie: number, user = "ann") =>
      stage.award(hanna, user, points, { board: "best", tie });
    play(10, 50);
    play(10, 40);
    play(9, 1);
    play(10, 45);
    stage.advance(100);
    expect(stage.top(hanna, "best")).toMatchObject([{ user: "ann", total: 10, tie: 40 }]);
    play(10, 40, "bob");
    play(10, 39, "hanna");
    stage.advance(100);
    expect(stage.top(hanna, "best").map(({ user }) => user)).toEqual(["hanna", "ann", "bob"]);
    stage.advance(10_000);
    const entry = stage.boards.entries.find(({ user }) => user === "ann") as BatchEntry;
    expect(entry).toMatchObject({ board: "best", points: 10, tie: 40 });
    stage.room.expectNoViolations();
  });

  it("[G6] a board of the lowest ranks the fewest points first, and a board of the last keeps the last points", async () => {
    const { stage, hanna } = await openGame();
    for (const [user, points] of [
      ["ann", 30],
      ["bob", 20],
      ["ann", 10],
      ["bob", 25],
    ] as const) {
      stage.award(hanna, user, points, { board: "race" });
      stage.award(hanna, user, points, { board: "last" });
    }
    stage.advance(100);
    expect(readRanking(stage, hanna, "race")).toEqual(["ann 10", "bob 20"]);
    expect(readRanking(stage, hanna, "last")).toEqual(["bob 25", "ann 10"]);
    stage.room.verify(hanna);
    stage.advance(100);
    stage.room.expectNoViolations();
  });

  it("[G7] the players' own awards are limited at once and within any minute, with the exact wait", async () => {
    const { stage, ann } = await openGame();
    stage.award(ann, "ann", 11, { board: "own" });
    stage.award(ann, "ann", -1, { board: "own" });
    for (const points of [10, 10, 6]) stage.award(ann, "ann", points, { board: "own" });
    stage.advance(100);
    expect(ann.read().nacks.map(({ code }) => code)).toEqual(["not_allowed", "not_allowed", "rate_limited"]);
    const wait = ann.nacks.at(-1)?.retryAfterMs ?? 0;
    expect(wait).toBeGreaterThan(59_000);
    expect(wait).toBeLessThanOrEqual(61_000);
    stage.award(ann, "ann", 5, { board: "own" });
    await stage.room.sleep();
    stage.advance(wait - 1_000);
    stage.award(ann, "ann", 6, { board: "own" });
    stage.advance(1_000);
    stage.award(ann, "ann", 6, { board: "own" });
    stage.advance(100);
    expect(ann.read().nacks).toHaveLength(4);
    expect(readRanking(stage, ann, "own")).toEqual(["ann 31"]);
    for (let n = 0; n < 4; n++) stage.award(ann, "ann", n, { board: "games" });
    stage.advance(100);
    expect(ann.read().nacks.at(-1)?.code).toBe("rate_limited");
    expect(readRanking(stage, ann, "games")).toEqual(["ann 2"]);
  });

  it("[G8] the ranking shows players under the name with which they return", async () => {
    const { stage, hanna, ann } = await openGame();
    stage.award(hanna, "ann", 1);
    stage.advance(100);
    stage.room.leave(ann);
    stage.advance(20_000);
    stage.room.rejoin(ann, { name: "Anne" });
    stage.advance(100);
    expect(stage.top(hanna)).toMatchObject([{ user: "ann", name: "Anne", total: 1 }]);
    stage.award(hanna, "ann", 1);
    stage.advance(10_000);
    expect(stage.boards.entries.at(-1)).toMatchObject({ name: "Anne" });
    stage.room.expectNoViolations();
  });
});

describe("points that another feature awards", () => {
  const quiz = defineFeature({
    name: "quiz",
    version: "1",
    schema: {
      actions: { pay: z.object({ users: z.array(z.string()), points: z.int() }) },
      events: { paid: z.object({}) },
    },
    shared: { initial: () => 0, reduce: (state: number) => state + 1 },
    actions: {
      pay: {
        maxBytes: 16_000,
        rate: { count: 100, perMs: 1_000 },
        decide: (_, { users, points }) => ({
          events: [{ n: "paid", d: {} }],
          awards: users.map((user) => ({ user, points })),
        }),
      },
    },
  });

  it("[G9] the points are counted in the frame that they follow from, though neither feature knows the other", async () => {
    const stage = await ScoreStage.open({ kind: scoreKind(undefined, [quiz]) });
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    stage.advance(1_000);
    stage.room.do(ann, "quiz", "pay", { users: ["ann", "bob", "nobody"], points: 4 });
    stage.advance(100);
    expect(readRanking(stage, bob)).toEqual(["ann 4", "bob 4"]);
    const [frame] = bob.frames.slice(-1);
    expect(frame?.e.map(({ f, n }) => `${f}.${n}`)).toEqual(["quiz.paid", "scores.scored"]);
    stage.advance(6_000);
    expect(stage.boards.total("main", "ann")).toBe(4);
    stage.room.expectNoViolations();
  });

  it("[G9] the points are counted for users of any name, however many others change rank", async () => {
    const longest = Array.from({ length: 200 }, (_, n) => `${n}`.padStart(3, "0").padEnd(128, '"'));
    const payday = defineFeature({
      name: "payday",
      version: "1",
      schema: {
        actions: { pay: z.object({ from: z.int(), to: z.int(), points: z.int() }) },
        events: { paid: z.object({}) },
      },
      shared: { initial: () => 0, reduce: (state: number) => state + 1 },
      actions: {
        pay: {
          maxBytes: 100,
          rate: { count: 100, perMs: 1_000 },
          decide: (_, { from, to, points }) => ({
            events: [{ n: "paid", d: {} }],
            awards: longest
              .slice(from, to)
              .map((user) => ({ user, points, tie: 2 ** 53 - 1, board: "best" })),
          }),
        },
      },
    });
    const boards = { best: { combine: "last", tie: "lowest", order: "lowest" } } as const;
    const stage = await ScoreStage.open({ kind: scoreKind(boards, [payday]) });
    const hanna = stage.join("hanna", "host");
    for (const user of longest) {
      const tab = `tab-${user.slice(0, 3)}`;
      stage.room.join(user, { name: user.slice(0, 40), tab, expiresAt: stage.room.now + 10 ** 12 });
    }
    stage.advance(1_000);
    const pay = (from: number, to: number, points: number) => {
      stage.room.do(hanna, "payday", "pay", { from, to, points });
      stage.advance(300);
    };
    pay(0, 200, -1_000_000);
    pay(0, 100, 1_000_000);
    expect(hanna.read().nacks).toEqual([]);
    expect(stage.top(hanna, "best")).toHaveLength(100);
    expect(stage.top(hanna, "best").every(({ total }) => total === -1_000_000)).toBe(true);
    stage.room.verify(hanna);
    stage.advance(100);
    stage.room.expectNoViolations();
  });

  it("[G9] the points survive a crash all or not at all, even if they need several frames", async () => {
    for (const durable of [0, 1]) {
      const stage = await ScoreStage.open({ kind: scoreKind(undefined, [quiz]) });
      const users = Array.from({ length: 320 }, (_, n) => `player ${n} `.padEnd(40, "x"));
      const tabs = users.map((user) => stage.join(user));
      const [ann] = tabs as [RoomTab];
      stage.advance(1_000);
      stage.room.isAutoDurable = false;
      stage.room.do(ann, "quiz", "pay", { users, points: 4 });
      expect(stage.room.runtime.pendingTurns).toBe(1);
      await stage.room.crash(durable);
      stage.room.isAutoDurable = true;
      stage.room.rejoin(ann);
      stage.advance(10_000);
      const sum = users.reduce((all, user) => all + stage.boards.total("main", user), 0);
      expect(sum).toBe(durable * 4 * users.length);
      expect(stage.boards.calls).toHaveLength(durable);
      stage.room.verify(ann);
      stage.advance(100);
      stage.room.expectNoViolations();
    }
  });
});

describe("the top of a board", () => {
  it("[G1] the top is the true first hundred after any awards and deductions, reduced from the events alone", {
    timeout: 30_000,
  }, async () => {
    for (let round = 0; round < 2; round++) {
      const stage = await ScoreStage.open();
      const { random } = stage.room.runtime;
      const hanna = stage.join("hanna", "host");
      const users = Array.from({ length: 130 }, (_, n) => `p${n}`);
      for (const user of users) stage.join(user);
      stage.advance(1_000);
      const boards = ["main", "best", "last", "race"];
      const truth = new Map<string, { user: string; total: number; tie: number; at: number }>();
      let at = 0;
      for (let n = 0; n < 900; n++) {
        const board = random.pick(boards);
        const user = random.pick(users);
        const points = random.below(12) - (board === "main" && n > 300 ? 9 : 2);
        const tie = board === "best" ? random.below(3) : 0;
        stage.award(hanna, user, points, { board, ...(board === "best" ? { tie } : {}) });
        at++;
        const key = `${board} ${user}`;
        const before = truth.get(key);
        const total = board === "main" ? (before?.total ?? 0) + points : points;
        const isNothing = board === "main" && points === 0;
        const isSame = before?.total === total && before.tie === tie;
        const better =
          !before ||
          (board === "race"
            ? total < before.total
            : total > before.total || (total === before.total && tie < before.tie));
        const counts = board === "best" || board === "race" ? better : !isSame && !isNothing;
        if (counts) truth.set(key, { user, total, tie, at });
        if (n % 90 === 89) stage.advance(100);
      }
      stage.advance(200);
      for (const board of boards) {
        const sign = board === "race" ? -1 : 1;
        const expected = [...truth]
          .filter(([key]) => key.startsWith(`${board} `))
          .map(([, row]) => row)
          .sort((a, b) => sign * (b.total - a.total) || a.tie - b.tie || a.at - b.at)
          .slice(0, 100)
          .map(({ user, total }) => `${user} ${total}`);
        expect(readRanking(stage, hanna, board), `${board}, seed ${stage.room.runtime.seed}`).toEqual(
          expected,
        );
      }
      stage.room.verify(hanna);
      stage.advance(100);
      stage.room.expectNoViolations();
    }
  });
});

/** Sets the total by a snapshot of an older release. */
async function restoreWithTotal(stage: ScoreStage, user: string, total: number) {
  const { room } = stage;
  const { scores } = await import("../../src/features/scores/decide");
  const { initial } = await import("../../src/features/scores/state");
  const privateState = scores.private;
  if (!privateState) throw new Error("Scores keep totals.");
  const seeded = {
    ...scores,
    version: "as if",
    private: {
      ...privateState,
      migrate: (old: ReturnType<typeof privateState.initial>) =>
        privateState.reduce(old, {
          n: "added",
          at: 0,
          d: { board: "main", user, name: user, stands: { total, tie: 0, seq: 1 } },
        }),
    },
    shared: {
      ...scores.shared,
      migrate: () => ({
        ...initial(),
        boards: { main: { top: [{ user, name: user, total, seq: 1 }] } },
      }),
    },
  } as unknown as typeof scores;
  room.kind = {
    ...room.kind,
    features: room.kind.features.map((feature) => (feature.name === "scores" ? seeded : feature)),
  };
  for (let n = 0; n < 520; n++) {
    room.do(room.tabs[0] as RoomTab, "presence", "set", { status: `${n}` });
    room.advance(6);
  }
  await room.sleep();
  for (const tab of room.tabs) room.rejoin(tab);
  room.advance(200);
  return { totals: readRanking(stage, room.tabs[0] as RoomTab) };
}
