import { describe, expect, it } from "vitest";
import { flush } from "../../src/features/scores/flush";
import { type Hidden, hide, nothingHidden, standings } from "../../src/features/scores/hidden";
import { initial } from "../../src/features/scores/state";
import { Tally } from "../../src/features/scores/tally";
import { MAX_BATCH_BYTES } from "../../src/protocol/limits";
import type { Board, Boards } from "../../src/room/board";
import { HOUR_MS, settings } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";
import { BOARDS, ScoreStage, scoreKind } from "../support/score-stage";

const USERS = ["ann", "bob", "cat"];
const OWN_AWARD = { user: "guest-1", points: 1, board: "own" };

/** A game with its host, who sends again what was not acknowledged, as a client does; and what was acknowledged. */
class Game {
  readonly sent: { id: string; user: string; points: number }[] = [];
  hanna!: RoomTab;
  crashes = 0;

  private constructor(readonly stage: ScoreStage) {}

  static async open(seed = 1): Promise<Game> {
    const game = new Game(await ScoreStage.open({ seed, settings: { ...settings, leaveGraceMs: 500 } }));
    game.hanna = game.stage.join("hanna", "host");
    for (const user of USERS) game.stage.join(user);
    game.stage.pass(1_000);
    return game;
  }

  award(user: string, points: number): void {
    const id = `op ${this.sent.length}`;
    this.sent.push({ id, user, points });
    this.#send(this.sent.at(-1) as Game["sent"][number]);
  }

  #send({ id, user, points }: Game["sent"][number]): void {
    this.stage.room.do(this.hanna, "scores", "award", { user, points }, id);
  }

  acknowledged(id: string): boolean {
    const { events, acks } = this.hanna.read();
    return acks.has(id) || events.some(({ op, by }) => op === id && by === "hanna");
  }

  /** Whoever lives after a step; everybody comes back, and what nobody acknowledged is sent again. */
  async survive(durableTurns = 0): Promise<void> {
    const { room } = this.stage;
    if (!room.world.isDying && durableTurns === 0) return;
    this.crashes++;
    await room.crash(durableTurns);
    if (room.room.isOver) await room.wake();
    for (const tab of room.tabs) room.rejoin(tab, { expiresAt: room.now + 10 ** 12 });
    room.pass(200);
    for (const op of this.sent) if (!this.acknowledged(op.id)) this.#send(op);
    // And some that were: a client cannot know what was lost.
    for (const op of this.sent.slice(-2)) this.#send(op);
  }

  expectEqual(): void {
    const { stage, hanna } = this;
    const seed = `seed ${stage.room.world.seed}, ${this.crashes} crashes`;
    for (const user of USERS) {
      const mine = this.sent.filter((op) => op.user === user && this.acknowledged(op.id));
      const acknowledged = mine.reduce((sum, { points }) => sum + points, 0);
      const shown = stage.top(hanna).find((ranked) => ranked.user === user)?.total ?? 0;
      expect([user, shown, stage.boards.total("main", user)], seed).toEqual([
        user,
        acknowledged,
        acknowledged,
      ]);
    }
    expect(this.sent.filter(({ id }) => !this.acknowledged(id))).toEqual([]);
    expect(owed(stage), seed).toBe(0);
  }
}

function hidden(stage: ScoreStage): Hidden {
  return stage.room.room["parts"].memory.slices.private("scores") as Hidden;
}

function owed(stage: ScoreStage): number {
  const { ledger, sealed } = hidden(stage);
  return ledger.size + (sealed ? sealed.entries.length : 0);
}

/** Points, their flush, more points while it is under way, a leaving, the next flush. */
const story: ((game: Game) => void)[] = [
  (game) => game.award("ann", 3),
  (game) => game.award("bob", 5),
  (game) => game.stage.room.pass(50),
  (game) => game.award("ann", -1),
  (game) => game.stage.room.pass(5_000),
  (game) => game.award("cat", 2),
  (game) => game.stage.hear(),
  (game) => game.stage.room.pass(100),
  (game) => game.award("ann", 4),
  (game) => game.stage.room.pass(5_000),
  (game) => game.stage.hear(),
  (game) => game.stage.room.pass(100),
];

