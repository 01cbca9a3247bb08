import { crc32 } from "../../protocol/checksum";

/** In each of two levels. */
const WIDTH = 64;

/**
 * Thousands of rows that reducers may fold: a change copies one bucket and the two lists above it, some 130 words, and
 * leaves the table before it as it was. It is plain JSON, so that a snapshot holds it as it is (an absent bucket as `null`).
 */
export interface Table<T> {
  readonly size: number;
  readonly buckets: readonly (readonly (readonly T[] | null)[] | null)[];
}

export const emptyTable: Table<never> = { size: 0, buckets: [] };

export class Keyed<T> {
  constructor(private readonly keyOf: (row: T) => string) {}

  find(table: Table<T>, key: string): T | undefined {
    const [upper, lower] = placeOf(key);
    return table.buckets[upper]?.[lower]?.find((row) => this.keyOf(row) === key);
  }

  put(table: Table<T>, row: T): Table<T> {
    const key = this.keyOf(row);
    const [upper, lower] = placeOf(key);
    const bucket = table.buckets[upper]?.[lower] ?? [];
    const others = bucket.filter((other) => this.keyOf(other) !== key);
    const size = table.size + 1 - (bucket.length - others.length);
    return { size, buckets: replaced(table.buckets, upper, lower, [...others, row]) };
  }

  remove(table: Table<T>, key: string): Table<T> {
    const [upper, lower] = placeOf(key);
    const bucket = table.buckets[upper]?.[lower] ?? [];
    const others = bucket.filter((other) => this.keyOf(other) !== key);
    if (others.length === bucket.length) return table;
    return { size: table.size - 1, buckets: replaced(table.buckets, upper, lower, others) };
  }

  /** Always in one order for one table, also after it was stored. */
  *rows(table: Table<T>): Iterable<T> {
    for (const list of table.buckets) for (const bucket of list ?? []) yield* bucket ?? [];
  }
}

function placeOf(key: string): [number, number] {
  const hash = crc32(key);
  return [hash % WIDTH, (hash >>> 6) % WIDTH];
}

function replaced<T>(
  buckets: Table<T>["buckets"],
  upper: number,
  lower: number,
  bucket: readonly T[],
): Table<T>["buckets"] {
  const lists = buckets.length > upper ? buckets.slice() : grown(buckets, upper);
  const list = lists[upper] ?? [];
  const buckets2 = list.length > lower ? list.slice() : grown(list, lower);
  buckets2[lower] = bucket;
  lists[upper] = buckets2;
  return lists;
}

/** Long enough for a place, without holes, which would not survive being stored. */
function grown<T>(list: readonly (T | null)[], place: number): (T | null)[] {
  return Array.from({ length: place + 1 }, (_, at) => list[at] ?? null);
}
