import { describe, expect, it } from "vitest";
import { flush } from "../../src/features/scores/flush";
import {
  initialPrivate,
  type PrivateState,
  reducePrivate,
  standings,
} from "../../src/features/scores/private-state";
import { initial } from "../../src/features/scores/state";
import { Tally } from "../../src/features/scores/tally";
import { MAX_BATCH_BYTES } from "../../src/protocol/limits";
import type { Board, Boards } from "../../src/room/api/board";
import { HOUR_MS, settings } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";
import { BOARDS, ScoreStage, scoreKind } from "../support/score-stage";

const USERS = ["ann", "bob", "cat"];
const OWN_AWARD = { user: "guest-1", points: 1, board: "own" };

/** A game whose host sends unacknowledged actions again, as a client does, and a record of what was acknowledged. */
class PointsStage {
  readonly sent: { id: string; user: string; points: number }[] = [];
  hanna!: RoomTab;
  crashes = 0;

  private constructor(readonly stage: ScoreStage) {}

  static async open(seed = 1): Promise<PointsStage> {
    const game = new PointsStage(
      await ScoreStage.open({ seed, settings: { ...settings, leaveGraceMs: 500 } }),
    );
    game.hanna = game.stage.join("hanna", "host");
    for (const user of USERS) game.stage.join(user);
    game.stage.advance(1_000);
    return game;
  }

  award(user: string, points: number): void {
    const id = `op ${this.sent.length}`;
    this.sent.push({ id, user, points });
    this.#send(this.sent.at(-1) as PointsStage["sent"][number]);
  }

  #send({ id, user, points }: PointsStage["sent"][number]): void {
    this.stage.room.do(this.hanna, "scores", "award", { user, points }, id);
  }

  isAcknowledged(id: string): boolean {
    const { events, acks } = this.hanna.read();
    return acks.has(id) || events.some(({ op, by }) => op === id && by === "hanna");
  }

  /** Restores the room after a crash: everyone reconnects, and unacknowledged actions are sent again. */
  async recover(durableTurns = 0): Promise<void> {
    const { room } = this.stage;
    if (!room.runtime.isDying && durableTurns === 0) return;
    this.crashes++;
    await room.crash(durableTurns);
    if (room.room.isOver) await room.wake();
    for (const tab of room.tabs) room.rejoin(tab, { expiresAt: room.now + 10 ** 12 });
    room.advance(200);
    for (const op of this.sent) if (!this.isAcknowledged(op.id)) this.#send(op);
    // Some acknowledged actions are sent again too: a client cannot know what was lost.
    for (const op of this.sent.slice(-2)) this.#send(op);
  }

  expectEqual(): void {
    const { stage, hanna } = this;
    const seed = `seed ${stage.room.runtime.seed}, ${this.crashes} crashes`;
    for (const user of USERS) {
      const ops = this.sent.filter((op) => op.user === user && this.isAcknowledged(op.id));
      const acknowledged = ops.reduce((sum, { points }) => sum + points, 0);
      const shown = stage.top(hanna).find((ranked) => ranked.user === user)?.total ?? 0;
      expect([user, shown, stage.boards.total("main", user)], seed).toEqual([
        user,
        acknowledged,
        acknowledged,
      ]);
    }
    expect(this.sent.filter(({ id }) => !this.isAcknowledged(id))).toEqual([]);
    expect(countOwed(stage), seed).toBe(0);
  }
}

function readPrivateScores(stage: ScoreStage): PrivateState {
  return stage.room.room["context"].state.slices.private("scores") as PrivateState;
}

function countOwed(stage: ScoreStage): number {
  const { ledger, sealed } = readPrivateScores(stage);
  return ledger.size + (sealed ? sealed.entries.length : 0);
}

