/** A map with a maximum size. The entry that was used least recently is evicted first. */
export class LruMap<K, V> {
  /** In the order of last use. */
  readonly #entries = new Map<K, V>();

  constructor(
    private readonly maxSize: number,
    private readonly onEvicted?: (key: K, value: V) => void,
  ) {}

  get size(): number {
    return this.#entries.size;
  }

  /** Reads an entry and marks it as used. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Reads an entry without marking it as used. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    while (this.#entries.size > this.maxSize) this.evictOldest();
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  evictOldest(): void {
    for (const [key, value] of this.#entries) {
      this.#entries.delete(key);
      this.onEvicted?.(key, value);
      return;
    }
  }
}
