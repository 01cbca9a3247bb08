import type { BatchEntry } from "../../src/protocol/batch";

/** What a board comes to by the rules of docs/protocol.md (B4–B6), written plainly: every entry kept, every ranking sorted. */
export interface ModelRules {
  combine: "sum" | "best" | "last";
  order?: "highest" | "lowest";
  tie?: "highest" | "lowest";
  maxPerDay?: number;
}

export interface RankedEntry {
  user: string;
  points: number;
  tie: number;
  reachedAt: number;
  reachedSeq: number;
}

/** One ranking. Batches come in the order in which they were applied. */
export class BoardModel {
  readonly #entries = new Map<string, RankedEntry>();
  readonly #pointsPerDay = new Map<string, number>();
  readonly #lastAt = new Map<string, number>();

  constructor(
    readonly rules: ModelRules,
    readonly dayOf: (at: number) => string = (at) => new Date(at).toISOString().slice(0, 10),
  ) {}

  apply(entries: readonly BatchEntry[]): void {
    const before = new Map([...this.#entries].map(([user, placed]) => [user, { ...placed }]));
    const inOrder = [...entries].sort((a, b) => a.lastAt - b.lastAt || a.seq - b.seq);
    for (const entry of inOrder) this.#applyEntry(entry);
    if (this.rules.combine !== "sum") return;
    // A batch of 0 for a player moves no entry.
    for (const [user, placed] of this.#entries) {
      const was = before.get(user);
      if ((was?.points ?? 0) !== placed.points) continue;
      if (was) this.#entries.set(user, was);
      else this.#entries.delete(user);
    }
  }

  /** First to last. */
  ranking(hidden: ReadonlySet<string> = new Set()): RankedEntry[] {
    return [...this.#entries.values()]
      .filter(({ user }) => !hidden.has(user))
      .sort((a, b) => this.#compare(a, b));
  }

  remove(user: string): void {
    this.#entries.delete(user);
  }

  #applyEntry({ user, points, tie = 0, lastAt, seq }: BatchEntry): void {
    const old = this.#entries.get(user);
    const next = { user, points, tie: this.rules.tie ? tie : 0, reachedAt: lastAt, reachedSeq: seq };
    switch (this.rules.combine) {
      case "sum": {
        const gained = this.#applyDailyCap(user, points, lastAt);
        if (gained === 0) return;
        const isLater = !old || lastAt > old.reachedAt || (lastAt === old.reachedAt && seq > old.reachedSeq);
        this.#entries.set(user, {
          ...(isLater || !old ? next : old),
          points: (old?.points ?? 0) + gained,
        });
        return;
      }
      case "best":
        if (!old || this.#compare(next, old) < 0) this.#entries.set(user, next);
        return;
      case "last": {
        if (old && lastAt < (this.#lastAt.get(user) ?? 0)) return;
        this.#lastAt.set(user, lastAt);
        this.#entries.set(user, next);
      }
    }
  }

  #applyDailyCap(user: string, points: number, at: number): number {
    const { maxPerDay } = this.rules;
    if (maxPerDay === undefined) return points;
    const key = `${this.dayOf(at)} ${user}`;
    const had = this.#pointsPerDay.get(key) ?? 0;
    const total = Math.min(had + points, maxPerDay);
    this.#pointsPerDay.set(key, total);
    return total - had;
  }

  #compare(a: RankedEntry, b: RankedEntry): number {
    const sign = this.rules.order === "lowest" ? 1 : -1;
    const tieSign = this.rules.tie === "lowest" ? 1 : -1;
    return (
      sign * (a.points - b.points) ||
      tieSign * (a.tie - b.tie) ||
      a.reachedAt - b.reachedAt ||
      a.reachedSeq - b.reachedSeq ||
      (a.user < b.user ? -1 : 1)
    );
  }
}
