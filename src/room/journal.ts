import { MAX_RECORD_CHARS, RESEND_MS, SNAPSHOT_EVERY_CHARS, SNAPSHOT_EVERY_FRAMES } from "../protocol/limits";
import type { EventLog } from "./event-log";
import type { Memory, Snapshot } from "./memory";
import type { World } from "./ports";
import { type FrameRecord, recordChars, storeOperation } from "./record";

/** What is read first: which room this is, and where its parts lie. */
export interface Head {
  kind: string;
  id: string;
  epoch: string;
  createdAt: number;
  snapshot?: { n: number; chunks: number };
  /** Operation ids whose records were let go before the ids might be: kept apart, each written once. */
  operations: { n: number; chunks: number; until: number }[];
  /** Resuming from before this number needs a snapshot: other code folded what was before. */
  floor: number;
  /** The oldest record kept. */
  first: number;
  /** The features' versions that wrote last. */
  versions: Readonly<Record<string, string>>;
}

export const HEAD = "room";
export const recordKey = (n: number) => `j/${String(n).padStart(12, "0")}`;
export const chunkKey = (what: "s" | "o", n: number, chunk: number) =>
  `${what}/${n}/${String(chunk).padStart(5, "0")}`;

/** A platform takes so many pairs in one call; more calls without an `await` between commit together all the same. */
const PAIRS = 100;

/**
 * Writes a room's frames and snapshots. Nothing here waits: writes are issued in one breath with the sends that depend
 * on them, so that the platform commits them together and holds the sends until they are durable.
 */
export class Journal {
  #sinceSnapshot = { frames: 0, chars: 0 };

  constructor(
    private readonly world: World,
    readonly head: Head,
    private isNew: boolean,
  ) {}

  append(record: FrameRecord): void {
    const entries: Record<string, unknown> = { [recordKey(record.n)]: record };
    if (this.isNew) entries[HEAD] = this.head;
    this.isNew = false;
    this.#put(entries);
    this.#sinceSnapshot.frames++;
    this.#sinceSnapshot.chars += recordChars(record);
  }

  /** A write failed: memory is ahead of storage, and nothing more may leave this instance. */
  isBroken = false;

  /** What a restore found after the snapshot counts towards the next one. */
  found(frames: number, chars: number): void {
    this.#sinceSnapshot.frames += frames;
    this.#sinceSnapshot.chars += chars;
  }

  get wantsSnapshot(): boolean {
    const { frames, chars } = this.#sinceSnapshot;
    return frames >= SNAPSHOT_EVERY_FRAMES || chars >= SNAPSHOT_EVERY_CHARS;
  }

  /** Snapshot and pointer in one commit, and in the same one older records go that recovery no longer wants. */
  snapshot(memory: Memory, log: EventLog, now: number): void {
    this.#sinceSnapshot = { frames: 0, chars: 0 };
    const old = this.head.snapshot;
    const chunks = this.#putChunks("s", memory.n, JSON.stringify(memory.snapshot() satisfies Snapshot));
    this.head.snapshot = { n: memory.n, chunks };
    const keepFrom = log.oldestRecord ?? memory.n + 1;
    const gone: string[] = old && old.n !== memory.n ? chunkKeys("s", old.n, old.chunks) : [];
    if (keepFrom > this.head.first) {
      this.#carryOperations(memory, keepFrom, now);
      for (let n = this.head.first; n < keepFrom; n++) gone.push(recordKey(n));
      this.head.first = keepFrom;
    }
    const ended = this.head.operations.filter(({ until }) => until <= now);
    this.head.operations = this.head.operations.filter(({ until }) => until > now);
    for (const { n, chunks: count } of ended) gone.push(...chunkKeys("o", n, count));
    this.#put({ [HEAD]: this.head });
    this.#delete(gone);
  }

  /** Ids outlive the records that recovery wants: kept apart, each written once more. */
  #carryOperations(memory: Memory, keepFrom: number, now: number): void {
    const carried = [...memory.operations.ofRecords(this.head.first, keepFrom, now)];
    const newest = carried.at(-1);
    if (!newest) return;
    const chunks = this.#putChunks("o", memory.n, JSON.stringify(carried.map(storeOperation)));
    this.head.operations.push({ n: memory.n, chunks, until: newest.at + RESEND_MS });
  }

  #putChunks(what: "s" | "o", n: number, text: string): number {
    const entries: Record<string, unknown> = {};
    let chunk = 0;
    for (let from = 0; from < text.length; from += MAX_RECORD_CHARS) {
      entries[chunkKey(what, n, chunk++)] = text.slice(from, from + MAX_RECORD_CHARS);
    }
    this.#put(entries);
    return chunk;
  }

  #put(entries: Record<string, unknown>): void {
    const pairs = Object.entries(entries);
    for (let from = 0; from < pairs.length; from += PAIRS) {
      const part = pairs.length <= PAIRS ? entries : Object.fromEntries(pairs.slice(from, from + PAIRS));
      this.#watch(() => this.world.storage.put(part));
    }
  }

  #delete(keys: string[]): void {
    for (let from = 0; from < keys.length; from += PAIRS) {
      const part = keys.slice(from, from + PAIRS);
      this.#watch(() => this.world.storage.delete(part));
    }
  }

  /** A write that fails leaves memory ahead of storage: this instance must not speak again. */
  #watch(write: () => Promise<unknown>): void {
    try {
      write().catch((error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.isBroken = true;
    this.world.report("A write failed", error);
    this.world.broken();
  }
}

function chunkKeys(what: "s" | "o", n: number, chunks: number): string[] {
  return Array.from({ length: chunks }, (_, chunk) => chunkKey(what, n, chunk));
}
