import { z } from "zod";
import type { Config } from "../../../config/config";
import { withDeadline } from "../../../lib/deadline";
import { digestId, keyedId } from "../../../lib/ids";
import type { CacheKind } from "./cache-kinds";

/** Slower than this, it is no shortcut. */
const DEADLINE_MS = 250;
/** Far longer than anybody is given it as new: while the database is away it is told, marked. */
const KEEP_SECONDS = 3_600;
/** Where it was found to keep nothing, it is tried again after so long. */
const RETRY_AFTER_MS = 600_000;

const storedEntry = z.object({ readAt: z.number(), value: z.unknown() });

/** The part of the Cache API that is used. */
export type CacheApi = Pick<Cache, "match" | "put" | "delete">;

/**
 * The platform's cache, which processes of one data centre share. Some hosts have none, on some it takes everything and keeps
 * nothing: there it is left out. What it gives back is judged like anything from outside, and carries when it was read from the database.
 */
export class PlatformCache {
  #secret: string | undefined;
  #name: string | undefined;
  #works = false;
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly open: () => CacheApi | undefined,
    private readonly clock: () => number = Date.now,
  ) {}

  /** Until it is known whose answers these are it is not used: a zone's deployments share one cache. */
  configure({ authSecret, batchSecret }: Pick<Config, "authSecret" | "batchSecret">): void {
    this.#secret ??= batchSecret ?? authSecret;
  }

  async find<T>(kind: CacheKind<T>, key: string): Promise<{ value: T; readAt: number } | undefined> {
    return this.#tryCache(async (cache, url) => {
      const response = await cache.match(url);
      if (!response) return undefined;
      const entry = storedEntry.safeParse(await response.json());
      // Clocks of two machines differ: what claims to be of a time to come would never grow old.
      if (!entry.success || entry.data.readAt > this.clock()) return undefined;
      const value = kind.shape.safeParse(entry.data.value);
      return value.success ? { value: value.data, readAt: entry.data.readAt } : undefined;
    }, key);
  }

  async put(key: string, json: string, readAt: number): Promise<void> {
    await this.#tryCache((cache, url) => cache.put(url, toResponse(json, readAt)), key);
  }

  /** Here alone: other data centres have theirs, until it is too old. */
  async remove(key: string): Promise<void> {
    await this.#tryCache((cache, url) => cache.delete(url), key);
  }

  async #tryCache<T>(
    step: (cache: CacheApi, url: string) => Promise<T>,
    key: string,
  ): Promise<T | undefined> {
    try {
      const cache = this.#secret === undefined ? undefined : this.open();
      if (!cache || !(await this.#probe(cache))) return undefined;
      const work = this.#urlOf(key).then((url) => step(cache, url));
      return await withDeadline(work, DEADLINE_MS, "The platform's cache gave no answer");
    } catch (error) {
      // A shortcut that is closed: the way round it is always open.
      console.warn("The platform's cache could not be used:", error instanceof Error ? error.message : error);
      return undefined;
    }
  }

  async #urlOf(key: string): Promise<string> {
    this.#name ??= await keyedId("answers", this.#secret ?? "");
    return `${ORIGIN}/${this.#name}/${await digestId(key)}`;
  }

  /**
   * Whether what is put there can be had again: tried once a process, and now and then where it was not so. Whoever comes
   * meanwhile goes without: what is under way is another request's, and may end with it.
   */
  async #probe(cache: CacheApi): Promise<boolean> {
    const now = this.clock();
    if (this.#works || now - this.#triedAt < RETRY_AFTER_MS) return this.#works;
    this.#triedAt = now;
    try {
      const probe = async () => {
        await cache.put(`${ORIGIN}/probe`, toResponse("null", 0));
        return (await cache.match(`${ORIGIN}/probe`)) !== undefined;
      };
      this.#works = await withDeadline(probe(), DEADLINE_MS, "The platform's cache gave no answer");
    } catch {
      this.#works = false;
    }
    return this.#works;
  }
}

/** Nobody's: what is kept under it is reached by this code alone. */
const ORIGIN = "https://answers.tallyroom.internal";

function toResponse(json: string, readAt: number): Response {
  return new Response(`{"readAt":${readAt},"value":${json}}`, {
    headers: { "Content-Type": "application/json", "Cache-Control": `max-age=${KEEP_SECONDS}` },
  });
}
