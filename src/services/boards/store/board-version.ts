/** What tells whether a ranking has changed: one row read, or none where nobody has scored yet. */
export async function readVersion(db: D1Database, board: string, period: string): Promise<number> {
  const found = await db
    .prepare("select version from rankings where board = ?1 and period = ?2")
    .bind(board, period)
    .first<{ version: number }>();
  return found?.version ?? 0;
}
