interface Invalidation {
  generation: number;
  at: number;
}

/** Boards of which it is remembered when they changed, a hundred bytes each. */
const MAX_BOARDS = 10_000;

/**
 * When this process last heard that a board has changed. Whatever was asked of the database before then is old, whether it has
 * been answered or is still under way; turns tell before from after where a clock stands still.
 */
export class Invalidations {
  readonly #byBoard = new Map<string, Invalidation>();
  #generation = 0;
  /** Of boards that are no longer remembered: whatever is older than this counts as old. */
  #floor: Invalidation = { generation: 0, at: Number.NEGATIVE_INFINITY };

  invalidate(board: string, now: number): void {
    this.#generation += 1;
    this.#byBoard.delete(board);
    this.#byBoard.set(board, { generation: this.#generation, at: now });
    const [oldest] = this.#byBoard;
    if (!oldest || this.#byBoard.size <= MAX_BOARDS) return;
    const [name, invalidation] = oldest;
    this.#byBoard.delete(name);
    this.#floor = { generation: invalidation.generation, at: Math.max(invalidation.at, this.#floor.at) };
  }

  /** The turn of a question that is asked now. */
  nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }

  /** Older turns are old. */
  generationOf(board: string): number {
    return (this.#byBoard.get(board) ?? this.#floor).generation;
  }

  /** For what was read elsewhere and knows no turn. */
  invalidatedAt(board: string): number {
    return (this.#byBoard.get(board) ?? this.#floor).at;
  }
}
