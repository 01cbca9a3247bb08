/** What was promised to each player, and what nobody could say whether it was done. */
export class Acknowledged {
  readonly #sure = new Map<string, number>();
  readonly #unsure = new Map<string, number[]>();
  awards = 0;
  /** Awards whose outcome nobody could tell. */
  unknown = 0;

  add(player: string, points: number): void {
    this.awards++;
    this.#sure.set(player, this.of(player) + points);
  }

  mayHave(player: string, points: number): void {
    this.unknown++;
    this.#unsure.set(player, [...(this.#unsure.get(player) ?? []), points]);
  }

  of(player: string): number {
    return this.#sure.get(player) ?? 0;
  }

  /** Whether a total is what was acknowledged, with any of those that may have been done. */
  allows(player: string, total: number): boolean {
    let totals = new Set([this.of(player)]);
    for (const points of this.#unsure.get(player) ?? []) {
      totals = new Set([...totals, ...[...totals].map((sum) => sum + points)]);
    }
    return totals.has(total);
  }
}
