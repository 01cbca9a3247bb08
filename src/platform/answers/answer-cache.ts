import { counts } from "../watch/counts";
import { within } from "../within";
import type { AnswerKind, Lifetime } from "./answer-kinds";
import { AnswerStore, type Bounds, type Entry } from "./answer-store";
import type { BoardNews } from "./board-news";
import type { DatabaseRest } from "./database-rest";
import type { PlatformCache } from "./platform-cache";

export type Told = "hit" | "miss" | "stale" | "coalesced";
export interface Cached<T> {
  value: T;
  readAt: number;
  told: Told;
}

export interface Question<T> {
  /** Whose news makes the answer old. */
  board: string;
  /** Of validated values alone. */
  key: string;
  lifetime: Lifetime;
  /** Asks the database. */
  fetch(): Promise<T>;
  /** Is handed what goes on after the answer. */
  keepAlive(work: Promise<unknown>): void;
  /** Before the database is asked in somebody's name: rejects with `NotAdmitted`. What is fetched ahead of time is nobody's. */
  admit?(): Promise<void>;
}

/** Who asks may not have the database asked. That says nothing of the database, nor of anybody else who waits. */
export class NotAdmitted extends Error {}

/** What caches of several kinds of answer have in common. */
export interface Common {
  news: BoardNews;
  rest: DatabaseRest;
  shared: PlatformCache;
}

interface Landed<T> extends Entry<T> {
  from: "platform" | "database";
  isStale?: true;
}
interface Flight<T> {
  turn: number;
  startedAt: number;
  landing: Promise<Landed<T>>;
}

/** A call of the database that takes longer has failed. */
const FETCH_MS = 5_000;
/** Nobody waits longer for another's flight: whoever began it may have gone, and the flight with them. */
const FLIGHT_MS = 6_000;
/** Who can be given something older does not wait that long. */
const HELD_MS = 1_500;
/** Whoever waited for somebody who was not admitted asks anew, so often. */
const MAX_ROUNDS = 3;

/**
 * Answers of one kind by key: memory, then the platform's cache, then the database, one flight at a time for each key. An
 * age is an answer's own, wherever it has been kept. Time is the caller's.
 *
 * ```
 *                    ┌ young enough, no news ─► hit (past half of its life one request fetches it ahead of time)
 *  question ─► held? ┤
 *                    └ flight ─► platform's cache ─► database ─► kept in both
 *                                                       └ away ─► what is held, however old: stale
 * ```
 */
export class AnswerCache<T> {
  readonly #store: AnswerStore<T>;
  readonly #flights = new Map<string, Flight<T>>();

  constructor(
    private readonly kind: AnswerKind<T>,
    bounds: Bounds,
    private readonly common: Common,
  ) {
    this.#store = new AnswerStore(bounds);
  }

  /** Rejects where nothing is held and fetching failed. */
  async get(question: Question<T>, now: number): Promise<Cached<T>> {
    const { key, lifetime } = question;
    for (let round = 1; ; round += 1) {
      const held = this.#store.get(key);
      const isResting = this.common.rest.isOn(key, now);
      const ageMs = held ? Math.max(0, now - held.readAt) : Number.POSITIVE_INFINITY;
      if (held && held.turn >= this.common.news.turnOf(question.board) && ageMs < lifetime.maxMs) {
        // A promise that another request waits for is not touched: what hangs on it here would end with this one.
        const isDue = ageMs >= lifetime.refreshMs && !isResting && !this.#under(question, now);
        if (isDue) this.#fly(question, now, false).catch(() => undefined);
        return this.#told(held, "hit");
      }
      const under = this.#under(question, now);
      if (held && (isResting || (under && now - under.startedAt >= HELD_MS))) {
        return this.#told(held, "stale");
      }
      try {
        const flight = this.#fly(question, now, true);
        const landed = await within(flight, held ? HELD_MS : FLIGHT_MS, "The database gave no answer");
        if (landed.isStale) return this.#told(landed, "stale");
        return this.#told(landed, landed.from === "platform" ? "hit" : under ? "coalesced" : "miss");
      } catch (error) {
        if (error instanceof NotAdmitted) {
          if (!under || round >= MAX_ROUNDS) throw error;
          continue;
        }
        if (held) return this.#told(held, "stale");
        throw error;
      }
    }
  }

