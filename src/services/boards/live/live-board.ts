import { formatEvent, toBytes } from "../../../edge/http/event-stream";
import { withDeadline } from "../../../lib/deadline";
import { LruMap } from "../../../lib/lru";
import type { LiveTop } from "../../../protocol/live";
import { boardCounters } from "../counters";
import { diffBoards, liveEventId } from "./diff";
import { LiveStream } from "./live-stream";
import { liveStreams } from "./live-streams";

/** Where the board is read, and what it is called. */
export interface LiveSource {
  board: string;
  period: string;
  /** One row: whether anything has changed. */
  version(): Promise<number>;
  top(): Promise<LiveTop>;
}

/** While somebody listens the version is looked up so often: changes within it are told as one … */
const POLL_MS = 1_000;
/** … and while the database is away less and less often, down to this. */
const MAX_POLL_MS = 15_000;
const READ_TIMEOUT_MS = 5_000;
/** Between two words of any kind, so that nobody on the way takes the line for dead. */
const HEARTBEAT_MS = 15_000;
/** Who reads nothing for so long is sent away … */
const STALLED_READER_MS = 60_000;
/**
 * … and everybody after so much, to come back with what they know: buffers on the way take as much and more (12 MB on one's own
 * machine) for somebody who reads nothing. The busiest board tells it in a quarter of an hour, others in hours.
 */
const MOST_BYTES = 4 * 1024 * 1024;
/** Boards that somebody may still know when they come back: half a minute's, where it changes all the time. */
const HISTORY_SIZE = 32;
/** A stream holds a kilobyte or two, and one object has a core. */
const MAX_STREAMS = 5_000;
/** Where half of a full board is another, the whole is not much longer. */
const MAX_CHANGES = 50;
/** When to come back is told by chance, so that not all come at once. */
const RETRY_MS = { min: 1_000, max: 5_000 };

const heartbeat = toBytes(":\n\n");
const databaseAwayHeartbeat = toBytes(": database-away\n\n");

/**
 * One ranking, told live to all who listen. It asks the database only while somebody does, and then by itself: so whoever writes
 * points, wherever, has nobody to tell (docs/decisions/0017). With nobody left it has no timer, and sleeps.
 */
export class LiveBoard {
  readonly #streams = new Set<LiveStream>();
  readonly #history = new LruMap<string, LiveTop>(HISTORY_SIZE);
  #current: { id: string; top: LiveTop; readAt: number } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPolling = false;
  #failures = 0;

  constructor(
    private readonly source: LiveSource,
    /** Some changes raise no version: bans that are set, lifted, or end. After so long the board is read in any case. */
    private readonly refreshMs: number,
    private readonly clock: () => number = Date.now,
    private readonly random: () => number = Math.random,
  ) {}

  /** Nothing where too many listen already. */
  subscribe(lastEventId: string | undefined, endsAt: number): ReadableStream<Uint8Array> | undefined {
    if (this.#streams.size >= MAX_STREAMS) return undefined;
    const now = this.clock();
    const stream = new LiveStream(lastEventId, endsAt, now, (closed) => this.#remove(closed));
    this.#streams.add(stream);
    liveStreams.open += 1;
    boardCounters.liveStreams.add({ was: lastEventId === undefined ? "opened" : "resumed" });
    stream.send(toBytes(this.#retryText()), now);
    // What is held may be old where nobody listened meanwhile: then there is no timer, and it is read first.
    if (this.#timer !== undefined) this.#broadcast([stream], now);
    else if (!this.#isPolling) void this.#poll();
    return stream.body;
  }

  /** Whether anything here keeps its object awake. */
  get isAwake(): boolean {
    return this.#streams.size > 0 || this.#timer !== undefined || this.#isPolling;
  }

  async #poll(): Promise<void> {
    this.#timer = undefined;
    this.#isPolling = true;
    try {
      await this.#read();
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      boardCounters.database.add({ for: "live", outcome: "failed" });
      console.warn(`The board ${this.source.board} could not be read for who listens:`, String(error));
    }
    this.#isPolling = false;
    const now = this.clock();
    this.#prune(now);
    this.#broadcast([...this.#streams], now);
    if (this.#streams.size === 0) return;
    const waitMs = Math.min(POLL_MS * 2 ** Math.min(this.#failures, 10), MAX_POLL_MS);
    this.#timer = setTimeout(() => void this.#poll(), waitMs);
  }

  async #read(): Promise<void> {
    const startedAt = this.clock();
    const current = this.#current;
    if (current && startedAt - current.readAt < this.refreshMs) {
      const version = await withDeadline(
        this.source.version(),
        READ_TIMEOUT_MS,
        "The database gave no answer",
      );
      boardCounters.database.add({ for: "live", outcome: "ok" });
      if (version === current.top.version) return;
    }
    const top = await withDeadline(this.source.top(), READ_TIMEOUT_MS, "The database gave no answer");
    boardCounters.database.add({ for: "live", outcome: "ok" });
    const id = liveEventId(top);
    if (current && current.id !== id) {
      this.#history.set(current.id, current.top);
    }
    this.#current = { id, top, readAt: startedAt };
  }

  /** Whose time is over, and who does not read. */
  #prune(now: number): void {
    for (const stream of [...this.#streams]) {
      if (!stream.isReading && now - stream.lastSentAt >= STALLED_READER_MS) stream.cut();
      else if (now >= stream.endsAt || stream.givenBytes >= MOST_BYTES)
        stream.close(toBytes(this.#retryText()));
      else if (stream.isReading && now - stream.lastSentAt >= HEARTBEAT_MS) {
        stream.send(this.#failures > 0 ? databaseAwayHeartbeat : heartbeat, now);
      }
    }
  }

  /** Everybody who does not know it; most of them know the same, so it is written once. */
  #broadcast(streams: readonly LiveStream[], now: number): void {
    const current = this.#current;
    if (!current) return;
    const rendered = new Map<string | undefined, { event: "board" | "change"; bytes: Uint8Array }>();
    for (const stream of streams) {
      if (stream.lastEventId === current.id || !stream.isReading) continue;
      const message = rendered.get(stream.lastEventId) ?? this.#render(stream.lastEventId, current);
      rendered.set(stream.lastEventId, message);
      stream.lastEventId = current.id;
      stream.send(message.bytes, now);
      boardCounters.liveEvents.add({ event: message.event });
    }
  }

  #render(lastEventId: string | undefined, { id, top }: { id: string; top: LiveTop }) {
    const before = lastEventId === undefined ? undefined : this.#history.peek(lastEventId);
    const { board, period } = this.source;
    const change = before && diffBoards(before, top);
    return change && change.changed.length + change.gone.length <= MAX_CHANGES
      ? { event: "change" as const, bytes: toBytes(formatEvent("change", id, change)) }
      : { event: "board" as const, bytes: toBytes(formatEvent("board", id, { board, period, ...top })) };
  }

  #remove(stream: LiveStream): void {
    if (!this.#streams.delete(stream)) return;
    liveStreams.open -= 1;
    const isOver = this.clock() >= stream.endsAt || stream.givenBytes >= MOST_BYTES;
    boardCounters.liveStreams.add({ was: isOver ? "closed" : "dropped" });
    if (this.#streams.size > 0 || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #retryText(): string {
    const { min, max } = RETRY_MS;
    return `retry: ${Math.round(min + this.random() * (max - min))}\n\n`;
  }
}
