export const version = "bd96562b";

/** Shared state tells the first so many; the others' totals are the room's alone. */
export const TOP = 100;

export interface Ranked {
  user: string;
  name: string;
  total: number;
  /** On boards that tell equals apart by a second column. */
  tie?: number;
  /** The event with which the total was reached. */
  seq: number;
}
/** Which end is better; `highest` if absent. Without `tie` there is no second column. */
export interface Rule {
  order?: "highest" | "lowest" | undefined;
  tie?: "highest" | "lowest" | undefined;
}
export interface ScoresState {
  boards: Readonly<Record<string, Rule & { top: readonly Ranked[] }>>;
}
export interface Change {
  user: string;
  name: string;
  total: number;
  tie?: number | undefined;
  /** Absent: reached with this event. */
  seq?: number | undefined;
}
export type ScoresEvent = { seq: number; at: number } & (
  | { n: "scored"; d: { board: string; changes: readonly Change[]; rule?: Rule | undefined } }
  | { n: "renamed"; d: { user: string; name: string } }
  | { n: "refused"; d: { users: readonly string[]; count: number } }
);

export function initial(): ScoresState {
  return { boards: {} };
}

export function reduce(state: ScoresState, event: ScoresEvent): ScoresState {
  switch (event.n) {
    case "scored": {
      const { board, changes, rule = {} } = event.d;
      let top = topOf(state, board);
      for (const change of changes) top = placed(top, change, event.seq, rule);
      return { boards: { ...state.boards, [board]: { ...rule, top: top.slice(0, TOP) } } };
    }
    case "renamed": {
      const { user, name } = event.d;
      const boards = Object.entries(state.boards).map(([board, held]) => [
        board,
        { ...held, top: held.top.map((ranked) => (ranked.user === user ? { ...ranked, name } : ranked)) },
      ]);
      return { boards: Object.fromEntries(boards) };
    }
    default:
      return state;
  }
}

export function topOf(state: ScoresState, board: string): readonly Ranked[] {
  return (Object.hasOwn(state.boards, board) && state.boards[board]?.top) || [];
}

/** The list with one change in it, however long it becomes. Who stays where they were keeps their place among equals. */
export function placed(top: readonly Ranked[], change: Change, seq: number, rule: Rule): readonly Ranked[] {
  const { user, name, total, tie } = change;
  const before = top.find((ranked) => ranked.user === user);
  const isSame = before && before.total === total && (before.tie ?? 0) === (tie ?? 0);
  const reached = isSame ? before.seq : (change.seq ?? seq);
  const ranked: Ranked = {
    user,
    name,
    total,
    ...(tie === undefined ? {} : { tie }),
    seq: reached,
  };
  if (isSame) return top.map((other) => (other === before ? ranked : other));
  const others = top.filter((other) => other !== before);
  const at = others.findIndex((other) => isBefore(ranked, other, rule));
  return at < 0 ? [...others, ranked] : [...others.slice(0, at), ranked, ...others.slice(at)];
}

type Standing = Pick<Change, "total" | "tie"> & { seq: number };

/** By points, then by the second column, then by who was there first. */
export function isBefore(a: Standing, b: Standing, { order, tie }: Rule): boolean {
  if (a.total !== b.total) return order === "lowest" ? a.total < b.total : a.total > b.total;
  const [x, y] = [a.tie ?? 0, b.tie ?? 0];
  if (tie && x !== y) return tie === "lowest" ? x < y : x > y;
  return a.seq < b.seq;
}
