import { withDeadline } from "../../lib/deadline";
import { LruMap } from "../../lib/lru";
import type { Role } from "../../protocol/codes";
import type { Close } from "../../room/api/feature";
import { shardOf } from "../directory/contract";
import { appliesToRole, bannedClose } from "./contract";

/** Fetches the bans in force of a user in a room from the ban service. */
export type BansCall = (user: string, room: string, signal: AbortSignal) => Promise<BansInForce>;
export interface BansInForce {
  bans: readonly BanInForce[];
  /** By the clock of the ban service. */
  askedAt: number;
}
export interface BanInForce {
  scope: "room" | "everywhere";
  reason?: string | undefined;
  untilMs?: number | undefined;
  /** For a ban in a room: the role of the user who set it. */
  rank?: Role | undefined;
}
export interface BanCheck {
  ban?: BanInForce;
  /** When the bans were read. Absent if the ban service could not be reached. */
  checkedAt?: number;
}

/** A socket waits no longer than this. The room learns of a ban by itself. */
const DEADLINE_MS = 2_000;
/** If the object of a shard does not answer, its users join without a lookup for this long. */
const RETRY_AFTER_MS = 5_000;
/** This many failures in a row are an outage. A single one is not, nor are several lookups that one stall held up together. */
const FAILURES = 3;
const scopes = ["everywhere", "room"] as const;
/** The most bans remembered, a few MB. A ban that was evicted is found again at the next lookup. */
const MAX_BANS = 10_000;

/**
 * Looks up bans at every join, even if the token is cached, so that a ban and its end take effect at once. If the ban
 * service is unreachable, the last known answer applies. Users without one are let in.
 */
export class BanLookup {
  readonly #lastKnown = new LruMap<string, readonly BanInForce[]>(MAX_BANS);
  /** The shards whose last lookup failed. `lookups`: the number of lookups when that failure was counted. */
  readonly #away = new Map<string, { failures: number; until: number; lookups: number }>();
  #lookups = 0;

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

  /** A ban from a room does not apply to an equal or higher role: a host may have set it before the role was known. */
  async find(user: string, room: string, now: number, role: Role = "player"): Promise<BanCheck> {
    const shard = shardOf(user);
    const isAway = now < (this.#away.get(shard)?.until ?? 0);
    const answer = isAway ? undefined : await this.#fetch(shard, user, room, now);
    // Stored separately, so that a ban everywhere also applies to rooms that the user has not tried yet.
    const keys = { room: `${room}\0${user}`, everywhere: `\0${user}` };
    if (answer) {
      for (const scope of scopes) {
        const bans = answer.bans.filter((ban) => ban.scope === scope);
        if (bans.length > 0) this.#lastKnown.set(keys[scope], bans);
        else this.#lastKnown.delete(keys[scope]);
      }
    }
    const inForce = answer?.bans ?? scopes.flatMap((scope) => this.#lastKnown.peek(keys[scope]) ?? []);
    const ban = inForce.find(
      (each) =>
        (each.untilMs === undefined || each.untilMs > now) &&
        (each.scope === "everywhere" || appliesToRole(each, role)),
    );
    return { ...(ban ? { ban } : {}), ...(answer ? { checkedAt: answer.askedAt } : {}) };
  }

  get size(): number {
    return this.#lastKnown.size;
  }

  async #fetch(shard: string, user: string, room: string, now: number): Promise<BansInForce | undefined> {
    const startedAt = Date.now();
    const nth = ++this.#lookups;
    try {
      const ask = (signal: AbortSignal) => this.fetchBans(user, room, signal);
      const answer = await withDeadline(ask, this.deadlineMs, "The ban service did not answer");
      this.#away.delete(shard);
      return answer;
    } catch (error) {
      const last = this.#away.get(shard);
      if (!last || nth > last.lookups) {
        const failures = (last?.failures ?? 0) + 1;
        const until = failures < FAILURES ? 0 : now + (Date.now() - startedAt) + RETRY_AFTER_MS;
        this.#away.set(shard, { failures, until, lookups: this.#lookups });
      }
      console.warn("The ban service is unreachable, so the last known bans apply:", messageOf(error));
      return undefined;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
