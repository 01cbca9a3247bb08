/** The order of every ranking, as columns: `scores_in_order` and the key of `spans` have it alike. */
export const ORDER = ["score", "tie", "reached_at", "reached_seq", "user"] as const;

/** A place in that order. What stands behind it is found by it, whoever moves meanwhile. */
export type RankKey = readonly [
  score: number,
  tie: number,
  reachedAt: number,
  reachedSeq: number,
  user: string,
];

/** The columns, of one table where several are at hand. */
export function keyColumns(alias?: string): string {
  return ORDER.map((column) => (alias === undefined ? column : `${alias}.${column}`)).join(", ");
}

/** `order by` of the same, backwards. */
export function keyColumnsDescending(alias: string): string {
  return ORDER.map((column) => `${alias}.${column} desc`).join(", ");
}

/**
 * The same as the right side of a comparison. A bare column there has a type of its own, for which SQLite seeks by the score
 * alone and reads everybody who shares it; with the plus it has none, and the whole tuple is sought in the index.
 */
export function indexedTuple(alias: string): string {
  return ORDER.map((column) => `+${alias}.${column}`).join(", ");
}

/** The factor that turns points so that less is better, and back. */
export function sortSign(order: "highest" | "lowest"): 1 | -1 {
  return order === "highest" ? -1 : 1;
}