async function settleUp(game: Game): Promise<void> {
  game.stage.outside = "answers";
  game.stage.pass(130_000, 2_000);
  expect(game.stage.room.world.isDying).toBe(false);
}

describe("points that were acknowledged", () => {
  it("[R1] reach the scoreboard once, with a crash at every single write, send and call, each tried", async () => {
    const calm = await Game.open();
    const from = calm.stage.room.world.touches;
    for (const step of story) step(calm);
    const touches = calm.stage.room.world.touches - from;
    await settleUp(calm);
    calm.expectEqual();
    expect(touches).toBeGreaterThan(30);

    for (let at = 0; at < touches; at++) {
      const game = await Game.open();
      game.stage.room.world.dieAfter(at);
      for (const step of story) {
        step(game);
        await game.survive();
      }
      expect(game.crashes, `at ${at}`).toBe(1);
      await settleUp(game);
      game.expectEqual();
    }
  });

  it("[R1] and again where what was written is durable and nobody was told", async () => {
    for (let crashAt = 0; crashAt < story.length; crashAt++) {
      for (const durable of [1, 2, 3]) {
        const game = await Game.open();
        for (const [n, step] of story.entries()) {
          game.stage.room.settles = n !== crashAt;
          step(game);
          if (n === crashAt) {
            await game.survive(Math.min(durable, game.stage.room.world.pendingTurns) || 1);
            game.stage.room.settles = true;
            game.stage.room.settle();
          }
        }
        await settleUp(game);
        game.expectEqual();
      }
    }
  });

  it.each(["loses", "away"] as const)(
    "[R1] and again where the scoreboard %s what it is sent, at every call",
    async (outside) => {
      for (let at = 0; at < 60; at += 6) {
        const game = await Game.open(at + 1);
        game.stage.outside = outside;
        for (const step of story) step(game);
        game.stage.room.world.dieAfter(at);
        for (let n = 0; n < 20; n++) {
          game.award(USERS[n % 3] as string, n);
          game.stage.room.pass(2_000);
          game.stage.hear();
          await game.survive();
        }
        await settleUp(game);
        game.expectEqual();
      }
    },
  );

  it("[B1] go in batches of one number and one content, one under way at a time, whatever happens", async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const game = await Game.open(seed);
      const { random } = game.stage.room.world;
      for (let n = 0; n < 120; n++) {
        game.stage.outside = random.pick(["answers", "answers", "loses", "away"]);
        if (random.below(12) === 0) game.stage.room.world.dieAfter(random.below(12));
        game.award(random.pick(USERS), random.below(20) - 5);
        await game.survive();
        game.stage.room.pass(random.below(1_500));
        await game.survive();
        game.stage.hear();
        await game.survive();
      }
      // A death that was still to come does not come any more.
      game.stage.room.world.dieAfter(Number.POSITIVE_INFINITY);
      await settleUp(game);
      // The scoreboard of these tests throws at a second content for one number.
      game.expectEqual();
      const numbers = game.stage.boards.applied.map(({ n }) => n);
      expect(numbers).toEqual(numbers.map((_, at) => at + 1));
    }
  });
});

