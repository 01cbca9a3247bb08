interface News {
  turn: number;
  at: number;
}

/** Boards of which it is remembered when they changed, a hundred bytes each. */
const MAX_BOARDS = 10_000;

/**
 * When this process last heard that a board has changed. Whatever was asked of the database before then is old, whether it has
 * been answered or is still under way; turns tell before from after where a clock stands still.
 */
export class BoardNews {
  readonly #news = new Map<string, News>();
  #turn = 0;
  /** Of boards that are no longer remembered: whatever is older than this counts as old. */
  #floor: News = { turn: 0, at: Number.NEGATIVE_INFINITY };

  tell(board: string, now: number): void {
    this.#turn += 1;
    this.#news.delete(board);
    this.#news.set(board, { turn: this.#turn, at: now });
    const [oldest] = this.#news;
    if (!oldest || this.#news.size <= MAX_BOARDS) return;
    const [name, news] = oldest;
    this.#news.delete(name);
    this.#floor = { turn: news.turn, at: Math.max(news.at, this.#floor.at) };
  }

  /** The turn of a question that is asked now. */
  begin(): number {
    this.#turn += 1;
    return this.#turn;
  }

  /** Older turns are old. */
  turnOf(board: string): number {
    return (this.#news.get(board) ?? this.#floor).turn;
  }

  /** For what was read elsewhere and knows no turn. */
  atOf(board: string): number {
    return (this.#news.get(board) ?? this.#floor).at;
  }
}