  get size(): Bounds {
    return this.#store.size;
  }

  /** One that news has overtaken, or that began so long ago that it will not land, is nothing to wait for. */
  #under({ key, board }: Question<T>, now: number): Flight<T> | undefined {
    const flight = this.#flights.get(key);
    if (!flight || flight.turn < this.common.news.turnOf(board)) return undefined;
    return now - flight.startedAt < FLIGHT_MS ? flight : undefined;
  }

  #fly(question: Question<T>, now: number, isAsked: boolean): Promise<Landed<T>> {
    const under = this.#under(question, now);
    if (under) return under.landing;
    const { key, keepAlive } = question;
    const turn = this.common.news.begin();
    const flight = { turn, startedAt: now, landing: this.#land(question, turn, now, isAsked) };
    this.#flights.set(key, flight);
    const over = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    keepAlive(flight.landing.then(over, over));
    return flight.landing;
  }

  async #land(question: Question<T>, turn: number, now: number, isAsked: boolean): Promise<Landed<T>> {
    const { key, lifetime, board } = question;
    const { news, rest, shared } = this.common;
    const found = lifetime.maxMs > 0 ? await shared.find(this.kind, key) : undefined;
    const kept = found && { ...found, chars: JSON.stringify(found.value).length, from: "platform" as const };
    // Ahead of time nothing is gained by an answer that is due itself.
    const mostMs = isAsked ? lifetime.maxMs : lifetime.refreshMs;
    if (kept && kept.readAt > news.atOf(board) && now - kept.readAt < mostMs) {
      counts.fetches.add({ from: "platform" });
      return this.#keep(key, { ...kept, turn });
    }
    try {
      if (rest.isOn(key, now))
        throw new Error("The database has just failed, and is left alone for a moment.");
      if (isAsked) await question.admit?.();
      const landed = await this.#fetch(question, turn, now);
      rest.answered(key);
      return this.#keep(key, landed);
    } catch (error) {
      // From another process of this place, and older than it should be: better than nothing.
      if (error instanceof NotAdmitted) throw error;
      if (kept && !this.#store.get(key)) return this.#keep(key, { ...kept, turn: 0, isStale: true });
      counts.fetches.add({ from: "nowhere" });
      throw error;
    }
  }

  async #fetch(
    { key, fetch, lifetime, keepAlive }: Question<T>,
    turn: number,
    now: number,
  ): Promise<Landed<T>> {
    const { rest, shared } = this.common;
    try {
      const value = await within(fetch(), FETCH_MS, "The database gave no answer");
      this.#count("ok");
      counts.fetches.add({ from: "database" });
      const json = JSON.stringify(value);
      if (lifetime.maxMs > 0) keepAlive(shared.keep(key, json, now));
      return { value, readAt: now, turn, chars: json.length, from: "database" };
    } catch (error) {
      this.#count("failed");
      rest.failed(key, error, now, FETCH_MS);
      throw error;
    }
  }

  #count(outcome: "ok" | "failed"): void {
    counts.database.add({ for: "read", outcome });
  }

  #keep(key: string, landed: Landed<T>): Landed<T> {
    // One that began later may have landed before it.
    if ((this.#store.get(key)?.turn ?? -1) <= landed.turn) this.#store.keep(key, landed);
    return landed;
  }

  #told({ value, readAt }: Entry<T>, told: Told): Cached<T> {
    counts.answers.add({ kind: this.kind.name, told });
    return { value, readAt, told };
  }
}
