/** So many records that nobody wants any more may wait in storage for others to be written over them: a restore lists them all. */
export const SPARE_KEYS = 1_024;
/** And only small ones wait, by what they about take. */
export const SPARE_CHARS = 2_000;

const NOWHERE = 0;

/**
 * The numbers of the keys that records lie under. A record that is no longer wanted is not deleted: a later one is written
 * over it, which is one row written where a deletion and a new key are two.
 */
export class RecordKeys {
  /** Of the wanted records, oldest first. Below zero: of a record that is too large to wait. */
  #wanted: number[] = [];
  /** First in, first out, so that records which follow each other lie side by side again. */
  #spare: number[] = [];
  #head = 0;
  /**
   * Let go by the newest snapshot. Should its commit fail, a later one may still be taken before the instance ends, and
   * those records are wanted after all; by the next snapshot it has long been durable.
   */
  #resting: number[] = [];
  #gone: number[] = [];
  #highest = 0;

  /** For a new record, or for one that was found under `key`. */
  take(chars: number, key = this.#next()): number {
    this.#highest = Math.max(this.#highest, key);
    this.#wanted.push(chars > SPARE_CHARS ? -key : key);
    return key;
  }

  /** Found under it was a record that nobody wants. */
  spare(chars: number, key: number): void {
    this.#highest = Math.max(this.#highest, key);
    this.#letGo(key, chars <= SPARE_CHARS, this.#spare);
  }

  /** A record is wanted, and nowhere. */
  miss(): void {
    this.#wanted.push(NOWHERE);
  }

  /** So many of the oldest records are no longer wanted. Answers which keys to delete. */
  release(count: number): number[] {
    this.#spare = this.#spare.slice(this.#head);
    this.#head = 0;
    this.#spare.push(...this.#resting);
    this.#resting = [];
    for (const key of this.#wanted.splice(0, count))
      if (key !== NOWHERE) this.#letGo(Math.abs(key), key > 0, this.#resting);
    const gone = this.#gone;
    this.#gone = [];
    return gone;
  }

  #letGo(key: number, isSmall: boolean, waiting: number[]): void {
    if (isSmall && this.#spare.length + this.#resting.length < SPARE_KEYS) waiting.push(key);
    else this.#gone.push(key);
  }

  #next(): number {
    return this.#head < this.#spare.length ? (this.#spare[this.#head++] as number) : this.#highest + 1;
  }
}
