export interface Entry<T> {
  value: T;
  readAt: number;
  /** Which of two was asked later, and which came before news. */
  turn: number;
  /** Of its JSON. */
  chars: number;
}

/** How much is kept. In memory a character of JSON is some four bytes, with the objects that it stands for. */
export interface Bounds {
  entries: number;
  chars: number;
}

/** Answers in memory; the one that nobody has asked for longest goes first. */
export class AnswerStore<T> {
  readonly #entries = new Map<string, Entry<T>>();
  #chars = 0;

  constructor(private readonly bounds: Bounds) {}

  /** Asked for: it goes last. */
  get(key: string): Entry<T> | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  keep(key: string, entry: Entry<T>): void {
    this.#drop(key);
    this.#entries.set(key, entry);
    this.#chars += entry.chars + key.length;
    // A map goes through its keys in the order in which they were set.
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.bounds.entries && this.#chars <= this.bounds.chars) return;
      this.#drop(oldest);
    }
  }

  get size(): Bounds {
    return { entries: this.#entries.size, chars: this.#chars };
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#chars -= entry.chars + key.length;
  }
}
