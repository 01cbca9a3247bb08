import { MAX_LOG_BYTES, MAX_LOG_EVENTS } from "../../protocol/limits";

export interface LoggedFrame {
  /** The number of its first event, and of its last. */
  first: number;
  seq: number;
  at: number;
  text: string;
  bytes: number;
  /** Bytes of all frames up to and with this one, since this instance came to life. */
  end: number;
  /** The journal's record that holds it. */
  record: number;
}

/** The frames of the recovery window, as the texts that were sent: what replay, slow readers and `seen` are measured on. */
export class EventLog {
  #frames: LoggedFrame[] = [];
  #head = 0;
  #bytes = 0;
  #newest = 0;
  /** Of the oldest frame, which is far away in memory and not to be looked at for every one that is added. */
  readonly #oldest = { first: 0, at: 0 };
  /** Total bytes ever added: the position of a reader who has everything. */
  end = 0;
  /** Where the newest frame ends; signals come after it. */
  framesEnd = 0;

  constructor(private readonly recoveryMs: number) {}

  add({ first, seq, at, text, bytes, record }: Omit<LoggedFrame, "end">): void {
    this.end += bytes;
    this.framesEnd = this.end;
    this.#bytes += bytes;
    this.#newest = seq;
    // Written out, like all that is kept by the thousand: engines give each copy made by a spread a shape of its own.
    this.#frames.push({ first, seq, at, text, bytes, end: this.end, record });
    if (this.#frames.length === this.#head + 1) this.#cacheOldest();
    this.trim(at);
  }

  trim(now: number): void {
    while (this.#head < this.#frames.length && !this.#keepsOldest(now)) {
      this.#bytes -= (this.#frames[this.#head] as LoggedFrame).bytes;
      this.#head++;
      this.#cacheOldest();
    }
    if (this.#head > 1024 && this.#head * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Bytes that were sent to everybody and are not kept: signals. */
  skip(bytes: number): void {
    this.end += bytes;
  }

  /** The frame that holds the event after `seq`, unless that is gone or has not happened. */
  after(seq: number): LoggedFrame | undefined {
    const at = this.#indexAfter(seq);
    const frame = this.#frames[at];
    return frame && frame.first <= seq + 1 ? frame : undefined;
  }

  /** Whether everything after `seq` is still here. */
  reaches(seq: number): boolean {
    const oldest = this.#frames[this.#head];
    return oldest !== undefined && oldest.first <= seq + 1;
  }

  /** The position of a reader who has read up to `seq`. */
  positionOf(seq: number): number {
    const frame = this.#frames[this.#indexAfter(seq)];
    return frame ? frame.end - frame.bytes : this.end;
  }

  /** The journal record of the oldest frame kept. */
  get oldestRecord(): number | undefined {
    return this.#frames[this.#head]?.record;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #keepsOldest(now: number): boolean {
    const { first, at } = this.#oldest;
    const events = this.#newest - first + 1;
    return at + this.recoveryMs > now && events <= MAX_LOG_EVENTS && this.#bytes <= MAX_LOG_BYTES;
  }

  #cacheOldest(): void {
    const oldest = this.#frames[this.#head];
    if (!oldest) return;
    this.#oldest.first = oldest.first;
    this.#oldest.at = oldest.at;
  }

  /** Index of the first frame whose last event is past `seq`. */
  #indexAfter(seq: number): number {
    let low = this.#head;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#frames[middle] as LoggedFrame).seq > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
