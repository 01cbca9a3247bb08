import { RejectionError } from "../../../edge/http/rejection-error";
import { withDeadline } from "../../../lib/deadline";
import { boardCounters } from "../counters";
import type { CacheKind, Lifetime } from "./cache-kinds";
import { type CacheBounds, type CacheEntry, CacheStore } from "./cache-store";
import type { CircuitBreaker } from "./circuit-breaker";
import type { Invalidations } from "./invalidations";
import type { PlatformCache } from "./platform-cache";

export type CacheStatus = "hit" | "miss" | "stale" | "coalesced";
export interface CachedValue<T> {
  value: T;
  readAt: number;
  status: CacheStatus;
}

export interface CacheQuery<T> {
  /** An invalidation of this board makes the value stale. */
  board: string;
  /** Made of validated parts only. */
  key: string;
  lifetime: Lifetime;
  /** Reads the database. */
  fetch(): Promise<T>;
  /** Keeps work alive after the response is sent. */
  keepAlive(work: Promise<unknown>): void;
  /** Called before the database is read for a request; rejects with a `RejectionError`. Not called for a fetch ahead of time. */
  admit?(): Promise<void>;
}

/** What the caches of all kinds share. */
export interface CacheParts {
  invalidations: Invalidations;
  breaker: CircuitBreaker;
  platformCache: PlatformCache;
}

interface FetchResult<T> extends CacheEntry<T> {
  from: "platform" | "database";
  isStale?: true;
}
interface Flight<T> {
  generation: number;
  startedAt: number;
  result: Promise<FetchResult<T>>;
}

/** A call of the database that takes longer counts as failed. */
const FETCH_TIMEOUT_MS = 5_000;
/** The longest wait for another request's flight, which ends if that request is gone. */
const FLIGHT_TIMEOUT_MS = 6_000;
/** The longest wait if a stale value is cached. */
const STALE_WAIT_MS = 1_500;
/** A request that waited for a flight which was not admitted tries again, this many times. */
const MAX_ROUNDS = 3;

/**
 * Values of one kind by key: from memory, then the platform's cache, then the database, with one flight at a time for each key.
 * A value keeps its age wherever it is stored. The caller passes the time.
 *
 * ```
 *                     ┌ fresh, not invalidated ─► hit (past half of its lifetime one request fetches it ahead of time)
 *  request ─► cached? ┤
 *                     └ flight ─► platform's cache ─► database ─► stored in both
 *                                                        └ fails ─► the cached value, however old: stale
 * ```
 */
export class BoardCache<T> {
  readonly #store: CacheStore<T>;
  readonly #flights = new Map<string, Flight<T>>();

  constructor(
    private readonly kind: CacheKind<T>,
    bounds: CacheBounds,
    private readonly parts: CacheParts,
  ) {
    this.#store = new CacheStore(bounds);
  }

  /** Rejects if nothing is cached and the fetch fails. */
  async get(query: CacheQuery<T>, now: number): Promise<CachedValue<T>> {
    const { key, lifetime } = query;
    for (let round = 1; ; round += 1) {
      const cached = this.#store.get(key);
      const isOpen = this.parts.breaker.isOpen(key, now);
      const ageMs = cached ? Math.max(0, now - cached.readAt) : Number.POSITIVE_INFINITY;
      if (
        cached &&
        cached.generation >= this.parts.invalidations.generationOf(query.board) &&
        ageMs < lifetime.maxMs
      ) {
        // Another request's promise is not used here: what is chained to it would end with this request.
        const isDue = ageMs >= lifetime.refreshMs && !isOpen && !this.#inFlight(query, now);
        if (isDue) this.#startFlight(query, now, false).catch(() => undefined);
        return this.#respond(cached, "hit");
      }
      const inFlight = this.#inFlight(query, now);
      if (cached && (isOpen || (inFlight && now - inFlight.startedAt >= STALE_WAIT_MS))) {
        return this.#respond(cached, "stale");
      }
      try {
        const flight = this.#startFlight(query, now, true);
        const loaded = await withDeadline(
          () => flight,
          cached ? STALE_WAIT_MS : FLIGHT_TIMEOUT_MS,
          "The database gave no answer",
        );
        if (loaded.isStale) return this.#respond(loaded, "stale");
        return this.#respond(loaded, loaded.from === "platform" ? "hit" : inFlight ? "coalesced" : "miss");
      } catch (error) {
        if (error instanceof RejectionError) {
          if (!inFlight || round >= MAX_ROUNDS) throw error;
          continue;
        }
        if (cached) return this.#respond(cached, "stale");
        throw error;
      }
    }
  }

