/** So many records that nobody wants any more may wait in storage for others to be written over them: a restore lists them all. */
export const MAX_FREE_KEYS = 1_024;
/** And only small ones wait, by what they about take. */
export const MAX_FREE_RECORD_CHARS = 2_000;

const NOWHERE = 0;

/**
 * The numbers of the keys that records lie under. A record that is no longer wanted is not deleted: a later one is written
 * over it, which is one row written where a deletion and a new key are two.
 */
export class KeyPool {
  /** Of the wanted records, oldest first. Below zero: of a record that is too large to wait. */
  #wanted: number[] = [];
  /** First in, first out, so that records which follow each other lie side by side again. */
  #free: number[] = [];
  #head = 0;
  /**
   * Let go by the newest snapshot. Should its commit fail, a later one may still be taken before the instance ends, and
   * those records are wanted after all; by the next snapshot it has long been durable.
   */
  #quarantined: number[] = [];
  #deletable: number[] = [];
  #highest = 0;

  /** For a new record, or for one that was found under `key`. */
  take(chars: number, key = this.#next()): number {
    this.#highest = Math.max(this.#highest, key);
    this.#wanted.push(chars > MAX_FREE_RECORD_CHARS ? -key : key);
    return key;
  }

  /** Found under it was a record that nobody wants. */
  addFree(chars: number, key: number): void {
    this.#highest = Math.max(this.#highest, key);
    this.#recycle(key, chars <= MAX_FREE_RECORD_CHARS, this.#free);
  }

  /** A record is wanted, and nowhere. */
  skip(): void {
    this.#wanted.push(NOWHERE);
  }

  /** So many of the oldest records are no longer wanted. Answers which keys to delete. */
  release(count: number): number[] {
    this.#free = this.#free.slice(this.#head);
    this.#head = 0;
    this.#free.push(...this.#quarantined);
    this.#quarantined = [];
    for (const key of this.#wanted.splice(0, count))
      if (key !== NOWHERE) this.#recycle(Math.abs(key), key > 0, this.#quarantined);
    const gone = this.#deletable;
    this.#deletable = [];
    return gone;
  }

  #recycle(key: number, isSmall: boolean, waiting: number[]): void {
    if (isSmall && this.#free.length + this.#quarantined.length < MAX_FREE_KEYS) waiting.push(key);
    else this.#deletable.push(key);
  }

  #next(): number {
    return this.#head < this.#free.length ? (this.#free[this.#head++] as number) : this.#highest + 1;
  }
}
