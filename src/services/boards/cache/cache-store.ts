export interface CacheEntry<T> {
  value: T;
  readAt: number;
  /** Which of two was asked later, and which came before news. */
  generation: number;
  /** Of its JSON. */
  chars: number;
}

/** How much is kept. In memory a character of JSON is some four bytes, with the objects that it stands for. */
export interface CacheBounds {
  entries: number;
  chars: number;
}

/** Answers in memory; the one that nobody has asked for longest goes first. */
export class CacheStore<T> {
  readonly #entries = new Map<string, CacheEntry<T>>();
  #chars = 0;

  constructor(private readonly bounds: CacheBounds) {}

  /** Asked for: it goes last. */
  get(key: string): CacheEntry<T> | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, entry: CacheEntry<T>): void {
    this.#remove(key);
    this.#entries.set(key, entry);
    this.#chars += entry.chars + key.length;
    // A map goes through its keys in the order in which they were set.
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.bounds.entries && this.#chars <= this.bounds.chars) return;
      this.#remove(oldest);
    }
  }

  get size(): CacheBounds {
    return { entries: this.#entries.size, chars: this.#chars };
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#chars -= entry.chars + key.length;
  }
}