/** Points, their flush, more points while it is in flight, a leave, and the next flush. */
const steps: ((game: PointsStage) => void)[] = [
  (game) => game.award("ann", 3),
  (game) => game.award("bob", 5),
  (game) => game.stage.room.advance(50),
  (game) => game.award("ann", -1),
  (game) => game.stage.room.advance(5_000),
  (game) => game.award("cat", 2),
  (game) => game.stage.deliverEffects(),
  (game) => game.stage.room.advance(100),
  (game) => game.award("ann", 4),
  (game) => game.stage.room.advance(5_000),
  (game) => game.stage.deliverEffects(),
  (game) => game.stage.room.advance(100),
];

async function settleAll(game: PointsStage): Promise<void> {
  game.stage.scoreboard = "answers";
  game.stage.advance(130_000, 2_000);
  expect(game.stage.room.runtime.isDying).toBe(false);
}

describe("acknowledged points", () => {
  it("[R1] the points reach the scoreboard once, with a crash at every single write, send and call", async () => {
    const calm = await PointsStage.open();
    const from = calm.stage.room.runtime.callCount;
    for (const step of steps) step(calm);
    const calls = calm.stage.room.runtime.callCount - from;
    await settleAll(calm);
    calm.expectEqual();
    expect(calls).toBeGreaterThan(30);

    for (let at = 0; at < calls; at++) {
      const game = await PointsStage.open();
      game.stage.room.runtime.dieAfter(at);
      for (const step of steps) {
        step(game);
        await game.recover();
      }
      expect(game.crashes, `at ${at}`).toBe(1);
      await settleAll(game);
      game.expectEqual();
    }
  });

  it("[R1] the points reach it once if a durable write was not acknowledged", async () => {
    for (let crashAt = 0; crashAt < steps.length; crashAt++) {
      for (const durable of [1, 2, 3]) {
        const game = await PointsStage.open();
        for (const [n, step] of steps.entries()) {
          game.stage.room.isAutoDurable = n !== crashAt;
          step(game);
          if (n === crashAt) {
            await game.recover(Math.min(durable, game.stage.room.runtime.pendingTurns) || 1);
            game.stage.room.isAutoDurable = true;
            game.stage.room.makeDurable();
          }
        }
        await settleAll(game);
        game.expectEqual();
      }
    }
  });

  it.each(["loses", "away"] as const)(
    "[R1] the points reach it once if the scoreboard %s its calls, at every call",
    async (outside) => {
      for (let at = 0; at < 60; at += 6) {
        const game = await PointsStage.open(at + 1);
        game.stage.scoreboard = outside;
        for (const step of steps) step(game);
        game.stage.room.runtime.dieAfter(at);
        for (let n = 0; n < 20; n++) {
          game.award(USERS[n % 3] as string, n);
          game.stage.room.advance(2_000);
          game.stage.deliverEffects();
          await game.recover();
        }
        await settleAll(game);
        game.expectEqual();
      }
    },
  );

  it("[B1] the points go in batches of one number and one content, one in flight at a time, through every failure", async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const game = await PointsStage.open(seed);
      const { random } = game.stage.room.runtime;
      for (let n = 0; n < 120; n++) {
        game.stage.scoreboard = random.pick(["answers", "answers", "loses", "away"]);
        if (random.below(12) === 0) game.stage.room.runtime.dieAfter(random.below(12));
        game.award(random.pick(USERS), random.below(20) - 5);
        await game.recover();
        game.stage.room.advance(random.below(1_500));
        await game.recover();
        game.stage.deliverEffects();
        await game.recover();
      }
      // A scheduled crash that has not happened yet is cancelled.
      game.stage.room.runtime.dieAfter(Number.POSITIVE_INFINITY);
      await settleAll(game);
      // The scoreboard of these tests throws at a second content for one number.
      game.expectEqual();
      const numbers = game.stage.boards.applied.map(({ n }) => n);
      expect(numbers).toEqual(numbers.map((_, at) => at + 1));
    }
  });
});

