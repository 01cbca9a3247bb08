import { networkHash } from "../../lib/ip-hash";
import { LruMap } from "../../lib/lru";
import {
  MAX_UNPROVEN_BYTES,
  MAX_UNPROVEN_ORIGINS,
  UNPROVEN_ORIGIN_SHARES,
  UNPROVEN_REFILL_MS,
  UNPROVEN_ROOM_SHARES,
} from "../../protocol/limits";

interface Spent {
  bytes: number;
  at: number;
}

/**
 * What readers were believed to have read without a proof, of each user, of each origin of guests, and of all of the room. It
 * outlives their sockets, so that closing one and opening another gains nothing. It ends with the process: a room that sleeps
 * sends nothing.
 */
export class UnprovenBudget {
  readonly #spent = new LruMap<string, Spent>(MAX_UNPROVEN_ORIGINS);
  #ofRoom: Spent = { bytes: 0, at: 0 };

  get size(): number {
    return this.#spent.size;
  }

  /** Spends so many bytes for the user, where the guest is, and the room; nothing if one of them has too few left. */
  spend(user: string, from: string | undefined, bytes: number, now: number): boolean {
    const ofUser = this.#add(this.#spent.peek(userKey(user)), 1, bytes, now);
    const origin = from === undefined ? undefined : originKey(from);
    const ofOrigin = origin && this.#add(this.#spent.peek(origin), UNPROVEN_ORIGIN_SHARES, bytes, now);
    const ofRoom = this.#add(this.#ofRoom, UNPROVEN_ROOM_SHARES, bytes, now);
    if (!ofUser || !ofRoom || (origin !== undefined && !ofOrigin)) return false;
    this.#spent.set(userKey(user), ofUser);
    if (origin && ofOrigin) this.#spent.set(origin, ofOrigin);
    this.#ofRoom = ofRoom;
    return true;
  }

  /** With so many bytes more; undefined if that is too much. */
  #add(before: Spent | undefined, shares: number, bytes: number, now: number): Spent | undefined {
    const most = shares * MAX_UNPROVEN_BYTES;
    const passedMs = before ? Math.max(0, now - before.at) : 0;
    const left = Math.max(0, (before?.bytes ?? 0) - (passedMs * most) / UNPROVEN_REFILL_MS);
    return left + bytes > most ? undefined : { bytes: left + bytes, at: now };
  }
}

function userKey(user: string): string {
  return `u${user}`;
}

/** A guest with an IPv6 network has all addresses of it. */
function originKey(from: string): string {
  return `o${networkHash(from) ?? from}`;
}
