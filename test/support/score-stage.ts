import { presence } from "../../src/features/presence/decide";
import { scores } from "../../src/features/scores/decide";
import type { Ranked, ScoresState } from "../../src/features/scores/state";
import type { Boards } from "../../src/room/api/board";
import type { AnyFeature } from "../../src/room/api/feature";
import { defineKind, type Kind } from "../../src/room/api/kind";
import { MemoryBoards } from "./memory-boards";
import { RoomStage } from "./room-stage";
import type { RoomTab } from "./room-tab";

export const BOARDS: Boards = {
  main: { combine: "sum" },
  best: { combine: "best", tie: "lowest" },
  last: { combine: "last" },
  race: { combine: "best", order: "lowest" },
  own: { combine: "sum", own: { points: 10, perMinute: 25 } },
  games: { combine: "best", own: { points: 1_000, perMinute: 3 } },
};

export function scoreKind(boards: Boards = BOARDS, more: readonly AnyFeature[] = []): Kind {
  return defineKind({
    name: "main",
    features: [presence, scores, ...more],
    boards,
    rules: { "scores.award": null, "presence.set": null },
  });
}

/** A room whose kind has boards, Hanna who leads it, and a scoreboard that takes what it sends. */
export class ScoreStage {
  readonly boards = new MemoryBoards();
  /** What the scoreboard does with a call: applies and answers, applies without an answer, or does not apply. */
  scoreboard: "answers" | "loses" | "away" = "answers";
  #deliveredCount = 0;

  private constructor(readonly room: RoomStage) {}

  static async open(options: Parameters<typeof RoomStage.open>[0] = {}): Promise<ScoreStage> {
    return new ScoreStage(await RoomStage.open({ kind: scoreKind(), ...options }));
  }

  /** Who is not in a hurry to leave. */
  join(user: string, role: "player" | "host" = "player"): RoomTab {
    return this.room.join(user, { role, expiresAt: this.room.now + 10 ** 12 });
  }

  award(tab: RoomTab, user: string, points: number, more: { board?: string; tie?: number } = {}): string {
    return this.room.do(tab, "scores", "award", { user, points, ...more });
  }

  /** Time passes in steps, and the scoreboard gets the room's effects. */
  advance(ms: number, step = 100): void {
    for (let passed = 0; passed < ms; passed += step) {
      this.room.advance(Math.min(step, ms - passed));
      this.deliverEffects();
    }
  }

  /** The effects that left the room since the last delivery. */
  deliverEffects(): void {
    const { startedEffects: asked } = this.room.runtime;
    while (this.#deliveredCount < asked.length) {
      const next = asked[this.#deliveredCount++];
      if (next?.name !== "scores/batch") continue;
      if (this.scoreboard === "away") {
        this.room.failEffect(next);
        continue;
      }
      const answer = this.boards.apply(next.request);
      if (this.scoreboard === "answers") this.room.answerEffect(next, { ...answer });
    }
  }

  top(tab: RoomTab, board = "main"): readonly Ranked[] {
    return (tab.read().slices.scores as ScoresState).boards[board]?.top ?? [];
  }
}
