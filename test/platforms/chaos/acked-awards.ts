/** The acknowledged points of each player, and those with an unknown outcome. */
export class AckedAwards {
  readonly #certain = new Map<string, number>();
  readonly #uncertain = new Map<string, number[]>();
  awards = 0;
  /** Awards with an unknown outcome. */
  unknownCount = 0;

  add(player: string, points: number): void {
    this.awards++;
    this.#certain.set(player, this.pointsOf(player) + points);
  }

  addUncertain(player: string, points: number): void {
    this.unknownCount++;
    this.#uncertain.set(player, [...(this.#uncertain.get(player) ?? []), points]);
  }

  pointsOf(player: string): number {
    return this.#certain.get(player) ?? 0;
  }

  /** Whether a total is what was acknowledged, plus any of the unknown awards. */
  allows(player: string, total: number): boolean {
    let totals = new Set([this.pointsOf(player)]);
    for (const points of this.#uncertain.get(player) ?? []) {
      totals = new Set([...totals, ...[...totals].map((sum) => sum + points)]);
    }
    return totals.has(total);
  }
}
