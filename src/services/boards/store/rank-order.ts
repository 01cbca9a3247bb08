/** The order of every ranking, as columns. `scores_in_order` and the key of `spans` use it. */
export const ORDER = ["score", "tie", "reached_at", "reached_seq", "user"] as const;

/** A position in that order. A page can continue after it, even if players have moved meanwhile. */
export type RankKey = readonly [
  score: number,
  tie: number,
  reachedAt: number,
  reachedSeq: number,
  user: string,
];

/** The columns, with a table alias if the statement has several tables. */
export function keyColumns(alias?: string): string {
  return ORDER.map((column) => (alias === undefined ? column : `${alias}.${column}`)).join(", ");
}

/** For `order by`, in reverse. */
export function keyColumnsDescending(alias: string): string {
  return ORDER.map((column) => `${alias}.${column} desc`).join(", ");
}

/**
 * The columns for the right side of a comparison. A bare column has a type affinity, for which SQLite seeks by the score alone
 * and reads every player with that score. The plus removes the affinity, and SQLite seeks the whole tuple in the index.
 */
export function indexedTuple(alias: string): string {
  return ORDER.map((column) => `+${alias}.${column}`).join(", ");
}

/** The factor that turns points so that less is better, and back. */
export function sortSign(order: "highest" | "lowest"): 1 | -1 {
  return order === "highest" ? -1 : 1;
}
