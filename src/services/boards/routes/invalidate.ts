import { SEASONS_KEY } from "../cache/cache-kinds";
import { boardCaches, firstPageKeys } from "../cache/caches";
import type { BoardRegistry } from "../store/board-registry";
import { resolveBoard } from "../store/resolve";

/** Marks what is cached of these boards as stale, because an admin has changed them. */
export async function invalidateBoards(
  registry: BoardRegistry,
  boards: Iterable<string>,
  now: number,
): Promise<void> {
  const invalidating = [...new Set(boards)].map((board) => {
    const rules = resolveBoard(registry, board)?.rules;
    return boardCaches.invalidate(board, rules ? firstPageKeys(rules, board, now) : [], now);
  });
  await Promise.all(invalidating);
}

export async function invalidateSeasons(now: number): Promise<void> {
  await boardCaches.invalidate(SEASONS_KEY, [SEASONS_KEY], now);
}
