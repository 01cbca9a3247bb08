import type { Role } from "../../protocol/codes";
import { shareOf } from "./user-share";

/** What the edge asks of whoever keeps the bans: those that hold for a user in a room. */
export type AskBans = (user: string, room: string, signal: AbortSignal) => Promise<BanAnswer>;
export interface BanAnswer {
  bans: readonly KnownBan[];
  /** By the clock of whoever answers. */
  askedAt: number;
}
export interface KnownBan {
  scope: "room" | "everywhere";
  reason?: string | undefined;
  untilMs?: number | undefined;
}
export interface BanVerdict {
  ban?: KnownBan;
  /** When that was known; nothing where nobody could be asked. */
  askedAt?: number;
}

/** A socket waits no longer than this to be let in: the room hears of a ban by itself. */
const DEADLINE_MS = 2_000;
/** While the object of a share does not answer, its users join without a question for so long. */
const AWAY_MS = 5_000;
/** So many failures in a row are an outage; a single one is not. */
const FAILURES = 3;
const scopes = ["everywhere", "room"] as const;
/** The banned, as last known: a few MB, and who is dropped is found again at the next question. */
const MAX_KNOWN = 10_000;

/**
 * Asks at every join, whatever else is remembered of a token, so that a ban cuts in at once and so does its end. What was last
 * known holds only while nobody can be asked; of whom nothing is known, nothing is held against them.
 */
export class BanBook {
  readonly #known = new Map<string, readonly KnownBan[]>();
  /** Of each share of the users, those whose last question failed. */
  readonly #away = new Map<string, { failures: number; until: number }>();

  constructor(
    private readonly ask: AskBans,
    private readonly deadlineMs = DEADLINE_MS,
  ) {}

  /** A room's hosts keep no admin out, whom they may have banned before anybody knew the role. */
  async find(user: string, room: string, now: number, role: Role = "player"): Promise<BanVerdict> {
    const share = shareOf(user);
    const isAway = now < (this.#away.get(share)?.until ?? 0);
    const answer = isAway ? undefined : await this.#asked(share, user, room, now);
    // Apart, so that a ban everywhere is known in rooms that its user has not tried yet.
    const keys = { room: `${room}\0${user}`, everywhere: `\0${user}` };
    if (answer) {
      for (const scope of scopes) {
        const theirs = answer.bans.filter((ban) => ban.scope === scope);
        this.#keep(keys[scope], theirs);
      }
    }
    const known = answer?.bans ?? scopes.flatMap((scope) => this.#known.get(keys[scope]) ?? []);
    const ban = known.find(
      ({ scope, untilMs }) =>
        (untilMs === undefined || untilMs > now) && !(scope === "room" && role === "admin"),
    );
    return { ...(ban ? { ban } : {}), ...(answer ? { askedAt: answer.askedAt } : {}) };
  }

  get size(): number {
    return this.#known.size;
  }

  async #asked(share: string, user: string, room: string, now: number): Promise<BanAnswer | undefined> {
    const started = Date.now();
    try {
      const answer = await withDeadline(this.deadlineMs, (signal) => this.ask(user, room, signal));
      this.#away.delete(share);
      return answer;
    } catch (error) {
      const failures = (this.#away.get(share)?.failures ?? 0) + 1;
      const until = failures < FAILURES ? 0 : now + (Date.now() - started) + AWAY_MS;
      this.#away.set(share, { failures, until });
      console.warn("Nobody could be asked for bans; the last known ones hold:", messageOf(error));
      return undefined;
    }
  }

  #keep(key: string, bans: readonly KnownBan[]): void {
    this.#known.delete(key);
    if (bans.length === 0) return;
    this.#known.set(key, bans);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

/** D1 takes no signal: what it says later is not waited for. */
async function withDeadline<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work(ending.signal), tooLate]);
  } finally {
    clearTimeout(timer);
    ending.abort();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
