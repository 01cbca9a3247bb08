import type { BatchEntry } from "../../protocol/batch";
import { MAX_POINTS } from "../../protocol/limits";
import type { Board } from "../../room/api/board";
import type { Emit, FeatureContext } from "../../room/api/feature";
import {
  ledger,
  ledgerKey,
  type PrivateState,
  playersOn,
  type Standing,
  standingKey,
  standings,
} from "./private-state";
import type { scoresSchema } from "./schema";
import { type Change, isBefore, placed, type Ranked, type Rule, type ScoresState, TOP, topOf } from "./state";

export type Context = FeatureContext<ScoresState, PrivateState>;
type Event = Emit<(typeof scoresSchema)["events"]>;
type PrivateEvent = Emit<(typeof scoresSchema)["privateEvents"]>;

export interface Scoring {
  board: string;
  rules: Board;
  user: string;
  name: string;
  points: number;
  tie: number | undefined;
  own?: [number, number][];
}

/**
 * Awards as they turn out, one after another: totals, the top, and what is owed. Decided here and only kept by the
 * reducers, which know of no board how it combines.
 */
export class Tally {
  readonly #private: PrivateEvent[] = [];
  readonly #boards = new Map<string, OpenBoard>();
  readonly #standings = new Map<string, Standing>();
  readonly #ledgerChanges = new Map<string, BatchEntry | null>();
  readonly #newcomers = new Map<string, number>();

  constructor(private readonly context: Context) {}

  /** Answers the player's total now, or nothing where it would no longer be exact. */
  add(scoring: Scoring): number | undefined {
    const { board, rules, user, name, points, tie, own } = scoring;
    // A room that is ahead of the world for a while owes its points to the day that it is outside.
    const { wallAt } = this.context;
    const key = standingKey(board, user);
    const before = this.#standings.get(key) ?? standings.find(this.context.private.standings, key);
    const total = rules.combine === "sum" ? (before?.total ?? 0) + points : points;
    if (Math.abs(total) > MAX_POINTS) return undefined;
    if (rules.combine === "sum" && points === 0) return before?.total ?? 0;

    const rule = ruleOf(rules);
    const held = this.#board(board, rule);
    const game = { total, tie: rule.tie ? (tie ?? 0) : 0, seq: this.#seqOf(board) };
    const isBetter = !before || isBefore({ ...game, seq: before.seq }, before, rule);
    const isOther = before?.total !== game.total || before.tie !== game.tie;
    const stands = rules.combine === "best" ? isBetter : isOther;
    if (stands) {
      const row = { board, user, name, ...game };
      this.#standings.set(key, row);
      if (!before) this.#newcomers.set(board, (this.#newcomers.get(board) ?? 0) + 1);
      const isRanked = held.top.some((ranked) => ranked.user === user);
      if (isRanked && !isBetter) held.fallers.add(user);
      this.#change(board, { user, name, total: game.total, ...(rule.tie ? { tie: game.tie } : {}) });
    }
    this.#private.push({
      n: "added",
      d: {
        board,
        user,
        name,
        ...(stands ? { stands: game } : {}),
        ...this.#ledgerChange(scoring, rule, game.seq, wallAt),
        ...(own ? { own } : {}),
      },
    });
    return stands ? game.total : before?.total;
  }

  /** What everybody is told, and what is kept; who moves up because somebody fell is among the changes. */
  outcome(): { events: Event[]; private: PrivateEvent[] } {
    const events: Event[] = [];
    for (const [board, held] of this.#boards) {
      if (held.changes.length === 0) continue;
      for (const up of this.#movingUp(board, held)) held.changes.push(up);
      const { rule, changes } = held;
      const isPlain = rule.order === undefined && rule.tie === undefined;
      events.push({ n: "scored", d: { board, changes, ...(isPlain ? {} : { rule }) } });
    }
    return { events, private: this.#private };
  }

  #board(board: string, rule: Rule): OpenBoard {
    const held = this.#boards.get(board);
    if (held) return held;
    const fresh: OpenBoard = { rule, top: topOf(this.context.state, board), changes: [], fallers: new Set() };
    this.#boards.set(board, fresh);
    return fresh;
  }

  /** The number that this board's event will have: one event a board, in the order in which they were first touched. */
  #seqOf(board: string): number {
    return this.context.seq + 1 + [...this.#boards.keys()].indexOf(board);
  }

  #change(board: string, change: Change): void {
    const held = this.#boards.get(board);
    if (!held) return;
    held.top = placed(held.top, change, this.#seqOf(board), held.rule);
    held.changes.push(change);
  }

  /** A sum of this quarter of an hour, its best game, or its last. Independent of the total: a day's board wants the day's best. */
  #ledgerChange({ board, rules, user, name, points, tie }: Scoring, rule: Rule, seq: number, at: number) {
    const key = ledgerKey(board, user, at);
    const known = this.#ledgerChanges.get(key);
    const before = known !== undefined ? known : ledger.find(this.context.private.ledger, key);
    const game = {
      points,
      ...(rule.tie ? { tie: tie ?? 0 } : {}),
      lastAt: Math.max(at, before?.lastAt ?? at),
      seq,
    };
    if (before && rules.combine === "best" && !isBefore(asStanding(game), asStanding(before), rule))
      return {};
    const sum = rules.combine === "sum" ? (before?.points ?? 0) + points : points;
    const isNothing = rules.combine === "sum" && sum === 0;
    const owes = { ...game, points: sum, firstAt: before?.firstAt ?? at };
    this.#ledgerChanges.set(key, isNothing ? null : { board, user, name, ...owes });
    return isNothing ? { clears: at } : { owes };
  }

  /**
   * Whoever of the top fell may have fallen behind somebody outside it. Those who did not fall are before all outside: so
   * only if a faller came to be among the last places of the hundred is it worth looking at everybody.
   */
  #movingUp(board: string, { top, fallers, rule }: OpenBoard): Change[] {
    const players = playersOn(this.context.private, board) + (this.#newcomers.get(board) ?? 0);
    const isLow = top.slice(TOP - fallers.size).some(({ user }) => fallers.has(user));
    if (fallers.size === 0 || players <= top.length || !isLow) return [];
    const inside = new Set(top.map(({ user }) => user));
    const best: Standing[] = [];
    for (const row of standings.rows(this.context.private.standings)) {
      if (row.board !== board || inside.has(row.user)) continue;
      const at = best.findIndex((other) => isBefore(row, other, rule));
      best.splice(at < 0 ? best.length : at, 0, row);
      if (best.length > fallers.size) best.pop();
    }
    return best.map(({ user, name, total, tie, seq }) => ({
      user,
      name,
      total,
      ...(rule.tie ? { tie } : {}),
      seq,
    }));
  }
}

interface OpenBoard {
  rule: Rule;
  /** With all changes so far, and not cut. */
  top: readonly Ranked[];
  changes: Change[];
  fallers: Set<string>;
}

export function ruleOf(board: Board): Rule {
  const tie = board.combine === "sum" ? undefined : board.tie;
  return {
    ...(board.order === "lowest" ? { order: board.order } : {}),
    ...(tie === undefined ? {} : { tie }),
  };
}

/** Of two games of one player the earlier stands where they are equal. */
function asStanding({ points, tie }: { points: number; tie?: number }) {
  return { total: points, tie: tie ?? 0, seq: 0 };
}
