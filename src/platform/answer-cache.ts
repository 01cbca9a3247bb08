/** How long an answer of some kind is good. */
export interface Lifetime {
  /** From this age on one request fetches it anew, while the others are still given it … */
  refreshMs: number;
  /** … and past this nobody is given it, but while it cannot be fetched. */
  maxMs: number;
}

export type Told = "hit" | "miss" | "stale" | "coalesced";
export interface Cached<T> {
  value: T;
  readAt: number;
  told: Told;
}

interface Entry {
  value: unknown;
  chars: number;
  readAt: number;
  /** Something newer is known to exist: not to be given while it can be fetched. */
  isOutdated: boolean;
}

interface Flight {
  isOvertaken: boolean;
  landing: Promise<Entry>;
}

/** What a cache holds at most, with all that it keeps of each answer. */
const MAX_ENTRIES = 5_000;
const MAX_CHARS = 16 * 1024 * 1024;
/** After a failure the database is left alone for so long, and what there is is given at once. */
const REST_MS = 1_000;
/** Nobody waits longer than this for another's flight: whoever began it may have gone, and the flight with them. */
const FLIGHT_MS = 5_000;

/**
 * Answers by key, one flight at a time for each. A flight that was overtaken by news is given to those who waited, and is
 * outdated at once. Time is the caller's.
 */
export class AnswerCache {
  readonly counts: Record<Told, number> = { hit: 0, miss: 0, stale: 0, coalesced: 0 };
  readonly #entries = new Map<string, Entry>();
  readonly #flights = new Map<string, Flight>();
  readonly #failedAt = new Map<string, number>();
  #chars = 0;

  /**
   * `fetch` is asked for a value that is not held; `keepAlive` is handed what goes on after the answer. Rejects where
   * nothing is held and fetching failed.
   */
  async get<T>(
    key: string,
    lifetime: Lifetime,
    now: number,
    fetch: () => Promise<T>,
    keepAlive: (work: Promise<unknown>) => void,
  ): Promise<Cached<T>> {
    const held = this.#entries.get(key);
    const ageMs = held ? Math.max(0, now - held.readAt) : Number.POSITIVE_INFINITY;
    if (held && !held.isOutdated && ageMs < lifetime.maxMs) {
      this.#touch(key, held);
      if (ageMs >= lifetime.refreshMs && !this.#isResting(key, now)) {
        keepAlive(this.#fly(key, now, fetch).catch(() => undefined));
      }
      return this.#told(held, "hit");
    }
    if (held && this.#isResting(key, now)) return this.#told(held, "stale");
    const isFirst = !this.#flights.has(key);
    const flight = this.#fly(key, now, fetch);
    keepAlive(flight.catch(() => undefined));
    try {
      return this.#told(await withinFlight(flight), isFirst ? "miss" : "coalesced");
    } catch (error) {
      if (held) return this.#told(held, "stale");
      throw error;
    }
  }

  /** Whatever is held under keys that begin so is no longer the newest. */
  outdate(prefix: string): void {
    for (const [key, entry] of this.#entries) {
      if (key.startsWith(prefix)) entry.isOutdated = true;
    }
    for (const [key, flight] of this.#flights) {
      if (!key.startsWith(prefix)) continue;
      // Whoever comes from now on wants what is newer than what it brings.
      flight.isOvertaken = true;
      this.#flights.delete(key);
    }
  }

  get size(): { entries: number; chars: number } {
    return { entries: this.#entries.size, chars: this.#chars };
  }

  #fly(key: string, now: number, fetch: () => Promise<unknown>): Promise<Entry> {
    const under = this.#flights.get(key);
    if (under) return under.landing;
    const flight = { isOvertaken: false };
    const landing = this.#land(key, now, flight, fetch);
    this.#flights.set(key, Object.assign(flight, { landing }));
    return landing;
  }

  async #land(
    key: string,
    now: number,
    flight: { isOvertaken: boolean },
    fetch: () => Promise<unknown>,
  ): Promise<Entry> {
    try {
      const value = await fetch();
      const entry = {
        value,
        chars: JSON.stringify(value)?.length ?? 0,
        readAt: now,
        isOutdated: flight.isOvertaken,
      };
      this.#failedAt.delete(key);
      // A newer one may have landed before it.
      if (!entry.isOutdated || !this.#entries.has(key)) this.#keep(key, entry);
      return entry;
    } catch (error) {
      if (this.#failedAt.size >= MAX_ENTRIES) this.#failedAt.clear();
      this.#failedAt.set(key, now);
      throw error;
    } finally {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    }
  }

  #keep(key: string, entry: Entry): void {
    this.#drop(key);
    this.#entries.set(key, entry);
    this.#chars += entry.chars + key.length;
    // A map goes through its keys in the order in which they were set: the first is the one unused for longest.
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_ENTRIES && this.#chars <= MAX_CHARS) break;
      this.#drop(oldest);
    }
  }

  #touch(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#chars -= entry.chars + key.length;
  }

  #isResting(key: string, now: number): boolean {
    const failedAt = this.#failedAt.get(key);
    return failedAt !== undefined && now - failedAt < REST_MS;
  }

  #told<T>({ value, readAt }: Entry, told: Told): Cached<T> {
    this.counts[told] += 1;
    return { value: value as T, readAt, told };
  }
}

async function withinFlight<T>(flight: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The database gave no answer within ${FLIGHT_MS} ms.`)),
      FLIGHT_MS,
    );
  });
  try {
    return await Promise.race([flight, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** What this instance knows of boards: its rooms' batches outdate what its readers are given. */
export const boardAnswers = new AnswerCache();