  get size(): CacheBounds {
    return this.#store.size;
  }

  /** Ignores a flight that was invalidated, or that started too long ago to finish. */
  #inFlight({ key, board }: CacheQuery<T>, now: number): Flight<T> | undefined {
    const flight = this.#flights.get(key);
    if (!flight || flight.generation < this.parts.invalidations.generationOf(board)) return undefined;
    return now - flight.startedAt < FLIGHT_TIMEOUT_MS ? flight : undefined;
  }

  #startFlight(query: CacheQuery<T>, now: number, isRequested: boolean): Promise<FetchResult<T>> {
    const inFlight = this.#inFlight(query, now);
    if (inFlight) return inFlight.result;
    const { key, keepAlive } = query;
    const generation = this.parts.invalidations.nextGeneration();
    const flight: Flight<T> = {
      generation,
      startedAt: now,
      result: this.#load(query, generation, now, isRequested),
    };
    this.#flights.set(key, flight);
    const remove = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    keepAlive(flight.result.then(remove, remove));
    return flight.result;
  }

  async #load(
    query: CacheQuery<T>,
    generation: number,
    now: number,
    isRequested: boolean,
  ): Promise<FetchResult<T>> {
    const { key, lifetime, board } = query;
    const { invalidations, breaker, platformCache } = this.parts;
    const found = lifetime.maxMs > 0 ? await platformCache.find(this.kind, key) : undefined;
    const stored = found && {
      ...found,
      chars: JSON.stringify(found.value).length,
      from: "platform" as const,
    };
    // A fetch ahead of time gains nothing from a value that is due for a refresh itself.
    const maxAgeMs = isRequested ? lifetime.maxMs : lifetime.refreshMs;
    if (stored && stored.readAt > invalidations.invalidatedAt(board) && now - stored.readAt < maxAgeMs) {
      boardCounters.cacheFetches.add({ from: "platform" });
      return this.#save(key, { ...stored, generation });
    }
    try {
      if (breaker.isOpen(key, now))
        throw new Error("The database has just failed, so it is not called for a moment.");
      if (isRequested) await query.admit?.();
      const loaded = await this.#fetch(query, generation, now);
      breaker.recordSuccess(key);
      return this.#save(key, loaded);
    } catch (error) {
      // An expired value of another process in this data centre is better than none.
      if (error instanceof RejectionError) throw error;
      if (stored && !this.#store.get(key))
        return this.#save(key, { ...stored, generation: 0, isStale: true });
      boardCounters.cacheFetches.add({ from: "nowhere" });
      throw error;
    }
  }

  async #fetch(
    { key, fetch, lifetime, keepAlive }: CacheQuery<T>,
    generation: number,
    now: number,
  ): Promise<FetchResult<T>> {
    const { breaker, platformCache } = this.parts;
    try {
      const value = await withDeadline(() => fetch(), FETCH_TIMEOUT_MS, "The database gave no answer");
      this.#count("ok");
      boardCounters.cacheFetches.add({ from: "database" });
      const json = JSON.stringify(value);
      if (lifetime.maxMs > 0) keepAlive(platformCache.put(key, json, now));
      return { value, readAt: now, generation, chars: json.length, from: "database" };
    } catch (error) {
      this.#count("failed");
      breaker.recordFailure(key, error, now, FETCH_TIMEOUT_MS);
      throw error;
    }
  }

  #count(outcome: "ok" | "failed"): void {
    boardCounters.database.add({ for: "read", outcome });
  }

  #save(key: string, loaded: FetchResult<T>): FetchResult<T> {
    // A flight that started later may have finished first.
    if ((this.#store.get(key)?.generation ?? -1) <= loaded.generation) this.#store.set(key, loaded);
    return loaded;
  }

  #respond({ value, readAt }: CacheEntry<T>, status: CacheStatus): CachedValue<T> {
    boardCounters.cacheReads.add({ kind: this.kind.name, told: status });
    return { value, readAt, status };
  }
}
