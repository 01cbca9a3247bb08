import { type Ban, EVERYWHERE, findBans, pageOfBans } from "./store";

/** Raise it if the stored shape changes: everything is then read from the database again. */
const VERSION = 2;
/** The most age of the copy. A change by hand, or a restored database, takes effect after this at the latest. */
const RELOAD_MS = 3_600_000;
/** After a failed load, the next one waits this long. */
const LOAD_PAUSE_MS = 5_000;
/** A statement of D1 runs for 30 s at most, so one that started before this has ended. */
const IN_DOUBT_MS = 30_000;
/** A write in doubt is read back at this interval. */
const DOUBT_PAUSE_MS = 5_000;
/** Rows of the database read in one statement. */
const PAGE = 1_000;
/** Remembered reads, to order those that overlap: a hundred bytes each. */
const MAX_READS = 10_000;

const MARKER = "bans";
const BANS = "b/";
const DOUBTS = "d/";

/** The part of an object's storage that is used here. */
export interface ShareStorage {
  get(key: string): Promise<unknown>;
  list(options: { prefix: string }): Promise<Map<string, unknown>>;
  put(key: string, value: unknown): Promise<void>;
  delete(keys: string[]): Promise<unknown>;
}

/** A ban as it is copied here. Who set it, and when, is stored in the database only. */
export type StoredBan = Pick<Ban, "scope" | "user" | "reason" | "untilMs" | "rank">;
export interface BansFound {
  /** By the clock of this object. */
  askedAt: number;
  bans: StoredBan[];
}
interface Doubt {
  scope: string;
  user: string;
  at: number;
}

/**
 * A copy of the bans of one shard of the users, so that no join reads the database. The database is the truth, and the copy
 * follows it:
 *
 *     write ─► noted as in doubt ─► database ─► read back ─► stored here ─► no longer in doubt
 *
 * A change takes effect when it is stored here. If the object ends before that, its next instance finds the note and reads the
 * row again.
 */
export class UserBans {
  /** By user, by scope. */
  readonly #bans = new Map<string, Map<string, StoredBan>>();
  readonly #doubts = new Map<string, Doubt>();
  #loadedAt: number | undefined;
  #opening: Promise<void> | undefined;
  #loading: Promise<void> | undefined;
  #notBefore = 0;
  /** The number of the newest read of each key that was stored: of two overlapping reads the later one wins. */
  readonly #changed = new Map<string, number>();
  #reads = 0;

  constructor(
    private readonly storage: ShareStorage,
    private readonly db: D1Database,
    /** Whether a user belongs to this shard. */
    private readonly isOurs: (user: string) => boolean,
  ) {}

