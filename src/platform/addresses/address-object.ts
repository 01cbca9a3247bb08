import type { ObjectStorage } from "../room-storage";
import { type AddressAnswer, type AddressAsk, AddressWindows, type Stamp } from "./address-windows";

/**
 * Stamps a record. A record is rewritten as it fills, so it is small; and it goes as a whole once its newest stamp has aged.
 */
const STAMPS_A_RECORD = 100;
const PREFIX = "w/";
const keyOf = (n: number) => `${PREFIX}${String(n).padStart(12, "0")}`;
/** A platform deletes so many at once. */
const PAIRS = 100;

interface Held {
  n: number;
  /** When the last of its stamps has left its window. */
  until: number;
}

/**
 * One address: its windows, kept in an object of their own, since neither a process nor a machine sees all that comes from
 * there. Every stamp is stored before the answer that follows from it leaves; an alarm removes what has aged, to the last.
 */
export class AddressObject {
  #windows: AddressWindows | undefined;
  #records: Held[] = [];
  #open: Stamp[] = [];
  #hasAlarm = false;

  constructor(
    private readonly storage: ObjectStorage,
    /** Delivers nothing to this object until the work is done. */
    private readonly block: <T>(work: () => Promise<T>) => Promise<T>,
  ) {}

  async ask(ask: AddressAsk, now: number): Promise<AddressAnswer> {
    const windows = this.#windows ?? (await this.block(() => this.#restore()));
    const { answer, stamps } = windows.ask(ask, now);
    // Nothing is awaited: the platform holds the answer back until these are durable.
    this.#store(stamps);
    if (stamps.length > 0) this.#letGo(now);
    return answer;
  }

  async alarm(now: number): Promise<void> {
    await this.block(() => this.#restore());
    this.#hasAlarm = false;
    this.#letGo(now);
    const newest = Math.max(0, ...this.#records.map(({ until }) => until));
    if (newest > now) return this.#wakeAt(newest);
    this.#windows = undefined;
    this.#records = [];
    this.#open = [];
    await this.storage.deleteAll();
  }

  async #restore(): Promise<AddressWindows> {
    if (this.#windows) return this.#windows;
    this.#hasAlarm = (await this.storage.getAlarm()) !== null;
    const stored = await this.storage.list({ prefix: PREFIX });
    const all = [...stored.values()].flatMap((record) => record as Stamp[]);
    const windows = new AddressWindows(all.at(-1)?.[1] ?? 0);
    for (const stamp of all) windows.restore(stamp);
    this.#records = [...stored].map(([key, record]) => ({
      n: Number(key.slice(PREFIX.length)),
      until: Math.max(...(record as Stamp[]).map(([, at, perMs]) => at + perMs)),
    }));
    this.#open = ([...stored.values()].at(-1) as Stamp[] | undefined) ?? [];
    this.#windows = windows;
    return windows;
  }

  /** Each record that they touch is written once: a window that is filled has as many stamps as it is wide. */
  #store(stamps: readonly Stamp[]): void {
    const touched = new Map<number, Stamp[]>();
    for (const stamp of stamps) touched.set(this.#add(stamp), this.#open);
    for (const [n, record] of touched) this.#watch(this.storage.put(keyOf(n), record));
    const [first] = stamps;
    if (first && !this.#hasAlarm) this.#watch(this.#wakeAt(first[1] + first[2]));
  }

  /** Answers the number of its record. */
  #add(stamp: Stamp): number {
    const [, at, perMs] = stamp;
    let record = this.#records.at(-1);
    if (!record || this.#open.length >= STAMPS_A_RECORD) {
      record = { n: (record?.n ?? 0) + 1, until: 0 };
      this.#records.push(record);
      this.#open = [];
    }
    this.#open.push(stamp);
    record.until = Math.max(record.until, at + perMs);
    return record.n;
  }

  /** Records that hold nothing of use any more, but for the one that fills. */
  #letGo(now: number): void {
    const gone = this.#records.slice(0, -1).filter(({ until }) => until <= now);
    if (gone.length === 0) return;
    this.#records = this.#records.filter((record) => !gone.includes(record));
    for (let from = 0; from < gone.length; from += PAIRS) {
      this.#watch(this.storage.delete(gone.slice(from, from + PAIRS).map(({ n }) => keyOf(n))));
    }
  }

  /** What was not stored is not to be known either: the next ask begins from storage. */
  #watch(write: Promise<unknown>): void {
    write.catch((error) => {
      console.error("An address could not be stored:", error);
      this.#windows = undefined;
    });
  }

  #wakeAt(at: number): Promise<void> {
    this.#hasAlarm = true;
    return this.storage.setAlarm(Math.ceil(at));
  }
}
