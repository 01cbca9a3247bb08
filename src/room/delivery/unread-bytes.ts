import { UNREAD_BUCKET_BYTES } from "../../protocol/limits";

/** Bytes by a position in the event log, until a reader has read so far. Where positions are many they are put together. */
export class UnreadBytes {
  readonly #buckets: { at: number; bytes: number }[] = [];
  /** In all of them. */
  bytes = 0;

  /** What is put together is taken for read with the last of it, or else with the first. */
  constructor(private readonly countsAsLast: boolean) {}

  add(at: number, bytes: number): void {
    this.bytes += bytes;
    const last = this.#buckets.at(-1);
    if (!last || (last.at !== at && last.bytes >= UNREAD_BUCKET_BYTES)) {
      this.#buckets.push({ at, bytes });
      return;
    }
    last.bytes += bytes;
    if (this.countsAsLast) last.at = at;
  }

  readTo(position: number): void {
    while (this.#buckets[0] && this.#buckets[0].at <= position)
      this.bytes -= this.#buckets.shift()?.bytes ?? 0;
  }
}
