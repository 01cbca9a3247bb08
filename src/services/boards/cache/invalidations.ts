import { LruMap } from "../../../lib/lru";

interface Invalidation {
  generation: number;
  at: number;
}

/** Boards whose last change is remembered, a hundred bytes each. */
const MAX_BOARDS = 10_000;

/**
 * When this process last learned that a board has changed. Anything that was fetched before then is stale, whether it has been
 * answered or is in flight. Generations order what happens in the same millisecond.
 */
export class Invalidations {
  #generation = 0;
  /** For boards that are no longer remembered: anything older than this counts as stale. */
  #floor: Invalidation = { generation: 0, at: Number.NEGATIVE_INFINITY };
  readonly #byBoard = new LruMap<string, Invalidation>(MAX_BOARDS, (_, { generation, at }) => {
    this.#floor = { generation, at: Math.max(at, this.#floor.at) };
  });

  invalidate(board: string, now: number): void {
    this.#byBoard.set(board, { generation: this.nextGeneration(), at: now });
  }

  /** The generation of a fetch that starts now. */
  nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }

  /** Fetches of an older generation are stale. */
  generationOf(board: string): number {
    return (this.#byBoard.peek(board) ?? this.#floor).generation;
  }

  /** For values that were read elsewhere and have no generation. */
  invalidatedAt(board: string): number {
    return (this.#byBoard.peek(board) ?? this.#floor).at;
  }
}
