import type { BoardPeriod, Boards } from "../../../room/api/board";

/** A declared board with every default filled in. */
export interface BoardRules {
  readonly name: string;
  readonly kind: string;
  readonly combine: "sum" | "best" | "last";
  readonly order: "highest" | "lowest";
  readonly tie: "highest" | "lowest" | undefined;
  readonly periods: readonly BoardPeriod[];
  readonly timeZone: string;
  readonly feeds: "both" | "kind" | "room";
  readonly maxPerDay: number | undefined;
}

/** The boards of every kind. */
export interface BoardRegistry {
  /** A board that rooms of this kind feed. */
  find(kind: string, board: string): BoardRules | undefined;
  readonly all: readonly BoardRules[];
}

/** Throws if rooms of one kind could feed a board of another kind. */
export function createBoardRegistry(kinds: readonly { name: string; boards?: Boards }[]): BoardRegistry {
  const kindNames = new Set(kinds.map(({ name }) => name));
  const byName = new Map<string, BoardRules>();
  for (const { name: kind, boards = {} } of kinds) {
    for (const [name, board] of Object.entries(boards)) {
      const existing = byName.get(name);
      // `<board>:<room>` is a room's own board. Two kinds with one board name would share it between rooms of the same id.
      if (existing)
        throw new TypeError(`The board "${name}" belongs to "${existing.kind}" and to "${kind}".`);
      if (name !== kind && kindNames.has(name)) {
        throw new TypeError(`The board "${name}" of "${kind}" has the name of another kind.`);
      }
      byName.set(name, {
        name,
        kind,
        combine: board.combine,
        order: board.order ?? "highest",
        tie: board.combine === "sum" ? undefined : board.tie,
        periods: board.periods ?? ["all"],
        timeZone: board.timeZone ?? "UTC",
        feeds: board.feeds ?? "both",
        maxPerDay: board.combine === "sum" ? board.maxPerDay : undefined,
      });
    }
  }
  return {
    all: [...byName.values()],
    find: (kind, board) => {
      const rules = byName.get(board);
      return rules?.kind === kind ? rules : undefined;
    },
  };
}

/** The rules of a stored board: a kind's, or a room's own. */
export function findRules(registry: BoardRegistry, board: string): BoardRules | undefined {
  const [name] = board.split(":");
  return registry.all.find((rules) => rules.name === name);
}
