/** The possible values of each label. */
export type Labels = Readonly<Record<string, readonly string[]>>;

/**
 * Counts by labels whose values are all known beforehand, so that no client can create a new one. Each starts at 0.
 */
export class Counter<const L extends Labels = Record<never, never>> {
  readonly #counts = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly help: string,
    labels: L,
  ) {
    for (const text of combinations(labels)) this.#counts.set(text, 0);
  }

  add(labels: { readonly [K in keyof L]: L[K][number] }, by = 1): void {
    const text = labelText(Object.entries<string>(labels));
    const count = this.#counts.get(text);
    if (count === undefined) throw new TypeError(`${this.name} has no ${text}.`);
    this.#counts.set(text, count + by);
  }

  /** By label text, `{kind="top"}`, or the empty text without labels. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** The sum over all labels. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }
}

function combinations(labels: Labels): string[] {
  let rows: [string, string][][] = [[]];
  for (const [label, values] of Object.entries(labels)) {
    rows = rows.flatMap((row) => values.map((value): [string, string][] => [...row, [label, value]]));
  }
  return rows.map(labelText);
}

/** Sorted, so that the order of the labels does not matter. */
function labelText(pairs: readonly [string, string][]): string {
  if (pairs.length === 0) return "";
  const sorted = [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([label, value]) => `${label}="${value}"`).join(",")}}`;
}
