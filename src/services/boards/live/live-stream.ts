/** Bytes that wait for a reader: past this nothing more is given, and what came meanwhile is told in one. */
const MAX_QUEUED_BYTES = 16_384;

/** Somebody who listens: a stream of server-sent events, and what they know. */
export class LiveStream {
  /** The id of the board that they know. */
  lastEventId: string | undefined;
  /** When something was last given to them. */
  lastSentAt: number;
  /** So many bytes so far. Whether a reader has taken them is known only once everybody on the way is full. */
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

  /** Whether they read what they are given. */
  get isReading(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  send(bytes: Uint8Array, now: number): void {
    try {
      this.#controller?.enqueue(bytes);
      this.lastSentAt = now;
      this.givenBytes += bytes.byteLength;
    } catch {
      // It was closed from the other side, and nobody has said so yet.
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

  /** Ends without what still waits: a stream that is closed is kept until its reader has taken all of it. */
  cut(): void {
    this.#controller?.error(new Error("Nobody reads this stream."));
    this.#closed();
  }

  #closed(): void {
    if (!this.#controller) return;
    this.#controller = undefined;
    this.onClosed(this);
  }
}
