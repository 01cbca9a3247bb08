import { boardsFed } from "../../protocol/board-names";
import { rateOf } from "../../protocol/rates";
import type { Board } from "../../room/api/board";
import { type ActionContext, defineFeature, type Refusal, refuse } from "../../room/api/feature";
import {
  BATCH,
  FLUSH,
  flush,
  flushAfterLeaving,
  flushWithin,
  onBatchAnswer,
  reopen,
  requestBatch,
  type ScoresOutcome,
} from "./flush";
import {
  hiddenParts,
  initialPrivate,
  type PrivateState,
  reducePrivate,
  type Standing,
  standingKey,
  standings,
} from "./private-state";
import { scoresSchema } from "./schema";
import { checkSelfAward } from "./self-award";
import { initial, reduce, type ScoresState, topOf, version } from "./state";
import { type Context, Tally } from "./tally";

/**
 * A room's players, over all its life: 43 MB of memory, a third of what an object has, and 5 MB more while a snapshot is
 * taken (`npm run bench -- players`). Nobody new scores past it.
 */
const MAX_PLAYERS = 100_000;

export const scores = defineFeature({
  name: "scores",
  version,
  schema: scoresSchema,
  shared: { initial, reduce },
  private: { initial: initialPrivate, reduce: reducePrivate, parts: hiddenParts },
  actions: {
    award: {
      maxBytes: 1_024,
      rate: rateOf("scores.award"),
      decide(asked, { user, points, tie, board }) {
        const place = findBoard(asked, board);
        if ("refused" in place) return place;
        if (tie !== undefined && !hasTie(place.rules)) {
          return refuse("bad_data", `The board ${place.board} has no second column.`);
        }
        const own = checkOwn(asked, place, user, points);
        if (own && "refused" in own) return own;
        const name = nameOf(asked, user);
        if (name === undefined) return refuse("unknown_user", "Nobody of that name has been in this room.");
        if (asked.private.standings.size >= MAX_PLAYERS && !standingOf(asked, place.board, user)) {
          return refuse("full", `${MAX_PLAYERS} have scored in this room, and no more can.`);
        }
        const tally = new Tally(asked);
        const total = tally.add({ ...place, user, name, points, tie, ...(own ? { own } : {}) });
        if (total === undefined) {
          return refuse("conflict", "With these points the total would no longer be a number that is exact.");
        }
        const decided = withFlush(asked, tally);
        const isSilent = !decided.events?.length;
        const limits = reachOf(asked, place);
        if (!isSilent && !limits) return decided;
        return { ...decided, answer: { ...(isSilent ? { total } : {}), ...limits } };
      },
    },
  },

  /** Another feature's points: its own decision, so nobody is asked whether they may. What cannot be counted is left out. */
  onAwards(seen, awards) {
    const tally = new Tally(seen);
    for (const { user, points, tie, board } of awards) {
      const place = findBoard(seen, board);
      const name = nameOf(seen, user);
      if ("refused" in place || name === undefined) continue;
      if (seen.private.standings.size >= MAX_PLAYERS && !standingOf(seen, place.board, user)) continue;
      tally.add({ ...place, user, name, points, tie });
    }
    return withFlush(seen, tally);
  },

  hasPoints: ({ private: { n, players, ledger } }) =>
    n > 0 || ledger.size > 0 || Object.keys(players).length > 0,

  /** Somebody new, or with another name than the one that stands on the boards. */
  joined(seen, { user, name }) {
    const { state, private: hidden } = seen;
    const isOther = Object.keys(hidden.players).some(
      (board) => (standingOf(seen, board, user)?.name ?? name) !== name,
    );
    const isRanked = Object.keys(state.boards).some((board) =>
      topOf(state, board).some((ranked) => ranked.user === user),
    );
    const reopening = reopen(seen);
    return {
      ...reopening,
      private: [
        ...(isOther ? [{ n: "named" as const, d: { user, name } }] : []),
        ...(reopening.private ?? []),
      ],
      events: isOther && isRanked ? [{ n: "renamed", d: { user, name } }] : [],
    };
  },

  left: (seen) => flushAfterLeaving(seen),
  onTimer: (seen, timer) => (timer === FLUSH ? flush(seen) : {}),
  beforeClose: (seen, isFinal) => flush(seen, isFinal),
  effects: { [BATCH]: { request: requestBatch, onAnswer: onBatchAnswer } },
});

type NamedBoard = { board: string; rules: Board };

/** The board that is named, or the kind's first. */
function findBoard({ boards }: Pick<Context, "boards">, named: string | undefined): NamedBoard | Refusal {
  const board = named ?? Object.keys(boards)[0];
  const rules = board !== undefined && Object.hasOwn(boards, board) && boards[board];
  if (board !== undefined && rules) return { board, rules };
  return refuse("bad_data", named === undefined ? "This room has no board." : "This room has no such board.");
}

/** Which rankings these points reach, where that is less than the board feeds. */
function reachOf({ room, openedByGuest }: Context, { board: name, rules }: NamedBoard) {
  const board = { name, feeds: rules.feeds ?? "both" };
  const feeds = boardsFed(board, room.id, openedByGuest);
  if (feeds.length === boardsFed(board, room.id, false).length) return undefined;
  return feeds.length > 0 ? { feeds } : { feeds, kept: false };
}

function hasTie(rules: Board): boolean {
  return rules.combine !== "sum" && rules.tie !== undefined;
}

/** Nothing for who leads the room; for a player, what they have entered themselves, or why not. */
function checkOwn(
  asked: ActionContext<ScoresState, PrivateState>,
  { board, rules }: NamedBoard,
  user: string,
  points: number,
): [number, number][] | Refusal | undefined {
  const { by, at } = asked;
  if (by.role !== "player") return undefined;
  if (user !== by.user) return refuse("not_allowed", "Only a host awards points to others.");
  const judged = checkSelfAward(rules, standingOf(asked, board, user), points, at);
  return judged.ok ? judged.own : judged.refusal;
}

/** Of whoever is here, or has scored here before. */
function nameOf(seen: Context, user: string): string | undefined {
  const here = seen.members.get(user)?.name;
  if (here !== undefined) return here;
  for (const board of Object.keys(seen.private.players)) {
    const name = standingOf(seen, board, user)?.name;
    if (name !== undefined) return name;
  }
  return undefined;
}

function standingOf(seen: Context, board: string, user: string): Standing | undefined {
  return standings.find(seen.private.standings, standingKey(board, user));
}

function withFlush(seen: Context, tally: Tally): ScoresOutcome {
  const { events, private: kept } = tally.outcome();
  if (kept.length === 0) return {};
  const due = flushWithin(seen, seen.flushMs);
  return { ...due, events, private: [...kept, ...(due.private ?? [])] };
}
