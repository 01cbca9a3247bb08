import { crc32 } from "../../protocol/checksum";

/** Places in each of three levels. */
const [TOP, MIDDLE, LOW] = [16, 32, 32] as const;

type Rows<T> = readonly T[];
type List<N> = readonly (N | null)[];

/**
 * Thousands of rows that reducers may fold: a change copies one bucket and the three lists above it, some 80 words, and
 * leaves the table before it as it was. Buckets and lists that did not change are the same objects. It is plain JSON, and a
 * place that holds nothing is `null`.
 */
export interface PersistentMap<T> {
  readonly size: number;
  readonly lists: List<List<List<Rows<T>>>>;
}

export const emptyMap: PersistentMap<never> = { size: 0, lists: [] };

export class MapOf<T> {
  constructor(private readonly keyOf: (row: T) => string) {}

  find(table: PersistentMap<T>, key: string): T | undefined {
    return bucketAt(table, placeOf(key))?.find((row) => this.keyOf(row) === key);
  }

  put(table: PersistentMap<T>, row: T): PersistentMap<T> {
    const key = this.keyOf(row);
    const place = placeOf(key);
    const bucket = bucketAt(table, place) ?? none;
    const others = bucket.filter((other) => this.keyOf(other) !== key);
    const size = table.size + 1 - (bucket.length - others.length);
    return { size, lists: withBucket(table, place, [...others, row]) };
  }

  remove(table: PersistentMap<T>, key: string): PersistentMap<T> {
    const place = placeOf(key);
    const bucket = bucketAt(table, place) ?? none;
    const others = bucket.filter((other) => this.keyOf(other) !== key);
    if (others.length === bucket.length) return table;
    return { size: table.size - 1, lists: withBucket(table, place, others.length > 0 ? others : null) };
  }

  /** Always in one order for one table, also after it was stored. */
  *rows(table: PersistentMap<T>): Iterable<T> {
    for (const list of table.lists)
      for (const low of list ?? none) for (const bucket of low ?? none) yield* bucket ?? none;
  }

  /** The first so many rows in that order, and the table without them. */
  take(table: PersistentMap<T>, count: number): { taken: T[]; rest: PersistentMap<T> } {
    const taken: T[] = [];
    const isDone = () => taken.length >= count;
    const lists = without(table.lists, isDone, (list) =>
      without(list, isDone, (low) =>
        without(low, isDone, (bucket) => {
          const some = bucket.slice(0, count - taken.length);
          taken.push(...some);
          return some.length < bucket.length ? bucket.slice(some.length) : null;
        }),
      ),
    );
    return { taken, rest: { size: table.size - taken.length, lists: lists ?? none } };
  }

  /** The buckets in which two tables differ, by number; `undefined` for one that became empty. */
  *changes(
    before: PersistentMap<T>,
    now: PersistentMap<T>,
  ): Iterable<[bucket: number, rows: Rows<T> | undefined]> {
    for (let top = 0; top < TOP; top++) {
      const [wasTop, isTop] = [before.lists[top] ?? none, now.lists[top] ?? none];
      if (wasTop === isTop) continue;
      for (let middle = 0; middle < MIDDLE; middle++) {
        const [was, is] = [wasTop[middle] ?? none, isTop[middle] ?? none];
        if (was === is) continue;
        for (let low = 0; low < LOW; low++) {
          const rows = is[low] ?? undefined;
          if (rows !== (was[low] ?? undefined)) yield [(top * MIDDLE + middle) * LOW + low, rows];
        }
      }
    }
  }

  /** The table of these buckets. */
  join(buckets: Iterable<readonly [bucket: number, rows: Rows<T>]>): PersistentMap<T> {
    const empty = <N>(length: number): (N | null)[] => new Array<N | null>(length).fill(null);
    const lists = empty<((Rows<T> | null)[] | null)[]>(TOP);
    let size = 0;
    for (const [bucket, rows] of buckets) {
      const [top, middle] = [Math.floor(bucket / (MIDDLE * LOW)), Math.floor(bucket / LOW) % MIDDLE];
      const list = lists[top] ?? empty(MIDDLE);
      const lower = list[middle] ?? empty(LOW);
      lower[bucket % LOW] = rows;
      list[middle] = lower;
      lists[top] = list;
      size += rows.length;
    }
    return size > 0 ? { size, lists } : emptyMap;
  }
}

type Place = readonly [top: number, middle: number, low: number];

function placeOf(key: string): Place {
  const hash = crc32(key);
  return [hash % TOP, (hash >>> 4) % MIDDLE, (hash >>> 9) % LOW];
}

function bucketAt<T>({ lists }: PersistentMap<T>, [top, middle, low]: Place): Rows<T> | null | undefined {
  return lists[top]?.[middle]?.[low];
}

function withBucket<T>({ lists }: PersistentMap<T>, [top, middle, low]: Place, rows: Rows<T> | null) {
  const list = lists[top];
  const lower = list?.[middle];
  return replaced(lists, TOP, top, replaced(list, MIDDLE, middle, replaced(lower, LOW, low, rows))) ?? none;
}

/** A list in which nothing is left is none: a table is the same whichever way its rows came and went. */
function replaced<N>(list: List<N> | null | undefined, length: number, at: number, node: N | null) {
  const copy = list && list.length > 0 ? list.slice() : new Array<N | null>(length).fill(null);
  copy[at] = node;
  return isEmpty(copy) ? null : copy;
}

/** `drop` leaves of a node what stays. */
function without<N>(list: List<N>, isDone: () => boolean, drop: (node: N) => N | null): List<N> | null {
  const left = list.map((node) => (node === null || isDone() ? node : drop(node)));
  return isEmpty(left) ? null : left;
}

function isEmpty(list: List<unknown>): boolean {
  return list.every((node) => node === null);
}

const none: readonly never[] = [];
