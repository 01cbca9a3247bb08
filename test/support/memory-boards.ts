import type { Batch, BatchAnswer, BatchEntry } from "../../src/protocol/batch";

/** The scoreboard as rooms see it: receipts with their refusals, and sums. */
export class MemoryBoards {
  readonly receipts = new Map<string, { n: number; refused: string[]; closed: boolean }>();
  readonly banned = new Set<string>();
  /** Every batch that came, also again. */
  readonly calls: Batch[] = [];
  readonly applied: Batch[] = [];
  readonly entries: BatchEntry[] = [];
  /** Calls in flight at one time, by room: never more than one. */
  readonly contents = new Map<string, string>();

  apply(json: unknown): BatchAnswer {
    const batch = structuredClone(json) as Batch;
    this.calls.push(batch);
    const receiptKey = `${batch.room} ${batch.epoch}`;
    const receipt = this.receipts.get(receiptKey) ?? { n: 0, refused: [], closed: false };
    if (batch.n === receipt.n) {
      const first = this.contents.get(`${receiptKey} ${batch.n}`);
      if (first !== JSON.stringify(batch))
        throw new Error(`${receiptKey} ${batch.n} came with other content`);
      return { applied: false, reason: "duplicate", refused: receipt.refused };
    }
    if (batch.n !== receipt.n + 1) return { applied: false, reason: "gap", expected: receipt.n + 1 };
    const refused = [...new Set(batch.entries.map(({ user }) => user))].filter((user) =>
      this.banned.has(user),
    );
    this.receipts.set(receiptKey, { n: batch.n, refused, closed: batch.closing === true });
    this.contents.set(`${receiptKey} ${batch.n}`, JSON.stringify(batch));
    this.applied.push(batch);
    this.entries.push(...batch.entries.filter(({ user }) => !refused.includes(user)));
    return { applied: true, refused };
  }

  /** Where points add up. */
  total(board: string, user: string): number {
    return this.entries
      .filter((entry) => entry.board === board && entry.user === user)
      .reduce((sum, { points }) => sum + points, 0);
  }
}
