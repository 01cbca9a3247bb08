import type { Storage } from "../../room/ports";
import { type IpLimitRequest, type IpLimitResult, IpWindows, type Stamp } from "./ip-windows";

/**
 * Stamps per record. A record is rewritten as it fills, so it is small. It is deleted as a whole once its newest stamp has aged.
 */
const STAMPS_PER_RECORD = 100;
/** 60 MB of an object's 128, if each stamp is of another address. Past it this object counts nothing more, and each process decides by itself. */
const MAX_STAMPS = 100_000;
/** How often aged stamps are dropped from memory. */
const SWEEP_MS = 60_000;
const RECORD_PREFIX = "w/";
const RECORD_KEY = /^w\/\d{12}\/\d{12}$/;
const padded = (n: number) => String(n).padStart(12, "0");
const recordKey = (widthMs: number, n: number) => `${RECORD_PREFIX}${padded(widthMs)}/${padded(n)}`;
/** A platform's limit for one delete. */
const MAX_KEYS_PER_CALL = 100;

/** The stamps of windows of one width, oldest first. One log per width, so that no record is kept for a single stamp that lasts longer. */
interface Log {
  records: { n: number; until: number; size: number }[];
  /** The stamps of the last record, which is being filled. */
  open: Stamp[];
}

/**
 * The windows of many addresses, in one of a few objects, because no single process sees all requests of an address. Every stamp is
 * stored before the response that follows from it leaves. An alarm deletes what has aged.
 */
export class IpWindowsStore {
  #windows: IpWindows | undefined;
  #logs = new Map<number, Log>();
  #stampCount = 0;
  #alarmAt: number | null = null;
  #sweepAt = 0;

  constructor(
    private readonly storage: Storage,
    /** The platform delivers nothing to this object until the work is done. */
    private readonly block: <T>(work: () => Promise<T>) => Promise<T>,
    private readonly maxStamps = MAX_STAMPS,
  ) {}

  /** A full object still rejects what its windows reject, and counts nothing more. */
  async check(request: IpLimitRequest, now: number): Promise<IpLimitResult> {
    const windows = this.#windows ?? (await this.block(() => this.#restore()));
    this.#deleteExpired(now);
    const isFull = this.#stampCount >= this.maxStamps;
    const { answer, stamps } = windows.check(request, now, isFull);
    // Not awaited: the platform holds the response back until these writes are durable.
    this.#store(stamps);
    if (now >= this.#sweepAt) {
      windows.sweep();
      this.#sweepAt = now + SWEEP_MS;
    }
    return answer.ok && isFull ? { ok: true, isFull } : answer;
  }

  async alarm(now: number): Promise<void> {
    const windows = await this.block(() => this.#restore());
    this.#alarmAt = null;
    this.#deleteExpired(now, true);
    windows.sweep();
    const next = Math.min(...[...this.#logs.values()].map(({ records }) => records.at(-1)?.until ?? now));
    if (this.#logs.size > 0) return this.#setAlarm(next);
    this.#windows = undefined;
    await this.storage.deleteAll();
  }

  async #restore(): Promise<IpWindows> {
    if (this.#windows) return this.#windows;
    this.#alarmAt = await this.storage.getAlarm();
    const stored = await this.storage.list({ prefix: RECORD_PREFIX });
    this.#logs = new Map();
    this.#stampCount = 0;
    const all: Stamp[] = [];
    // Records under other keys would never be deleted. They are only counts, which can start again.
    const isReadable = [...stored.keys()].every((key) => RECORD_KEY.test(key));
    if (!isReadable) {
      this.#alarmAt = null;
      await this.storage.deleteAll();
    }
    for (const [key, record] of isReadable ? stored : []) {
      const [widthMs = 0, n = 0] = key.slice(RECORD_PREFIX.length).split("/").map(Number);
      const open = record as Stamp[];
      const until = Math.max(...open.map(([, , at, perMs]) => at + perMs));
      const log = this.#log(widthMs);
      log.records.push({ n, until, size: open.length });
      log.open = open;
      this.#stampCount += open.length;
      all.push(...open);
    }
    all.sort(([, , a], [, , b]) => a - b);
    const windows = new IpWindows(all.at(-1)?.[2] ?? 0);
    for (const stamp of all) windows.restore(stamp);
    windows.sweep();
    this.#windows = windows;
    return windows;
  }

  /** Writes each record that the stamps touch once, because one call can fill a whole window. */
  #store(stamps: readonly Stamp[]): void {
    if (stamps.length === 0) return;
    const widthMs = Math.max(...stamps.map(([, , , perMs]) => perMs));
    const log = this.#log(widthMs);
    const touched = new Map<number, Stamp[]>();
    for (const stamp of stamps) touched.set(this.#add(log, stamp), log.open);
    for (const [n, record] of touched) this.#watchWrite(this.storage.put(recordKey(widthMs, n), record));
    const until = log.records.at(-1)?.until ?? 0;
    if (this.#alarmAt === null || until < this.#alarmAt) this.#watchWrite(this.#setAlarm(until));
  }

  /** Returns the number of its record. */
  #add(log: Log, stamp: Stamp): number {
    const [, , at, perMs] = stamp;
    let record = log.records.at(-1);
    if (!record || log.open.length >= STAMPS_PER_RECORD) {
      record = { n: (record?.n ?? 0) + 1, until: 0, size: 0 };
      log.records.push(record);
      log.open = [];
    }
    log.open.push(stamp);
    record.size += 1;
    this.#stampCount += 1;
    record.until = Math.max(record.until, at + perMs);
    return record.n;
  }

  #log(widthMs: number): Log {
    const log = this.#logs.get(widthMs) ?? { records: [], open: [] };
    this.#logs.set(widthMs, log);
    return log;
  }

  /** Deletes records whose stamps have all aged. `all`: also those that are being filled. */
  #deleteExpired(now: number, all = false): void {
    const expired: string[] = [];
    for (const [widthMs, { records }] of this.#logs) {
      for (let first = records[0]; first && first.until <= now; first = records[0]) {
        if (!all && records.length === 1) break;
        records.shift();
        this.#stampCount -= first.size;
        expired.push(recordKey(widthMs, first.n));
      }
      if (records.length === 0) this.#logs.delete(widthMs);
    }
    for (let from = 0; from < expired.length; from += MAX_KEYS_PER_CALL) {
      this.#watchWrite(this.storage.delete(expired.slice(from, from + MAX_KEYS_PER_CALL)));
    }
  }

  /** After a failed write memory is ahead of storage, so the next call restores from storage. */
  #watchWrite(write: Promise<unknown>): void {
    write.catch((error) => {
      console.error("Windows of addresses could not be stored:", error);
      this.#windows = undefined;
    });
  }

  #setAlarm(at: number): Promise<void> {
    this.#alarmAt = at;
    return this.storage.setAlarm(Math.ceil(at));
  }
}
