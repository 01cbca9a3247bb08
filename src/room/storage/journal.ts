import {
  MAX_RECORD_CHARS,
  RESEND_MS,
  SNAPSHOT_EVERY_CHARS,
  SNAPSHOT_EVERY_FRAMES,
} from "../../protocol/limits";
import type { EventLog } from "../delivery/event-log";
import type { HostPorts } from "../ports";
import type { RoomState, Snapshot } from "../state/room-state";
import type { KeyPool } from "./key-pool";
import { type StoredFrame, storedChars, storeOperation } from "./record";
import { type PackList, SnapshotParts } from "./snapshot-parts";

/** What is read first: which room this is, and where its parts lie. */
export interface Head {
  kind: string;
  id: string;
  epoch: string;
  createdAt: number;
  snapshot?: { n: number; chunks: number } & PackList;
  /** Operation ids whose records were let go before the ids might be: kept apart, each written once. */
  operations: { n: number; chunks: number; until: number }[];
  /** Resuming from before this number needs a snapshot: other code folded what was before. */
  floor: number;
  /** The oldest record that is wanted; older ones may wait in storage to be written over. */
  first: number;
  /** Who opened it was a guest: it feeds no board but its own. */
  openedByGuest?: true;
  /** It was closed while it owed something to the outside: it lives on, unseen, until that is settled. */
  isEnded?: true;
  /** The features' versions that wrote last. */
  versions: Readonly<Record<string, string>>;
}

export const HEAD = "room";
/** Where a record lies, which says nothing about which one it is. */
export const RECORDS = "j/";
export const keyName = (key: number) => `${RECORDS}${String(key).padStart(12, "0")}`;
export const keyNumber = (name: string) => Number(name.slice(RECORDS.length));
export const chunkKey = (what: "s" | "o", n: number, chunk: number) =>
  `${what}/${n}/${String(chunk).padStart(5, "0")}`;

/** Keys of records, snapshots and their packs, and ids: all but the head, and what a platform keeps beside them. */
export const isOfRoom = /^[jsop]\//;

/** A platform deletes so many keys in one call; more calls without an `await` between commit together all the same. */
const KEYS = 100;

/**
 * Writes a room's frames and snapshots. Nothing here waits: writes are issued in one breath with the sends that depend
 * on them, so that the platform commits them together and holds the sends until they are durable.
 */
export class Journal {
  #sinceSnapshot = { frames: 0, chars: 0 };
  readonly packs = new SnapshotParts();

  constructor(
    private readonly host: HostPorts,
    readonly head: Head,
    private readonly keys: KeyPool,
    private isNew: boolean,
  ) {}

  append(stored: StoredFrame): void {
    const chars = storedChars(stored);
    this.#put(keyName(this.keys.take(chars)), stored);
    if (this.isNew) this.#put(HEAD, this.head);
    this.isNew = false;
    this.#sinceSnapshot.frames++;
    this.#sinceSnapshot.chars += chars;
  }

  /** A write failed: memory is ahead of storage, and nothing more may leave this instance. */
  isBroken = false;

  readonly #fail = (error: unknown): void => {
    this.isBroken = true;
    this.host.report("A write failed", error);
    this.host.broken();
  };

  /** What a restore found after the snapshot counts towards the next one. */
  countRestored(frames: number, chars: number): void {
    this.#sinceSnapshot.frames += frames;
    this.#sinceSnapshot.chars += chars;
  }

  get wantsSnapshot(): boolean {
    const { frames, chars } = this.#sinceSnapshot;
    return frames >= SNAPSHOT_EVERY_FRAMES || chars >= SNAPSHOT_EVERY_CHARS;
  }

  /** From here on it is a closed room, also to whoever restores it. */
  markEnded(): void {
    this.head.isEnded = true;
    this.#put(HEAD, this.head);
  }

  /**
   * Snapshot and pointer in one commit, and in the same one older records go that recovery no longer wants.
   */
  snapshot(memory: RoomState, log: EventLog, now: number): void {
    this.#sinceSnapshot = { frames: 0, chars: 0 };
    const old = this.head.snapshot;
    const parts = this.packs.write(memory.slices.split());
    for (const [key, text] of parts.puts) this.#put(key, text);
    const rest: Snapshot = memory.snapshot(memory.slices.storeRest());
    const chunks = this.#putChunks("s", memory.n, JSON.stringify(rest));
    this.head.snapshot = { n: memory.n, chunks };
    Object.assign(this.head.snapshot, parts.list);
    if (!memory.openedByGuest) delete this.head.openedByGuest;
    log.trim(now);
    const keepFrom = log.oldestRecord ?? memory.n + 1;
    const gone: string[] = old && old.n !== memory.n ? chunkKeys("s", old.n, old.chunks) : [];
    if (keepFrom > this.head.first) this.#carryOperations(memory, keepFrom, now);
    for (const key of this.keys.release(keepFrom - this.head.first)) gone.push(keyName(key));
    this.head.first = keepFrom;
    // Not by the clock alone: it may have stepped ahead.
    memory.idempotency.expire(now);
    const { oldestAt } = memory.idempotency;
    const ended = this.head.operations.filter(({ until }) => until - RESEND_MS < oldestAt);
    this.head.operations = this.head.operations.filter(({ until }) => until - RESEND_MS >= oldestAt);
    for (const { n, chunks: count } of ended) gone.push(...chunkKeys("o", n, count));
    gone.push(...parts.deletes);
    this.#put(HEAD, this.head);
    this.#delete(gone);
    this.#onceDurable(parts.confirm);
  }

  /** Ids outlive the records that recovery wants: kept apart, each written once more. */
  #carryOperations(memory: RoomState, keepFrom: number, now: number): void {
    const carried = [...memory.idempotency.ofRecords(this.head.first, keepFrom, now)];
    const newest = carried.at(-1);
    if (!newest) return;
    const chunks = this.#putChunks("o", memory.n, JSON.stringify(carried.map(storeOperation)));
    this.head.operations.push({ n: memory.n, chunks, until: newest.at + RESEND_MS });
  }

  #putChunks(what: "s" | "o", n: number, text: string): number {
    let chunk = 0;
    for (let from = 0; from < text.length; from += MAX_RECORD_CHARS) {
      this.#put(chunkKey(what, n, chunk++), text.slice(from, from + MAX_RECORD_CHARS));
    }
    return chunk;
  }

  #put(key: string, value: unknown): void {
    this.#watch(() => this.host.storage.put(key, value));
  }

  /** Where a write fails, this is not the one to say so. */
  #onceDurable(confirm: () => void): void {
    if (!this.isBroken) this.host.storage.sync().then(confirm, () => {});
  }

  #delete(keys: string[]): void {
    for (let from = 0; from < keys.length; from += KEYS) {
      const part = keys.slice(from, from + KEYS);
      this.#watch(() => this.host.storage.delete(part));
    }
  }

  /** A write that fails leaves memory ahead of storage: this instance must not speak again. */
  #watch(write: () => Promise<unknown>): void {
    // What follows it would be a record after a gap, or a pointer to what is not there.
    if (this.isBroken) return;
    try {
      write().then(undefined, this.#fail);
    } catch (error) {
      this.#fail(error);
    }
  }
}

function chunkKeys(what: "s" | "o", n: number, chunks: number): string[] {
  return Array.from({ length: chunks }, (_, chunk) => chunkKey(what, n, chunk));
}
