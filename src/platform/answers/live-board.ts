import type { LiveTop } from "../../protocol/live";
import { counts } from "../watch/counts";
import { within } from "../within";
import { changeBetween, liveId } from "./live-change";
import { bytesOf, eventText, LiveStream } from "./live-stream";
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
const LOOK_MS = 1_000;
/** … and while the database is away less and less often, down to this. */
const LONGEST_MS = 15_000;
const DEADLINE_MS = 5_000;
/** Between two words of any kind, so that nobody on the way takes the line for dead. */
const BEAT_MS = 15_000;
/** Who reads nothing for so long is sent away … */
const DEAF_MS = 60_000;
/**
 * … and everybody after so much, to come back with what they know: buffers on the way take as much and more (12 MB on one's own
 * machine) for somebody who reads nothing. The busiest board tells it in a quarter of an hour, others in hours.
 */
const MOST_BYTES = 4 * 1024 * 1024;
/** Boards that somebody may still know when they come back: half a minute's, where it changes all the time. */
const MOST_EARLIER = 32;
/** A stream holds a kilobyte or two, and one object has a core. */
const MOST_STREAMS = 5_000;
/** Where half of a full board is another, the whole is not much longer. */
const MOST_CHANGES = 50;
/** When to come back is told by chance, so that not all come at once. */
const RETRY_MS = { least: 1_000, most: 5_000 };

const beat = bytesOf(":\n\n");
const awayBeat = bytesOf(": database-away\n\n");

/**
 * One ranking, told live to all who listen. It asks the database only while somebody does, and then by itself: so whoever writes
 * points, wherever, has nobody to tell (docs/decisions/0017). With nobody left it has no timer, and sleeps.
 */
export class LiveBoard {
  readonly #streams = new Set<LiveStream>();
  readonly #earlier = new Map<string, LiveTop>();
  #now: { id: string; top: LiveTop; readAt: number } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isLooking = false;
  #failures = 0;

  constructor(
    private readonly source: LiveSource,
    /** Some changes raise no version: bans that are set, lifted, or end. After so long the board is read in any case. */
    private readonly refreshMs: number,
    private readonly clock: () => number = Date.now,
    private readonly random: () => number = Math.random,
  ) {}

  /** Nothing where too many listen already. */
  listen(knows: string | undefined, endsAt: number): ReadableStream<Uint8Array> | undefined {
    if (this.#streams.size >= MOST_STREAMS) return undefined;
    const now = this.clock();
    const stream = new LiveStream(knows, endsAt, now, (gone) => this.#left(gone));
    this.#streams.add(stream);
    liveStreams.open += 1;
    counts.live.add({ was: knows === undefined ? "opened" : "resumed" });
    stream.give(bytesOf(this.#retry()), now);
    // What is held may be old where nobody listened meanwhile: then there is no timer, and it is read first.
    if (this.#timer !== undefined) this.#tell([stream], now);
    else if (!this.#isLooking) void this.#look();
    return stream.body;
  }

  /** Whether anything here keeps its object awake. */
  get isAwake(): boolean {
    return this.#streams.size > 0 || this.#timer !== undefined || this.#isLooking;
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#isLooking = true;
    try {
      await this.#read();
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      counts.database.add({ for: "live", outcome: "failed" });
      console.warn(`The board ${this.source.board} could not be read for who listens:`, String(error));
    }
    this.#isLooking = false;
    const now = this.clock();
    this.#part(now);
    this.#tell([...this.#streams], now);
    if (this.#streams.size === 0) return;
    const waitMs = Math.min(LOOK_MS * 2 ** Math.min(this.#failures, 10), LONGEST_MS);
    this.#timer = setTimeout(() => void this.#look(), waitMs);
  }

  async #read(): Promise<void> {
    const startedAt = this.clock();
    const held = this.#now;
    if (held && startedAt - held.readAt < this.refreshMs) {
      const version = await within(this.source.version(), DEADLINE_MS, "The database gave no answer");
      counts.database.add({ for: "live", outcome: "ok" });
      if (version === held.top.version) return;
    }
    const top = await within(this.source.top(), DEADLINE_MS, "The database gave no answer");
    counts.database.add({ for: "live", outcome: "ok" });
    const id = liveId(top);
    if (held && held.id !== id) {
      this.#earlier.delete(held.id);
      this.#earlier.set(held.id, held.top);
      const [oldest] = this.#earlier.keys();
      if (oldest !== undefined && this.#earlier.size > MOST_EARLIER) this.#earlier.delete(oldest);
    }
    this.#now = { id, top, readAt: startedAt };
  }

  /** Whose time is over, and who does not read. */
  #part(now: number): void {
    for (const stream of [...this.#streams]) {
      if (!stream.reads && now - stream.givenAt >= DEAF_MS) stream.cut();
      else if (now >= stream.endsAt || stream.givenBytes >= MOST_BYTES) stream.end(bytesOf(this.#retry()));
      else if (stream.reads && now - stream.givenAt >= BEAT_MS) {
        stream.give(this.#failures > 0 ? awayBeat : beat, now);
      }
    }
  }

  /** Everybody who does not know it; most of them know the same, so it is written once. */
  #tell(streams: readonly LiveStream[], now: number): void {
    const held = this.#now;
    if (!held) return;
    const texts = new Map<string | undefined, { event: "board" | "change"; bytes: Uint8Array }>();
    for (const stream of streams) {
      if (stream.knows === held.id || !stream.reads) continue;
      const told = texts.get(stream.knows) ?? this.#written(stream.knows, held);
      texts.set(stream.knows, told);
      stream.knows = held.id;
      stream.give(told.bytes, now);
      counts.liveEvents.add({ event: told.event });
    }
  }

  #written(knows: string | undefined, { id, top }: { id: string; top: LiveTop }) {
    const before = knows === undefined ? undefined : this.#earlier.get(knows);
    const { board, period } = this.source;
    const change = before && changeBetween(before, top);
    return change && change.changed.length + change.gone.length <= MOST_CHANGES
      ? { event: "change" as const, bytes: bytesOf(eventText("change", id, change)) }
      : { event: "board" as const, bytes: bytesOf(eventText("board", id, { board, period, ...top })) };
  }

  #left(stream: LiveStream): void {
    if (!this.#streams.delete(stream)) return;
    liveStreams.open -= 1;
    const isOver = this.clock() >= stream.endsAt || stream.givenBytes >= MOST_BYTES;
    counts.live.add({ was: isOver ? "closed" : "dropped" });
    if (this.#streams.size > 0 || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #retry(): string {
    const { least, most } = RETRY_MS;
    return `retry: ${Math.round(least + this.random() * (most - least))}\n\n`;
  }
}
