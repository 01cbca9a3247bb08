import { chat } from "../../src/features/chat/decide";
import { moderation } from "../../src/features/moderation/decide";
import { presence } from "../../src/features/presence/decide";
import { scores } from "../../src/features/scores/decide";
import type { Boards } from "../../src/room/api/board";
import { defineKind, type Kind } from "../../src/room/api/kind";
import { debtFeature } from "../support/effect-feature";
import { type LabState, labFeature } from "../support/room-features";

/** What rooms of both releases feed. */
export const boards = {
  main: { combine: "sum", periods: ["all", "day"] },
  capped: { combine: "sum", maxPerDay: 8, periods: ["all", "day"] },
  best: { combine: "best", tie: "highest", periods: ["all", "day"] },
  last: { combine: "last", order: "lowest", periods: ["all", "week"], feeds: "kind" },
} as const satisfies Boards;

/** The two releases of a room's code that a deployment moves between. Each changes what the other stored. */
export const releases: readonly [Kind, Kind] = [makeRelease("1"), makeRelease("2")];

function makeRelease(version: string): Kind {
  const migrate = (old: unknown, from: string) => {
    const state = old as LabState;
    return { ...state, rang: [...state.rang, `from ${from}`].slice(-20) };
  };
  return defineKind({
    name: "main",
    boards,
    features: [presence, chat, moderation, scores, labFeature({ version, migrate }), debtFeature()],
  });
}
