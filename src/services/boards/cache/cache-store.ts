import { LruMap } from "../../../lib/lru";

export interface CacheEntry<T> {
  value: T;
  readAt: number;
  /** Orders fetches and invalidations. */
  generation: number;
  /** The length of its JSON. */
  chars: number;
}

/** The most that is stored. In memory, a character of JSON takes about four bytes, objects included. */
export interface CacheBounds {
  entries: number;
  chars: number;
}

/** Values in memory. The least recently used is evicted first. */
export class CacheStore<T> {
  readonly #entries: LruMap<string, CacheEntry<T>>;
  #chars = 0;

  constructor(private readonly bounds: CacheBounds) {
    this.#entries = new LruMap(bounds.entries, (key, entry) => this.#uncount(key, entry));
  }

  /** Marks the entry as used. */
  get(key: string): CacheEntry<T> | undefined {
    return this.#entries.get(key);
  }

  set(key: string, entry: CacheEntry<T>): void {
    const before = this.#entries.peek(key);
    if (before) this.#uncount(key, before);
    this.#chars += entry.chars + key.length;
    this.#entries.set(key, entry);
    while (this.#chars > this.bounds.chars) this.#entries.evictOldest();
  }

  get size(): CacheBounds {
    return { entries: this.#entries.size, chars: this.#chars };
  }

  #uncount(key: string, { chars }: CacheEntry<T>): void {
    this.#chars -= chars + key.length;
  }
}
