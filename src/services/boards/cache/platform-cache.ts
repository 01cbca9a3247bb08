import { z } from "zod";
import type { Config } from "../../../config/config";
import { withDeadline } from "../../../lib/deadline";
import { digestId, keyedId } from "../../../lib/ids";
import type { CacheKind } from "./cache-kinds";

/** A slower answer would not be worth waiting for. */
const DEADLINE_MS = 250;
/** Longer than any lifetime: while the database is away, an expired value is served as stale. */
const KEEP_SECONDS = 3_600;
/** A cache that was found to store nothing is probed again after this long. */
const RETRY_AFTER_MS = 600_000;

const storedEntry = z.object({ readAt: z.number(), value: z.unknown() });

/** The part of the Cache API that is used here. */
export type CacheApi = Pick<Cache, "match" | "put" | "delete">;

/**
 * The platform's cache, which the processes of one data centre share. Some hosts have none, and on some it accepts everything
 * and stores nothing: there it is not used. Its values are validated like other input, and carry the time of their read.
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

  /** Not used before this call: the deployments of a zone share one cache, and the secret separates their keys. */
  configure({ authSecret, batchSecret }: Pick<Config, "authSecret" | "batchSecret">): void {
    this.#secret ??= batchSecret ?? authSecret;
  }

  async find<T>(kind: CacheKind<T>, key: string): Promise<{ value: T; readAt: number } | undefined> {
    return this.#tryCache(async (cache, url) => {
      const response = await cache.match(url);
      if (!response) return undefined;
      const entry = storedEntry.safeParse(await response.json());
      // The clocks of two machines differ. A value from the future would never expire.
      if (!entry.success || entry.data.readAt > this.clock()) return undefined;
      const value = kind.shape.safeParse(entry.data.value);
      return value.success ? { value: value.data, readAt: entry.data.readAt } : undefined;
    }, key);
  }

  async put(key: string, json: string, readAt: number): Promise<void> {
    await this.#tryCache((cache, url) => cache.put(url, toResponse(json, readAt)), key);
  }

  /** In this data centre only. The others serve their copy until it expires. */
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
      return await withDeadline(() => work, DEADLINE_MS, "The platform's cache gave no answer");
    } catch (error) {
      // The cache is optional: the caller reads the database instead.
      console.warn("The platform's cache could not be used:", error instanceof Error ? error.message : error);
      return undefined;
    }
  }

  async #urlOf(key: string): Promise<string> {
    this.#name ??= await keyedId("answers", this.#secret ?? "");
    return `${ORIGIN}/${this.#name}/${await digestId(key)}`;
  }

  /**
   * Whether the cache returns what it stores. Probed once per process, and again later if it did not. Requests that come during
   * the probe do not wait for it: it belongs to another request, and may end with that.
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
      this.#works = await withDeadline(probe, DEADLINE_MS, "The platform's cache gave no answer");
    } catch {
      this.#works = false;
    }
    return this.#works;
  }
}

/** A made-up origin: no request from outside reaches these entries. */
const ORIGIN = "https://answers.tallyroom.internal";

function toResponse(json: string, readAt: number): Response {
  return new Response(`{"readAt":${readAt},"value":${json}}`, {
    headers: { "Content-Type": "application/json", "Cache-Control": `max-age=${KEEP_SECONDS}` },
  });
}
