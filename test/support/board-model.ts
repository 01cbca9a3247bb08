import type { BatchEntry } from "../../src/protocol/batch";

/** What a board comes to by the rules of docs/protocol.md (B4–B6), written the plain way: every entry kept, every ranking sorted. */
export interface ModelRules {
  combine: "sum" | "best" | "last";
  order?: "highest" | "lowest";
  tie?: "highest" | "lowest";
  maxPerDay?: number;
}

export interface Placed {
  user: string;
  points: number;
  tie: number;
  reachedAt: number;
  reachedSeq: number;
}

/** One ranking. Batches are told in the order in which they were applied. */
export class BoardModel {
  readonly #placed = new Map<string, Placed>();
  readonly #days = new Map<string, number>();
  readonly #last = new Map<string, number>();

  constructor(
    readonly rules: ModelRules,
    readonly dayOf: (at: number) => string = (at) => new Date(at).toISOString().slice(0, 10),
  ) {}

  apply(entries: readonly BatchEntry[]): void {
    const before = new Map([...this.#placed].map(([user, placed]) => [user, { ...placed }]));
    const inOrder = [...entries].sort((a, b) => a.lastAt - b.lastAt || a.seq - b.seq);
    for (const entry of inOrder) this.#take(entry);
    if (this.rules.combine !== "sum") return;
    // A batch that comes to nothing for a player moves nobody.
    for (const [user, placed] of this.#placed) {
      const was = before.get(user);
      if ((was?.points ?? 0) !== placed.points) continue;
      if (was) this.#placed.set(user, was);
      else this.#placed.delete(user);
    }
  }

  /** First to last. */
  ranked(hidden: ReadonlySet<string> = new Set()): Placed[] {
    return [...this.#placed.values()]
      .filter(({ user }) => !hidden.has(user))
      .sort((a, b) => this.#compare(a, b));
  }

  forget(user: string): void {
    this.#placed.delete(user);
  }

  #take({ user, points, tie = 0, lastAt, seq }: BatchEntry): void {
    const old = this.#placed.get(user);
    const next = { user, points, tie: this.rules.tie ? tie : 0, reachedAt: lastAt, reachedSeq: seq };
    switch (this.rules.combine) {
      case "sum": {
        const gained = this.#capped(user, points, lastAt);
        if (gained === 0) return;
        const isLater = !old || lastAt > old.reachedAt || (lastAt === old.reachedAt && seq > old.reachedSeq);
        this.#placed.set(user, {
          ...(isLater || !old ? next : old),
          points: (old?.points ?? 0) + gained,
        });
        return;
      }
      case "best":
        if (!old || this.#compare(next, old) < 0) this.#placed.set(user, next);
        return;
      case "last": {
        if (old && lastAt < (this.#last.get(user) ?? 0)) return;
        this.#last.set(user, lastAt);
        this.#placed.set(user, next);
      }
    }
  }

  #capped(user: string, points: number, at: number): number {
    const { maxPerDay } = this.rules;
    if (maxPerDay === undefined) return points;
    const key = `${this.dayOf(at)} ${user}`;
    const had = this.#days.get(key) ?? 0;
    const comesTo = Math.min(had + points, maxPerDay);
    this.#days.set(key, comesTo);
    return comesTo - had;
  }

  #compare(a: Placed, b: Placed): number {
    const turn = this.rules.order === "lowest" ? 1 : -1;
    const tieTurn = this.rules.tie === "lowest" ? 1 : -1;
    return (
      turn * (a.points - b.points) ||
      tieTurn * (a.tie - b.tie) ||
      a.reachedAt - b.reachedAt ||
      a.reachedSeq - b.reachedSeq ||
      (a.user < b.user ? -1 : 1)
    );
  }
}
