import { HEAP_BYTES } from "../protocol/limits";

/** Bytes by a position in the event log, until a reader has read so far. Where positions are many they are put together. */
export class Heaps {
  readonly #heaps: { at: number; bytes: number }[] = [];
  /** In all of them. */
  bytes = 0;

  /** What is put together is taken for read with the last of it, or else with the first. */
  constructor(private readonly isLate: boolean) {}

  add(at: number, bytes: number): void {
    this.bytes += bytes;
    const last = this.#heaps.at(-1);
    if (!last || (last.at !== at && last.bytes >= HEAP_BYTES)) {
      this.#heaps.push({ at, bytes });
      return;
    }
    last.bytes += bytes;
    if (this.isLate) last.at = at;
  }

  readTo(position: number): void {
    while (this.#heaps[0] && this.#heaps[0].at <= position) this.bytes -= this.#heaps.shift()?.bytes ?? 0;
  }
}