describe("the ledger", () => {
  it("[K1] takes a thousand awards to a hundred players in one call", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    const users = Array.from({ length: 100 }, (_, n) => `p${n}`);
    for (const user of users) stage.join(user);
    stage.pass(1_000);
    for (let n = 0; n < 1_000; n++) {
      stage.award(hanna, users[n % 100] as string, 1 + (n % 7));
      if (n % 20 === 0) stage.pass(80, 80);
    }
    stage.pass(20_000);
    expect(stage.boards.calls).toHaveLength(1);
    expect(stage.boards.calls[0]?.entries).toHaveLength(100);
  });

  it("[K1] is flushed FLUSH_MS after its first award, and sets no timer while nothing is owed", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    stage.join("ann");
    stage.pass(1_000);
    const idleAt = stage.room.world.alarmAt ?? 0;
    expect(idleAt).toBeGreaterThan(stage.room.now + 600_000);
    stage.award(hanna, "ann", 1);
    const from = stage.room.now;
    expect(stage.room.world.alarmAt).toBe(from + 5_000);
    stage.pass(4_900);
    stage.award(hanna, "ann", 1);
    expect(stage.boards.calls).toEqual([]);
    stage.pass(200);
    expect(stage.boards.calls).toMatchObject([{ v: 1, room: "main/hall", n: 1, entries: [{ points: 2 }] }]);
    stage.pass(60_000);
    expect(stage.boards.calls).toHaveLength(1);
    expect(stage.room.world.alarmAt).toBeGreaterThan(stage.room.now + 600_000);
  });

  it("[K2] is flushed within a second after a member left", async () => {
    const stage = await ScoreStage.open({ settings: { leaveGraceMs: 100 } });
    const hanna = stage.join("hanna", "host");
    const ann = stage.join("ann");
    stage.pass(1_000);
    stage.award(hanna, "ann", 1);
    stage.pass(500);
    stage.room.leave(ann);
    stage.pass(1_200);
    expect(stage.boards.calls).toHaveLength(1);
  });

  it("[K3] holds one entry a player, board and quarter of an hour, however long the outside is away", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    for (const user of USERS) stage.join(user);
    stage.pass(1_000);
    stage.outside = "away";
    for (let n = 0; n < 600; n++) {
      for (const user of USERS) stage.award(hanna, user, 1);
      stage.pass(1_000, 1_000);
    }
    expect(hidden(stage).sealed?.entries).toHaveLength(3);
    expect(hidden(stage).ledger.size).toBeLessThanOrEqual(6);
    const tries = stage.room.world.asked.length;
    expect(tries).toBeLessThan(30);
    stage.outside = "answers";
    stage.pass(70_000);
    expect(owed(stage)).toBe(0);
    for (const user of USERS) expect(stage.boards.total("main", user)).toBe(600);
    expect(stage.boards.applied.length).toBeLessThanOrEqual(3);
    expect(stage.room.world.largest.bytes).toBeLessThan(131_072);
  });

  it("[K3] tells of points on both sides of a quarter's end in two entries, each wholly on its side", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    const ann = stage.join("ann");
    const quarter = 900_000;
    const before = Math.ceil((stage.room.now + 5_000) / quarter) * quarter;
    stage.room.pass(before - stage.room.now - 500);
    stage.room.rejoin(ann, { expiresAt: stage.room.now + HOUR_MS });
    stage.award(hanna, "ann", 1);
    stage.pass(1_000);
    stage.award(hanna, "ann", 2);
    stage.pass(10_000);
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

  it("[K3] owes nothing for a sum that came back to 0", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    stage.join("ann");
    stage.pass(1_000);
    stage.award(hanna, "ann", 4);
    stage.award(hanna, "ann", -4);
    stage.pass(10_000);
    expect(stage.boards.entries).toEqual([]);
    expect(stage.room.world.alarmAt).toBeGreaterThan(stage.room.now + 600_000);
  });

  it("[K4] tells the room whose points were refused, also when the first answer was lost", async () => {
    for (const outside of ["answers", "loses"] as const) {
      const stage = await ScoreStage.open();
      const hanna = stage.join("hanna", "host");
      for (const user of USERS) stage.join(user);
      stage.pass(1_000);
      for (const user of USERS) stage.award(hanna, user, 5);
      stage.boards.banned.add("bob");
      stage.outside = outside;
      stage.pass(6_000);
      stage.boards.banned.clear();
      stage.outside = "answers";
      stage.pass(30_000);
      const told = hanna.read().events.filter(({ n }) => n === "refused");
      expect(told.map(({ d }) => d)).toEqual([{ users: ["bob"], count: 1 }]);
      expect(USERS.map((user) => stage.boards.total("main", user))).toEqual([5, 0, 5]);
      stage.room.check();
    }
  });

  it("[K5] takes the number that is expected, where the scoreboard has lost or had more than it knows", async () => {
    for (const n of [0, 7]) {
      const stage = await ScoreStage.open();
      const hanna = stage.join("hanna", "host");
      stage.join("ann");
      stage.pass(1_000);
      for (let round = 0; round < 3; round++) {
        stage.award(hanna, "ann", 1);
        stage.pass(6_000);
      }
      for (const receipt of stage.boards.receipts.values()) receipt.n = n;
      stage.award(hanna, "ann", 10);
      stage.pass(30_000);
      stage.award(hanna, "ann", 1);
      stage.pass(10_000);
      expect(stage.boards.total("main", "ann")).toBe(14);
      expect(stage.boards.applied.map((batch) => batch.n)).toEqual([1, 2, 3, n + 1, n + 2]);
      expect(owed(stage)).toBe(0);
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
    stage.pass(1_000);
    const hanna = stage.join("hanna", "host");
    expect(hanna.read().welcomes[0]?.feeds).toEqual(guests);
    const asked = [
      stage.award(hanna, "guest-1", 1),
      stage.award(hanna, "guest-1", 1, { board: "shared" }),
      stage.award(hanna, "guest-1", 1, { board: "own" }),
      stage.award(hanna, "guest-1", 0, { board: "shared" }),
    ];
    stage.pass(100);
    hanna.read();
    expect(asked.map((id) => hanna.acks.get(id)?.d)).toEqual([
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
    stage.room.check();
  });

  it.each(["socket", "HTTP"])(
    "[K6] a host's coming turns a guest's room in which nobody has scored, by %s, also over a crash",
    async (way) => {
      for (const durableTurns of [0, 1]) {
        const stage = await ScoreStage.open({ kind: scoreKind(GUESTS_BOARDS) });
        const guest = stage.room.joinAsGuest("guest-1");
        stage.pass(1_000);
        stage.room.settles = false;
        if (way === "socket") stage.join("hanna", "host");
        else stage.room.post("hanna", "presence", "set", { status: "here" });
        await stage.room.crash(durableTurns);
        stage.room.settles = true;
        const isTurned = durableTurns > 0;
        expect(stage.room.room.summary(stage.room.now).feeds.includes("main")).toBe(isTurned);
        const hanna = stage.join("hanna", "host");
        stage.room.rejoin(guest, { guest: true });
        stage.pass(100);
        expect(hanna.read().welcomes[0]?.feeds).toEqual(ALL);
        const id = stage.award(hanna, "guest-1", 1);
        stage.pass(100);
        hanna.read();
        expect(hanna.acks.get(id)?.d).toBeUndefined();
        await stage.room.crash();
        stage.pass(40_000);
        expect(stage.boards.calls.map(({ ownOnly }) => ownOnly)).toContain(undefined);
        expect(stage.boards.calls.every(({ ownOnly }) => ownOnly === undefined)).toBe(true);
        // Over snapshots as well.
        for (let n = 0; n < 600; n++) {
          stage.pass(100);
          stage.room.post("hanna", "presence", "set", { status: `${n}` });
        }
        await stage.room.crash();
        expect(stage.room.room.summary(stage.room.now).feeds).toEqual(ALL);
      }
    },
  );

  it("[K6] of a room that a guest opened, and in which somebody has scored, says so in every batch, and of another never", async () => {
    for (const isGuest of [true, false]) {
      const stage = await ScoreStage.open();
      if (isGuest) stage.room.joinAsGuest("guest-1");
      if (isGuest) stage.room.do(stage.room.tabs[0] as RoomTab, "scores", "award", OWN_AWARD);
      const hanna = stage.join("hanna", "host");
      if (!isGuest) stage.room.joinAsGuest("guest-1");
      stage.pass(1_000);
      stage.award(hanna, "guest-1", 1);
      stage.pass(6_000);
      await stage.room.crash();
      stage.room.rejoin(hanna, { expiresAt: stage.room.now + HOUR_MS });
      stage.pass(1_000);
      stage.award(hanna, "guest-1", 1);
      stage.pass(6_000);
      expect(stage.boards.calls.map(({ ownOnly }) => ownOnly)).toEqual(
        isGuest ? [true, true] : [undefined, undefined],
      );
    }
  });

  it("[K7] closes its epoch before the room is cleaned up, and the room's next life begins anew", async () => {
    const stage = await ScoreStage.open();
    const lives: (string | undefined)[] = [];
    for (let life = 0; life < 2; life++) {
      const hanna = stage.join("hanna", "host");
      stage.pass(1_000);
      stage.award(hanna, "hanna", 3);
      stage.pass(6_000);
      lives.push(hanna.read().epoch);
      stage.room.leave(hanna);
      for (let n = 0; n < 40 && !stage.room.room.isOver; n++) stage.pass(60_000, 1_000);
      expect(stage.room.room.isOver).toBe(true);
      expect(stage.room.world.keys()).toEqual([]);
      await stage.room.wake();
    }
    expect(new Set(lives).size).toBe(2);
    expect(stage.boards.calls.map(({ n, closing, entries }) => [n, closing, entries.length])).toEqual([
      [1, undefined, 1],
      [2, true, 0],
      [1, undefined, 1],
      [2, true, 0],
    ]);
    expect(stage.boards.total("main", "hanna")).toBe(6);
  });

  it("[K7] is settled whole by a closing, and a closed room that somebody came back to says so", async () => {
    const stage = await ScoreStage.open();
    const hanna = stage.join("hanna", "host");
    stage.pass(1_000);
    stage.award(hanna, "hanna", 3);
    stage.room.turn(() => stage.room.room.end(stage.room.now));
    stage.hear();
    expect(stage.room.room.isOver).toBe(true);
    expect(stage.boards.calls).toMatchObject([
      { n: 1, entries: [{ points: 3 }] },
      { n: 2, closing: true, entries: [] },
    ]);
    expect(stage.boards.calls[0]).not.toHaveProperty("closing");

    await stage.room.wake();
    const again = stage.join("hanna", "host");
    stage.pass(1_000);
    stage.award(again, "hanna", 1);
    stage.pass(6_000);
    stage.room.leave(again);
    // Forgotten, and somebody comes while its last batch is under way.
    while (stage.room.world.asked.length < 4) stage.room.pass(1_000);
    stage.join("ann");
    stage.hear();
    stage.pass(10_000);
    expect(stage.room.room.isOver).toBe(false);
    expect(stage.boards.calls.slice(2).map(({ n, closing }) => [n, closing])).toEqual([
      [1, undefined],
      [2, true],
      [3, undefined],
    ]);
    expect([...stage.boards.receipts.values()].map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("[K7] counts nothing twice in a room that was closed and heard of it only after its receipt had gone", async () => {
    for (const lost of [1, 2]) {
      const stage = await ScoreStage.open();
      const hanna = stage.join("hanna", "host");
      stage.pass(1_000);
      stage.award(hanna, "hanna", 3);
      stage.room.turn(() => stage.room.room.end(stage.room.now));
      const take = stage.boards.take.bind(stage.boards);
      stage.boards.take = (ask) => {
        stage.outside = stage.boards.calls.length + 1 === lost ? "loses" : "answers";
        return take(ask);
      };
      stage.hear();
      expect(stage.boards.calls).toHaveLength(lost);
      await stage.room.crash();
      // Days later: what was said to be over is swept, and nothing else is.
      stage.room.world.now += 3 * 86_400_000;
      for (const [life, { closed }] of stage.boards.receipts) if (closed) stage.boards.receipts.delete(life);
      stage.pass(60_000);
      expect(stage.room.room.isOver).toBe(true);
      expect(stage.boards.total("main", "hanna"), `lost ${lost}`).toBe(3);
    }
  });

  it("[K8] of ten thousand players is cheap to fold, and goes in batches that a database takes", () => {
    const seen = {
      at: 1_790_000_000_000,
      seq: 0,
      state: initial(),
      private: nothingHidden(),
      boards: BOARDS,
    } as Parameters<typeof flush>[0];
    const rules = BOARDS.main as Board;
    const users = Array.from({ length: 10_500 }, (_, n) => `player-${n}`);
    const fold = (decided: { private?: readonly { n: string; d: unknown }[] }) => {
      for (const event of decided.private ?? []) {
        seen.private = hide(seen.private, { ...event, at: seen.at } as Parameters<typeof hide>[1]);
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
      // Ten thousand players cost what the first few cost: with a copy of everybody for each it is a hundred times as much.
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
