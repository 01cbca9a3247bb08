/** Bytes that wait for a reader: past this nothing more is given, and what came meanwhile is told in one. */
const MOST_WAITING = 16_384;

const encoder = new TextEncoder();

/** One event as server-sent events have it; the data is JSON, which has no line of its own. */
export function eventText(event: string, id: string, data: unknown): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export const liveHeaders = {
  "Content-Type": "text/event-stream; charset=UTF-8",
  // Nobody on the way may keep it, or hold it back until there is enough of it.
  "Cache-Control": "no-store, no-transform",
  "X-Accel-Buffering": "no",
};

/** A stream that is over at once: an `EventSource` comes back after one, and after an answer of 503 never. */
export function comeBackStream(why: string, retryMs: number): Response {
  return new Response(`retry: ${retryMs}\n\n: ${why}\n\n`, { headers: liveHeaders });
}

/** Somebody who listens: a stream of server-sent events, and what they know. */
export class LiveStream {
  /** The id of the board that they know. */
  knows: string | undefined;
  /** When something was last given to them. */
  givenAt: number;
  /** So many bytes so far. Whether a reader has taken them is known only once everybody on the way is full. */
  givenBytes = 0;
  readonly body: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(
    knows: string | undefined,
    readonly endsAt: number,
    now: number,
    private readonly gone: (stream: LiveStream) => void,
  ) {
    this.knows = knows;
    this.givenAt = now;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#left(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING }),
    );
  }

  /** Whether they read what they are given. */
  get reads(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  give(bytes: Uint8Array, now: number): void {
    try {
      this.#controller?.enqueue(bytes);
      this.givenAt = now;
      this.givenBytes += bytes.byteLength;
    } catch {
      // It was closed from the other side, and nobody has said so yet.
      this.#left();
    }
  }

  end(bytes?: Uint8Array): void {
    try {
      if (bytes) this.#controller?.enqueue(bytes);
      this.#controller?.close();
    } catch {
      // As above.
    }
    this.#left();
  }

  /** Ends without what still waits: a stream that is closed is kept until its reader has taken all of it. */
  cut(): void {
    this.#controller?.error(new Error("Nobody reads this stream."));
    this.#left();
  }

  #left(): void {
    if (!this.#controller) return;
    this.#controller = undefined;
    this.gone(this);
  }
}
