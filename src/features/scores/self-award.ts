import type { Board } from "../../room/api/board";
import { type Refusal, refuse } from "../../room/api/feature";
import type { Standing } from "./private-state";

const WINDOW_MS = 60_000;
const SECOND_MS = 1_000;

/**
 * A player's own award, where the board takes any: bounded at once and within any minute. Of a minute's awards the seconds
 * are kept, each until all of it is a minute old.
 */
export function checkSelfAward(
  board: Board,
  before: Standing | undefined,
  points: number,
  at: number,
): { ok: true; own: [number, number][] } | { ok: false; refusal: Refusal } {
  const { own } = board;
  const no = (refusal: Refusal) => ({ ok: false as const, refusal });
  if (!own) return no(refuse("not_allowed", "Only a host awards points here."));
  if (points < 0 || points > own.points) {
    return no(refuse("not_allowed", `You may enter 0 to ${own.points} points at once here.`));
  }
  const within = (before?.own ?? []).filter(([second]) => endOf(second) > at);
  // Points where they add up; where a game stands for itself, games.
  const amount = board.combine === "sum" ? points : 1;
  let sum = within.reduce((all, [, some]) => all + some, amount);
  let freeAt = at;
  for (const [second, some] of within) {
    if (sum <= own.perMinute) break;
    sum -= some;
    freeAt = endOf(second);
  }
  if (freeAt > at) {
    const unit = board.combine === "sum" ? "points" : "games";
    return no(refuse("rate_limited", `You may enter ${own.perMinute} ${unit} a minute here.`, freeAt - at));
  }
  const now = Math.floor(at / SECOND_MS);
  const others = within.filter(([second]) => second !== now);
  const soFar = within.find(([second]) => second === now)?.[1] ?? 0;
  return {
    ok: true,
    own: [...others.map(([s, some]): [number, number] => [s, some]), [now, soFar + amount]],
  };
}

function endOf(second: number): number {
  return (second + 1) * SECOND_MS + WINDOW_MS;
}
