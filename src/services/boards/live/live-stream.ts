/** Bytes queued for a reader. Past this nothing more is queued, and later changes are sent as one. */
const MAX_QUEUED_BYTES = 16_384;

/** One client's stream of server-sent events, and the state that the client has. */
export class LiveStream {
  /** The id of the state that the client has. */
  lastEventId: string | undefined;
  /** When something was last sent. */
  lastSentAt: number;
  /** Bytes sent so far. Whether the reader took them is known only once every buffer on the way is full. */
  givenBytes = 0;
  readonly body: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(
    lastEventId: string | undefined,
    readonly endsAt: number,
    now: number,
    private readonly onClosed: (stream: LiveStream) => void,
  ) {
    this.lastEventId = lastEventId;
    this.lastSentAt = now;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#closed(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_QUEUED_BYTES }),
    );
  }

  /** Whether the reader keeps up. */
  get isReading(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  send(bytes: Uint8Array, now: number): void {
    try {
      this.#controller?.enqueue(bytes);
      this.lastSentAt = now;
      this.givenBytes += bytes.byteLength;
    } catch {
      // The client has closed it, and `cancel` was not called yet.
      this.#closed();
    }
  }

  close(bytes?: Uint8Array): void {
    try {
      if (bytes) this.#controller?.enqueue(bytes);
      this.#controller?.close();
    } catch {
      // As above.
    }
    this.#closed();
  }

  /** Drops what is queued. `close` would keep the stream until its reader has taken all of it. */
  cut(): void {
    this.#controller?.error(new Error("The reader of this stream has stalled."));
    this.#closed();
  }

  #closed(): void {
    if (!this.#controller) return;
    this.#controller = undefined;
    this.onClosed(this);
  }
}
