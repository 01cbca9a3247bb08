import { formatEvent, toBytes } from "../../../edge/http/event-stream";
import { backoffMs } from "../../../lib/backoff";
import { withDeadline } from "../../../lib/deadline";
import { LruMap } from "../../../lib/lru";
import type { LiveTop } from "../../../protocol/live";
import { boardCounters } from "../counters";
import { diffBoards, liveEventId } from "./diff";
import { LiveStream } from "./live-stream";
import { liveStreams } from "./live-streams";

/** Reads one ranking. */
export interface LiveSource {
  board: string;
  period: string;
  /** Reads one row. It changes with the board. */
  version(): Promise<number>;
  top(): Promise<LiveTop>;
}

/** The interval of version checks while there are streams. Changes within it are sent as one event … */
const POLL_MS = 1_000;
/** … and the longest interval while the database is away. */
const MAX_POLL_MS = 15_000;
const READ_TIMEOUT_MS = 5_000;
/** The longest silence, so that no proxy closes the connection as idle. */
const HEARTBEAT_MS = 15_000;
/** A stream whose reader takes nothing for this long is cut. */
const STALLED_READER_MS = 60_000;
/**
 * Every stream ends after this much, and the client resumes it. Buffers of proxies can hold as much and more for a reader that
 * takes nothing (12 MB on one machine). The busiest board sends it in a quarter of an hour, others in hours.
 */
const MOST_BYTES = 4 * 1024 * 1024;
/** Earlier states that a resuming client may know: half a minute's if the board changes all the time. */
const HISTORY_SIZE = 32;
/** A stream takes a kilobyte or two, and one object has one core. */
const MAX_STREAMS = 5_000;
/** If half of a full board has changed, the whole board is not much longer. */
const MAX_CHANGES = 50;
/** The reconnection time is random, so that clients do not all come back at once. */
const RETRY_MS = { min: 1_000, max: 5_000 };

const heartbeat = toBytes(":\n\n");
const databaseAwayHeartbeat = toBytes(": database-away\n\n");

/**
 * Sends one ranking live to all its streams. It polls the database while there are streams, so writers of points need not
 * notify it (docs/decisions/0017). With no streams it has no timer, and the object can hibernate.
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
    /** Bans that are set, lifted or expire do not raise the version. After this long the board is read in any case. */
    private readonly refreshMs: number,
    private readonly clock: () => number = Date.now,
    private readonly random: () => number = Math.random,
  ) {}

  /** `undefined` if there are too many streams already. */
  subscribe(lastEventId: string | undefined, endsAt: number): ReadableStream<Uint8Array> | undefined {
    if (this.#streams.size >= MAX_STREAMS) return undefined;
    const now = this.clock();
    const stream = new LiveStream(lastEventId, endsAt, now, (closed) => this.#remove(closed));
    this.#streams.add(stream);
    liveStreams.open += 1;
    boardCounters.liveStreams.add({ was: lastEventId === undefined ? "opened" : "resumed" });
    stream.send(toBytes(this.#retryText()), now);
    // Without a timer nobody listened for a while, and what is in memory may be old, so the board is read first.
    if (this.#timer !== undefined) this.#broadcast([stream], now);
    else if (!this.#isPolling) void this.#poll();
    return stream.body;
  }

  /** Whether this board keeps its object awake. */
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
      console.warn(`The board ${this.source.board} could not be read for its live streams:`, String(error));
    }
    this.#isPolling = false;
    const now = this.clock();
    this.#prune(now);
    this.#broadcast([...this.#streams], now);
    if (this.#streams.size === 0) return;
    const waitMs = backoffMs(this.#failures + 1, POLL_MS, MAX_POLL_MS);
    this.#timer = setTimeout(() => void this.#poll(), waitMs);
  }

  async #read(): Promise<void> {
    const startedAt = this.clock();
    const current = this.#current;
    if (current && startedAt - current.readAt < this.refreshMs) {
      const version = await withDeadline(
        () => this.source.version(),
        READ_TIMEOUT_MS,
        "The database gave no answer",
      );
      boardCounters.database.add({ for: "live", outcome: "ok" });
      if (version === current.top.version) return;
    }
    const top = await withDeadline(() => this.source.top(), READ_TIMEOUT_MS, "The database gave no answer");
    boardCounters.database.add({ for: "live", outcome: "ok" });
    const id = liveEventId(top);
    if (current && current.id !== id) {
      this.#history.set(current.id, current.top);
    }
    this.#current = { id, top, readAt: startedAt };
  }

  /** Ends streams that are over or whose reader has stalled, and keeps the others alive. */
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

  /** Sends the board to the streams that do not have it. Most have the same earlier state, so each event is rendered once. */
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
