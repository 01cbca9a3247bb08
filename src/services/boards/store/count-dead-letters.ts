/** The number of dead letters that wait for an operator, up to `max`: they are counted one by one. */
export async function countDeadLetters(db: D1Database, max: number): Promise<number> {
  const found = await db
    .prepare("select count(*) as aside from (select 1 from set_aside where applied_at is null limit ?1)")
    .bind(max)
    .first<{ aside: number }>();
  return found?.aside ?? 0;
}