describe("the ledger", () => {
  it("[K1] the ledger sends a thousand awards to a hundred players in one call", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    const users = Array.from({ length: 100 }, (_, n) => `p${n}`);
    for (const user of users) stage.join(user);
    stage.advance(1_000);
    for (let n = 0; n < 1_000; n++) {
      stage.award(hanna, users[n % 100] as string, 1 + (n % 7));
      if (n % 20 === 0) stage.advance(80, 80);
    }
    stage.advance(20_000);
    expect(stage.boards.calls).toHaveLength(1);
    expect(stage.boards.calls[0]?.entries).toHaveLength(100);
  });

  it("[K1] the ledger is flushed FLUSH_MS after its first award, and sets no timer while it is empty", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    stage.join("ann");
    stage.advance(1_000);
    const idleAt = stage.room.runtime.alarmAt ?? 0;
    expect(idleAt).toBeGreaterThan(stage.room.now + 600_000);
    stage.award(hanna, "ann", 1);
    const from = stage.room.now;
    expect(stage.room.runtime.alarmAt).toBe(from + 5_000);
    stage.advance(4_900);
    stage.award(hanna, "ann", 1);
    expect(stage.boards.calls).toEqual([]);
    stage.advance(200);
    expect(stage.boards.calls).toMatchObject([{ v: 1, room: "main/hall", n: 1, entries: [{ points: 2 }] }]);
    stage.advance(60_000);
    expect(stage.boards.calls).toHaveLength(1);
    expect(stage.room.runtime.alarmAt).toBeGreaterThan(stage.room.now + 600_000);
  });

  it("[K2] the ledger is flushed within a second after a member left", async () => {
    const stage = await ScoreStage.open({ settings: { leaveGraceMs: 100 } });
    const hanna = stage.join("hanna", "host");
    const ann = stage.join("ann");
    stage.advance(1_000);
    stage.award(hanna, "ann", 1);
    stage.advance(500);
    stage.room.leave(ann);
    stage.advance(1_200);
    expect(stage.boards.calls).toHaveLength(1);
  });

  it("[K3] the ledger has one entry a player, board and quarter of an hour, for any length of an outage", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    for (const user of USERS) stage.join(user);
    stage.advance(1_000);
    stage.scoreboard = "away";
    for (let n = 0; n < 600; n++) {
      for (const user of USERS) stage.award(hanna, user, 1);
      stage.advance(1_000, 1_000);
    }
    expect(readPrivateScores(stage).sealed?.entries).toHaveLength(3);
    expect(readPrivateScores(stage).ledger.size).toBeLessThanOrEqual(6);
    const tries = stage.room.runtime.startedEffects.length;
    expect(tries).toBeLessThan(30);
    stage.scoreboard = "answers";
    stage.advance(70_000);
    expect(countOwed(stage)).toBe(0);
    for (const user of USERS) expect(stage.boards.total("main", user)).toBe(600);
    expect(stage.boards.applied.length).toBeLessThanOrEqual(3);
    expect(stage.room.runtime.largest.bytes).toBeLessThan(131_072);
  });

  it("[K3] the ledger keeps points on both sides of a quarter's end in two entries, each wholly on its side", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    const ann = stage.join("ann");
    const quarter = 900_000;
    const before = Math.ceil((stage.room.now + 5_000) / quarter) * quarter;
    stage.room.advance(before - stage.room.now - 500);
    stage.room.rejoin(ann, { expiresAt: stage.room.now + HOUR_MS });
    stage.award(hanna, "ann", 1);
    stage.advance(1_000);
    stage.award(hanna, "ann", 2);
    stage.advance(10_000);
    const entries = stage.boards.entries.map(({ points, firstAt, lastAt }) => [
      points,
      Math.floor(firstAt / quarter) - before / quarter,
      firstAt === lastAt,
    ]);
    expect(entries.sort()).toEqual([
      [1, -1, true],
      [2, 0, true],
    ]);
  });

  it("[K3] the ledger has no entry for a sum that returned to 0", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    stage.join("ann");
    stage.advance(1_000);
    stage.award(hanna, "ann", 4);
    stage.award(hanna, "ann", -4);
    stage.advance(10_000);
    expect(stage.boards.entries).toEqual([]);
    expect(stage.room.runtime.alarmAt).toBeGreaterThan(stage.room.now + 600_000);
  });

  it("[K4] the room learns which points were rejected, even if the first answer was lost", async () => {
    for (const outside of ["answers", "loses"] as const) {
      const stage = await ScoreStage.open();
      const hanna = stage.join("hanna", "host");
      for (const user of USERS) stage.join(user);
      stage.advance(1_000);
      for (const user of USERS) stage.award(hanna, user, 5);
      stage.boards.banned.add("bob");
      stage.scoreboard = outside;
      stage.advance(6_000);
      stage.boards.banned.clear();
      stage.scoreboard = "answers";
      stage.advance(30_000);
      const rejections = hanna.read().events.filter(({ n }) => n === "refused");
      expect(rejections.map(({ d }) => d)).toEqual([{ users: ["bob"], count: 1 }]);
      expect(USERS.map((user) => stage.boards.total("main", user))).toEqual([5, 0, 5]);
      stage.room.expectNoViolations();
    }
  });

  it("[K5] the ledger uses the number that the scoreboard expects, if the scoreboard has lost batches or knew more", async () => {
    for (const n of [0, 7]) {
      const stage = await ScoreStage.open();
      const hanna = stage.join("hanna", "host");
      stage.join("ann");
      stage.advance(1_000);
      for (let round = 0; round < 3; round++) {
        stage.award(hanna, "ann", 1);
        stage.advance(6_000);
      }
      for (const receipt of stage.boards.receipts.values()) receipt.n = n;
      stage.award(hanna, "ann", 10);
      stage.advance(30_000);
      stage.award(hanna, "ann", 1);
      stage.advance(10_000);
      expect(stage.boards.total("main", "ann")).toBe(14);
      expect(stage.boards.applied.map((batch) => batch.n)).toEqual([1, 2, 3, n + 1, n + 2]);
      expect(countOwed(stage)).toBe(0);
    }
  });

  const GUESTS_BOARDS = {
    main: { combine: "sum" },
    shared: { combine: "sum", feeds: "kind" },
    own: { combine: "sum", feeds: "room", own: { points: 10, perMinute: 100 } },
  } as const satisfies Boards;
  const ALL = ["main", "main:hall", "shared", "own:hall"];

  it("[K9] the welcome, the summary and an award's answer say which boards a room's points reach", async () => {
    const stage = await ScoreStage.open({ kind: scoreKind(GUESTS_BOARDS) });
    const guest = stage.room.joinAsGuest("guest-1");
    const guests = ["main:hall", "own:hall"];
    expect(guest.read().welcomes[0]?.feeds).toEqual(guests);
    expect(stage.room.room.summary(stage.room.now).feeds).toEqual(guests);
    stage.award(guest, "guest-1", 1, { board: "own" });
    stage.advance(1_000);
    const hanna = stage.join("hanna", "host");
    expect(hanna.read().welcomes[0]?.feeds).toEqual(guests);
    const awards = [
      stage.award(hanna, "guest-1", 1),
      stage.award(hanna, "guest-1", 1, { board: "shared" }),
      stage.award(hanna, "guest-1", 1, { board: "own" }),
      stage.award(hanna, "guest-1", 0, { board: "shared" }),
    ];
    stage.advance(100);
    hanna.read();
    expect(awards.map((id) => hanna.acks.get(id)?.d)).toEqual([
      { feeds: ["main:hall"] },
      { feeds: [], kept: false },
      undefined,
      { total: 1, feeds: [], kept: false },
    ]);
    const seq = hanna.seq + 1;
    expect(stage.room.post("hanna", "scores", "award", { user: "guest-1", points: 1 })).toEqual({
      ok: true,
      seq,
      d: { feeds: ["main:hall"] },
    });
    stage.room.expectNoViolations();
  });

  it.each(["socket", "HTTP"])(
    "[K6] a host's join by %s turns a guest's room without points into a full one, even over a crash",
    async (way) => {
      for (const durableTurns of [0, 1]) {
        const stage = await ScoreStage.open({ kind: scoreKind(GUESTS_BOARDS) });
        const guest = stage.room.joinAsGuest("guest-1");
        stage.advance(1_000);
        stage.room.isAutoDurable = false;
        if (way === "socket") stage.join("hanna", "host");
        else stage.room.post("hanna", "presence", "set", { status: "here" });
        await stage.room.crash(durableTurns);
        stage.room.isAutoDurable = true;
        const isTurned = durableTurns > 0;
        expect(stage.room.room.summary(stage.room.now).feeds.includes("main")).toBe(isTurned);
        const hanna = stage.join("hanna", "host");
        stage.room.rejoin(guest, { guest: true });
        stage.advance(100);
        expect(hanna.read().welcomes[0]?.feeds).toEqual(ALL);
        const id = stage.award(hanna, "guest-1", 1);
        stage.advance(100);
        hanna.read();
        expect(hanna.acks.get(id)?.d).toBeUndefined();
        await stage.room.crash();
        stage.advance(40_000);
        expect(stage.boards.calls.map(({ ownOnly }) => ownOnly)).toContain(undefined);
        expect(stage.boards.calls.every(({ ownOnly }) => ownOnly === undefined)).toBe(true);
        // The state also survives snapshots.
        for (let n = 0; n < 600; n++) {
          stage.advance(100);
          stage.room.post("hanna", "presence", "set", { status: `${n}` });
        }
        await stage.room.crash();
        expect(stage.room.room.summary(stage.room.now).feeds).toEqual(ALL);
      }
    },
  );

  it("[K6] every batch of a guest's room with points says so, and no batch of another room does", async () => {
    for (const isGuest of [true, false]) {
      const stage = await ScoreStage.open();
      if (isGuest) stage.room.joinAsGuest("guest-1");
      if (isGuest) stage.room.do(stage.room.tabs[0] as RoomTab, "scores", "award", OWN_AWARD);
      const hanna = stage.join("hanna", "host");
      if (!isGuest) stage.room.joinAsGuest("guest-1");
      stage.advance(1_000);
      stage.award(hanna, "guest-1", 1);
      stage.advance(6_000);
      await stage.room.crash();
      stage.room.rejoin(hanna, { expiresAt: stage.room.now + HOUR_MS });
      stage.advance(1_000);
      stage.award(hanna, "guest-1", 1);
      stage.advance(6_000);
      expect(stage.boards.calls.map(({ ownOnly }) => ownOnly)).toEqual(
        isGuest ? [true, true] : [undefined, undefined],
      );
    }
  });

  it("[K7] the ledger closes its epoch before the room is cleaned up, and the room's next epoch starts from zero", async () => {
    const stage = await ScoreStage.open();
    const epochs: (string | undefined)[] = [];
    for (let round = 0; round < 2; round++) {
      const hanna = stage.join("hanna", "host");
      stage.advance(1_000);
      stage.award(hanna, "hanna", 3);
      stage.advance(6_000);
      epochs.push(hanna.read().epoch);
      stage.room.leave(hanna);
      for (let n = 0; n < 40 && !stage.room.room.isOver; n++) stage.advance(60_000, 1_000);
      expect(stage.room.room.isOver).toBe(true);
      expect(stage.room.runtime.keys()).toEqual([]);
      await stage.room.wake();
    }
    expect(new Set(epochs).size).toBe(2);
    expect(stage.boards.calls.map(({ n, closing, entries }) => [n, closing, entries.length])).toEqual([
      [1, undefined, 1],
      [2, true, 0],
      [1, undefined, 1],
      [2, true, 0],
    ]);
    expect(stage.boards.total("main", "hanna")).toBe(6);
  });

  it("[K7] closing the room settles the whole ledger, and a user who comes back to a closed room learns it", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    stage.advance(1_000);
    stage.award(hanna, "hanna", 3);
    stage.room.turn(() => stage.room.room.close(stage.room.now));
    stage.deliverEffects();
    expect(stage.room.room.isOver).toBe(true);
    expect(stage.boards.calls).toMatchObject([
      { n: 1, entries: [{ points: 3 }] },
      { n: 2, closing: true, entries: [] },
    ]);
    expect(stage.boards.calls[0]).not.toHaveProperty("closing");

    await stage.room.wake();
    const again = stage.join("hanna", "host");
    stage.advance(1_000);
    stage.award(again, "hanna", 1);
    stage.advance(6_000);
    stage.room.leave(again);
    // The epoch is over, and a user joins while its last batch is in flight.
    while (stage.room.runtime.startedEffects.length < 4) stage.room.advance(1_000);
    stage.join("ann");
    stage.deliverEffects();
    stage.advance(10_000);
    expect(stage.room.room.isOver).toBe(false);
    expect(stage.boards.calls.slice(2).map(({ n, closing }) => [n, closing])).toEqual([
      [1, undefined],
      [2, true],
      [3, undefined],
    ]);
    expect([...stage.boards.receipts.values()].map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("[K7] the scoreboard counts nothing twice in a closed room that learned of it only after its receipt had gone", async () => {
    for (const lost of [1, 2]) {
      const stage = await ScoreStage.open();
      const hanna = stage.join("hanna", "host");
      stage.advance(1_000);
      stage.award(hanna, "hanna", 3);
      stage.room.turn(() => stage.room.room.close(stage.room.now));
      const take = stage.boards.apply.bind(stage.boards);
      stage.boards.apply = (ask) => {
        stage.scoreboard = stage.boards.calls.length + 1 === lost ? "loses" : "answers";
        return take(ask);
      };
      stage.deliverEffects();
      expect(stage.boards.calls).toHaveLength(lost);
      await stage.room.crash();
      // Days later, the scoreboard deletes the receipts of closed epochs, and no others.
      stage.room.runtime.now += 3 * 86_400_000;
      for (const [epoch, { closed }] of stage.boards.receipts)
        if (closed) stage.boards.receipts.delete(epoch);
      stage.advance(60_000);
      expect(stage.room.room.isOver).toBe(true);
      expect(stage.boards.total("main", "hanna"), `lost ${lost}`).toBe(3);
    }
  });

  it("[K8] the ledger of ten thousand players is cheap to reduce, and goes in batches that a database accepts", () => {
    const seen = {
      at: 1_790_000_000_000,
      seq: 0,
      state: initial(),
      private: initialPrivate(),
      boards: BOARDS,
    } as Parameters<typeof flush>[0];
    const rules = BOARDS.main as Board;
    const users = Array.from({ length: 10_500 }, (_, n) => `player-${n}`);
    const fold = (decided: { private?: readonly { n: string; d: unknown }[] }) => {
      for (const event of decided.private ?? []) {
        seen.private = reducePrivate(seen.private, { ...event, at: seen.at } as Parameters<
          typeof reducePrivate
        >[1]);
      }
    };
    let first = 0;
    for (const round of [0, 1]) {
      const from = performance.now();
      for (const user of users) {
        const tally = new Tally(seen);
        tally.add({ board: "main", rules, user, name: user, points: 1, tie: undefined });
        fold(tally.outcome());
      }
      const each = (performance.now() - from) / users.length;
      // Ten thousand players cost as much as the first few: copying all players for each would cost a hundred times as much.
      if (round === 0) first = each;
      else expect(each).toBeLessThan(Math.max(first * 5, 0.5));
    }
    expect(seen.private.standings.size).toBe(10_500);
    const restored = JSON.parse(JSON.stringify(seen.private)) as typeof seen.private;
    expect([...standings.rows(restored.standings)]).toEqual([...standings.rows(seen.private.standings)]);
    fold(flush(seen));
    expect([seen.private.sealed?.entries.length, seen.private.ledger.size]).toEqual([10_000, 500]);
    expect(JSON.stringify(seen.private.sealed).length).toBeLessThan(MAX_BATCH_BYTES);
  });
});
