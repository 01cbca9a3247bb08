/** A number that rises with every change of a ranking. Reads one row, or none if the ranking has no scores yet. */
export async function readVersion(db: D1Database, board: string, period: string): Promise<number> {
  const found = await db
    .prepare("select version from rankings where board = ?1 and period = ?2")
    .bind(board, period)
    .first<{ version: number }>();
  return found?.version ?? 0;
}