  /** The bans in force of these users in these scopes. Reads the database only until the first load has finished. */
  async find(users: readonly string[], scopes: readonly string[]): Promise<BansFound> {
    await this.#opened();
    const askedAt = Date.now();
    if (this.#loadedAt === undefined || askedAt - this.#loadedAt >= RELOAD_MS) void this.#load();
    // Before the first load has finished, these alone are quicker to read than everything.
    if (this.#loadedAt === undefined)
      return { askedAt, bans: await findBans(this.db, users, scopes, askedAt) };
    const bans = users.flatMap((user) => {
      const theirs = this.#bans.get(user);
      return theirs ? scopes.flatMap((scope) => theirs.get(scope) ?? []) : [];
    });
    return { askedAt, bans: bans.filter(({ untilMs }) => untilMs === null || untilMs > askedAt) };
  }

  /** Changes the database by `change`, then this copy. Rejects if the change is not known to have happened. */
  async write<T>(scope: string, user: string, change: () => Promise<T>): Promise<T> {
    await this.#opened();
    const doubt = { scope, user, at: Date.now() };
    this.#doubts.set(keyOf(scope, user), doubt);
    await this.storage.put(DOUBTS + keyOf(scope, user), doubt);
    const changed = await change();
    await this.#readBack(scope, user);
    await this.#settle(doubt);
    return changed;
  }

  /** Reads all stored bans of a user again, because they have changed in the database. */
  async reread(user: string): Promise<void> {
    await this.#opened();
    const scopes = [...(this.#bans.get(user)?.keys() ?? [])];
    for (const scope of scopes) await this.#readBack(scope, user);
  }

  /** Reads back the outcome of writes in doubt. Returns the users whose bans everywhere may have changed. */
  async resolve(): Promise<string[]> {
    await this.#opened();
    const now = Date.now();
    const users = new Set<string>();
    for (const doubt of [...this.#doubts.values()]) {
      if (now - doubt.at < DOUBT_PAUSE_MS) continue;
      await this.#readBack(doubt.scope, doubt.user);
      if (doubt.scope === EVERYWHERE) users.add(doubt.user);
      if (now - doubt.at >= IN_DOUBT_MS) await this.#settle(doubt);
    }
    return [...users];
  }

  /** When `resolve` must be called next. */
  async resolveAt(): Promise<number> {
    await this.#opened();
    return this.#doubts.size > 0 ? Date.now() + DOUBT_PAUSE_MS : Number.POSITIVE_INFINITY;
  }

  async #opened(): Promise<void> {
    this.#opening ??= this.#open();
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  async #open(): Promise<void> {
    const marker = (await this.storage.get(MARKER)) as { version: number; loadedAt: number } | undefined;
    for (const ban of (await this.storage.list({ prefix: BANS })).values()) this.#remember(ban as StoredBan);
    for (const [key, doubt] of await this.storage.list({ prefix: DOUBTS }))
      this.#doubts.set(key.slice(DOUBTS.length), doubt as Doubt);
    if (marker?.version === VERSION) this.#loadedAt = marker.loadedAt;
  }

  /** Reads the whole table, one load at a time. A change that is read back meanwhile is newer and stays. */
  #load(): Promise<void> | undefined {
    if (this.#loading || Date.now() < this.#notBefore) return this.#loading;
    const work = async () => {
      try {
        await this.#loadAll();
      } catch (error) {
        this.#notBefore = Date.now() + LOAD_PAUSE_MS;
        console.warn("The bans could not be read from the database and will be read again:", error);
      } finally {
        this.#loading = undefined;
      }
    };
    this.#loading = work();
    return this.#loading;
  }

  async #loadAll(): Promise<void> {
    const since = ++this.#reads;
    const loadedAt = Date.now();
    const found = new Map<string, StoredBan>();
    let after = { scope: "", user: "" };
    for (;;) {
      const page = await pageOfBans(this.db, after, PAGE, loadedAt);
      for (const ban of page) {
        if (this.isOurs(ban.user)) found.set(keyOf(ban.scope, ban.user), toStored(ban));
      }
      const last = page.at(-1);
      if (!last || page.length < PAGE) break;
      after = last;
    }
    const writes: Promise<unknown>[] = [];
    const stored = [...this.#bans.values()].flatMap((bans) => [...bans.values()]);
    const keys = new Set([...stored.map(({ scope, user }) => keyOf(scope, user)), ...found.keys()]);
    const known = new Map(stored.map((ban) => [keyOf(ban.scope, ban.user), ban]));
    for (const key of keys) {
      if ((this.#changed.get(key) ?? 0) > since) continue;
      const [before, now] = [known.get(key), found.get(key)];
      if (now) {
        if (JSON.stringify(now) !== JSON.stringify(before)) writes.push(this.#store(now));
      } else if (before) writes.push(this.#drop(before));
    }
    await Promise.all(writes);
    await this.storage.put(MARKER, { version: VERSION, loadedAt });
    this.#loadedAt = loadedAt;
  }

  async #readBack(scope: string, user: string): Promise<void> {
    const read = ++this.#reads;
    const key = keyOf(scope, user);
    const [ban] = await findBans(this.db, [user], [scope], Date.now());
    if ((this.#changed.get(key) ?? 0) > read) return;
    if (this.#changed.size >= MAX_READS) this.#changed.clear();
    this.#changed.set(key, read);
    if (ban) await this.#store(toStored(ban));
    else await this.#drop({ scope, user });
  }

  /** Removes the note, unless another write to the same ban has started since. */
  async #settle(doubt: Doubt): Promise<void> {
    const key = keyOf(doubt.scope, doubt.user);
    if (this.#doubts.get(key) !== doubt) return;
    this.#doubts.delete(key);
    await this.storage.delete([DOUBTS + key]);
  }

  #store(ban: StoredBan): Promise<void> {
    this.#remember(ban);
    return this.storage.put(BANS + keyOf(ban.scope, ban.user), ban);
  }

  async #drop({ scope, user }: Pick<StoredBan, "scope" | "user">): Promise<void> {
    const theirs = this.#bans.get(user);
    if (!theirs?.delete(scope)) return;
    if (theirs.size === 0) this.#bans.delete(user);
    await this.storage.delete([BANS + keyOf(scope, user)]);
  }

  #remember(ban: StoredBan): void {
    const theirs = this.#bans.get(ban.user) ?? new Map<string, StoredBan>();
    this.#bans.set(ban.user, theirs.set(ban.scope, ban));
  }
}

function toStored({ scope, user, reason, untilMs, rank }: Ban): StoredBan {
  return { scope, user, reason, untilMs, rank };
}

/** User ids are any text. Once encoded, no two pairs have the same key. */
function keyOf(scope: string, user: string): string {
  return `${encodeURIComponent(user)}/${encodeURIComponent(scope)}`;
}
