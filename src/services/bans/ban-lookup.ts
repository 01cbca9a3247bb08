import type { Role } from "../../protocol/codes";
import type { Close } from "../../room/api/feature";
import { shardOf } from "../directory/shard";
import { bannedClose } from "./contract";

/** What the edge asks of whoever keeps the bans: those that hold for a user in a room. */
export type BansCall = (user: string, room: string, signal: AbortSignal) => Promise<BansInForce>;
export interface BansInForce {
  bans: readonly BanInForce[];
  /** By the clock of whoever answers. */
  askedAt: number;
}
export interface BanInForce {
  scope: "room" | "everywhere";
  reason?: string | undefined;
  untilMs?: number | undefined;
}
export interface BanCheck {
  ban?: BanInForce;
  /** When that was known; nothing where nobody could be asked. */
  checkedAt?: number;
}

/** A socket waits no longer than this to be let in: the room hears of a ban by itself. */
const DEADLINE_MS = 2_000;
/** While the object of a share does not answer, its users join without a question for so long. */
const RETRY_AFTER_MS = 5_000;
/** So many failures in a row are an outage; a single one is not. */
const FAILURES = 3;
const scopes = ["everywhere", "room"] as const;
/** The banned, as last known: a few MB, and who is dropped is found again at the next question. */
const MAX_BANNED = 10_000;

/**
 * Asks at every join, whatever else is remembered of a token, so that a ban cuts in at once and so does its end. What was last
 * known holds only while nobody can be asked; of whom nothing is known, nothing is held against them.
 */
export class BanLookup {
  readonly #lastKnown = new Map<string, readonly BanInForce[]>();
  /** Of each share of the users, those whose last question failed. */
  readonly #away = new Map<string, { failures: number; until: number }>();

  constructor(
    private readonly fetchBans: BansCall,
    private readonly deadlineMs = DEADLINE_MS,
  ) {}

  /** For the edge: how to close the connection of a banned user. */
  async check(
    user: string,
    room: string,
    now: number,
    role: Role,
  ): Promise<{ close?: Close; checkedAt?: number }> {
    const { ban, ...checked } = await this.find(user, room, now, role);
    return ban ? { ...checked, close: bannedClose(ban.scope, ban) } : checked;
  }

  /** A room's hosts keep no admin out, whom they may have banned before anybody knew the role. */
  async find(user: string, room: string, now: number, role: Role = "player"): Promise<BanCheck> {
    const share = shardOf(user);
    const isAway = now < (this.#away.get(share)?.until ?? 0);
    const answer = isAway ? undefined : await this.#fetch(share, user, room, now);
    // Apart, so that a ban everywhere is known in rooms that its user has not tried yet.
    const keys = { room: `${room}\0${user}`, everywhere: `\0${user}` };
    if (answer) {
      for (const scope of scopes) {
        const theirs = answer.bans.filter((ban) => ban.scope === scope);
        this.#remember(keys[scope], theirs);
      }
    }
    const inForce = answer?.bans ?? scopes.flatMap((scope) => this.#lastKnown.get(keys[scope]) ?? []);
    const ban = inForce.find(
      ({ scope, untilMs }) =>
        (untilMs === undefined || untilMs > now) && !(scope === "room" && role === "admin"),
    );
    return { ...(ban ? { ban } : {}), ...(answer ? { checkedAt: answer.askedAt } : {}) };
  }

  get size(): number {
    return this.#lastKnown.size;
  }

  async #fetch(share: string, user: string, room: string, now: number): Promise<BansInForce | undefined> {
    const startedAt = Date.now();
    try {
      const answer = await withAbortDeadline(this.deadlineMs, (signal) => this.fetchBans(user, room, signal));
      this.#away.delete(share);
      return answer;
    } catch (error) {
      const failures = (this.#away.get(share)?.failures ?? 0) + 1;
      const until = failures < FAILURES ? 0 : now + (Date.now() - startedAt) + RETRY_AFTER_MS;
      this.#away.set(share, { failures, until });
      console.warn("Nobody could be asked for bans; the last known ones hold:", messageOf(error));
      return undefined;
    }
  }

  #remember(key: string, bans: readonly BanInForce[]): void {
    this.#lastKnown.delete(key);
    if (bans.length === 0) return;
    this.#lastKnown.set(key, bans);
    const [oldest] = this.#lastKnown.keys();
    if (this.#lastKnown.size > MAX_BANNED && oldest !== undefined) this.#lastKnown.delete(oldest);
  }
}

/** D1 takes no signal: what it says later is not waited for. */
async function withAbortDeadline<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work(controller.signal), timeout]);
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
