import { findBoard } from "../boards/board-address";
import type { BoardBook } from "../boards/board-book";
import { SEASONS } from "../platform/answers/answer-kinds";
import { boardAnswers, firstPages } from "../platform/answers/held-answers";

/** What is held of these boards is no longer the newest: somebody changed them by hand. */
export async function changedBoards(book: BoardBook, boards: Iterable<string>, now: number): Promise<void> {
  const outdated = [...new Set(boards)].map((board) => {
    const rules = findBoard(book, board)?.rules;
    return boardAnswers.outdate(board, rules ? firstPages(rules, board, now) : [], now);
  });
  await Promise.all(outdated);
}

export async function changedSeasons(now: number): Promise<void> {
  await boardAnswers.outdate(SEASONS, [SEASONS], now);
}
