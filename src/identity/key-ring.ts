import { isPairAlgorithm, type PinnedKey, pinKeys } from "./pinned-key";

/** How long a fetched key set is used. A withdrawn key is accepted no longer than this. */
const REFRESH_MS = 600_000;
/** While the key server is unreachable, the last known keys stay valid for a day, so that its outage is not ours as well. */
const STALE_KEYS_MS = 86_400_000;
/** The longest that a request waits for the key server. */
const FETCH_TIMEOUT_MS = 3_000;
/** On a busy machine a request ends a little after its deadline. This much later it was cut off and never will. */
const FETCH_GRACE_MS = 1_000;
/** How long the key server is left alone after a failure. Requests in that time are answered at once. */
const COOL_DOWN_MS = 5_000;
/** An unknown key id triggers a fetch, because that is how a new key is found. Strangers cannot trigger more than this. */
const LOOKUPS = { count: 5, perMs: 30_000 };
/** A set of a hundred RSA keys has a tenth of this. */
const MAX_SET_CHARS = 1024 * 1024;
/** How often a request looks that waits for another request's fetch. */
const POLL_MS = 20;

export type KeyResult =
  | { ok: true; key: PinnedKey }
  /** `unknown`: the newest set has no such key. Otherwise the set could not be fetched, and will be fetched again then. */
  | { ok: false; unknown: true }
  | { ok: false; unknown: false; retryAfterMs: number };

/**
 * The keys of `AUTH_JWKS_URL`: fetched when first needed, when they are stale, and when a token names an unknown key.
 * At most one fetch is in flight. Other requests poll for its result: in the Workers runtime one request cannot await a
 * promise that another began, and a promise whose request was cut off never settles.
 */
export class KeyRing {
  #keys: ReadonlyMap<string, PinnedKey> | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  /** Until when another request's fetch may be in flight. */
  #busyUntil = Number.NEGATIVE_INFINITY;
  #lookedUpAt: number[] = [];
  #problem: string | undefined;
  /** Counted for tests and /health. */
  requests = 0;

  constructor(
    private readonly url: string,
    /** Called when a key was withdrawn: everything that was verified with it has to be verified again. */
    private readonly onWithdrawn: () => void = () => undefined,
    private readonly clock: () => number = Date.now,
  ) {}

  get state(): { known: number; requests: number; problem?: string } {
    const known = this.#keys?.size ?? 0;
    return { known, requests: this.requests, ...(this.#problem ? { problem: this.#problem } : {}) };
  }

  /** The key that a token's header names, if it is for that algorithm. */
  async find(kid: string | undefined, alg: unknown): Promise<KeyResult> {
    if (!isPairAlgorithm(alg)) return { ok: false, unknown: true };
    const startedAt = this.clock();
    if (startedAt - this.#fetchedAt >= REFRESH_MS) await this.#renew(startedAt);
    const known = this.#match(kid);
    if (known) return toKeyResult(known, alg);
    await this.#lookUp(kid, startedAt);
    const found = this.#match(kid);
    if (found) return toKeyResult(found, alg);
    // A set fetched after this request began was searched; an older one may lack a new key.
    if (this.#keys && this.#fetchedAt >= startedAt) return { ok: false, unknown: true };
    return { ok: false, unknown: false, retryAfterMs: Math.max(1, this.#nextRequestAt() - this.clock()) };
  }

  /** A request whose key is known waits only for a fetch of its own. */
  async #renew(now: number): Promise<void> {
    if (now - this.#fetchedAt >= STALE_KEYS_MS) this.#keys = undefined;
    if (this.#isBusy || this.#nextRequestAt() > now) return;
    await this.#request();
  }

  async #lookUp(kid: string | undefined, startedAt: number): Promise<void> {
    const until = startedAt + FETCH_TIMEOUT_MS;
    while (this.clock() < until) {
      if (this.#fetchedAt >= startedAt || this.#match(kid)) return;
      if (!this.#isBusy) {
        if (this.#nextRequestAt() > this.clock()) return;
        return this.#request();
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #match(kid: string | undefined): PinnedKey | undefined {
    if (kid !== undefined) return this.#keys?.get(kid);
    // A token without a key id is valid only for an issuer with exactly one key.
    return this.#keys?.size === 1 ? [...this.#keys.values()][0] : undefined;
  }

  get #isBusy(): boolean {
    return this.#busyUntil > this.clock();
  }

  #nextRequestAt(): number {
    const now = this.clock();
    this.#lookedUpAt = this.#lookedUpAt.filter((at) => at > now - LOOKUPS.perMs);
    const oldest = this.#lookedUpAt.at(-LOOKUPS.count);
    return Math.max(this.#failedAt + COOL_DOWN_MS, oldest === undefined ? 0 : oldest + LOOKUPS.perMs);
  }

  async #request(): Promise<void> {
    const startedAt = this.clock();
    this.#busyUntil = startedAt + FETCH_TIMEOUT_MS + FETCH_GRACE_MS;
    this.#lookedUpAt.push(startedAt);
    this.requests++;
    try {
      const keys = await fetchKeys(this.url);
      const before = this.#keys;
      this.#keys = keys;
      // The time of the request, not of the answer: what the server changed in between is not in the set.
      this.#fetchedAt = startedAt;
      this.#problem = undefined;
      const isWithdrawn = [...(before ?? [])].some(([kid, { alg, thumbprint: print }]) => {
        const now = keys.get(kid);
        return now?.alg !== alg || now.thumbprint !== print;
      });
      if (isWithdrawn) this.onWithdrawn();
    } catch (error) {
      this.#failedAt = this.clock();
      this.#problem = `The keys of AUTH_JWKS_URL cannot be fetched: ${describeFailure(error)}.`;
      console.error(this.#problem);
    } finally {
      this.#busyUntil = Number.NEGATIVE_INFINITY;
    }
  }
}

function toKeyResult(key: PinnedKey, alg: string): KeyResult {
  return key.alg === alg ? { ok: true, key } : { ok: false, unknown: true };
}

async function fetchKeys(url: string): Promise<Map<string, PinnedKey>> {
  const response = await fetch(url, {
    headers: { Accept: "application/json" },
    // A redirect could lead from https to a place where the keys can be tampered with.
    redirect: "manual",
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`it answered ${response.status}`);
  }
  const text = await readText(response);
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new Error("it answered something that is not JSON");
  }
  const keys = await pinKeys(set);
  if (!keys) throw new Error("it answered something that is not a key set");
  return keys;
}

async function readText({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  if (!body) return text;
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    if (text.length > MAX_SET_CHARS) {
      await reader.cancel();
      throw new Error(`it answered more than ${MAX_SET_CHARS} characters`);
    }
  }
}

/** Contains no URL: this text is shown on a public page. */
function describeFailure(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError")
    return `no answer within ${FETCH_TIMEOUT_MS} ms`;
  return error instanceof Error && error.message.startsWith("it answered") ? error.message : "no connection";
}
