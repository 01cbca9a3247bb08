import type { ConnectionManager } from "./connection";
import { LONG_AGO, NEVER } from "./time";

/** A token is renewed after this share of its life. The spread keeps clients from renewing at the same moment. */
const RENEW_AT_SHARE = 0.75;
const RENEW_SPREAD_SHARE = 0.1;
/** The shortest time between two renewals, for an app that returns the same old token each time. */
const MIN_RENEW_MS = 1_000;
/** After a second socket failed. */
const RETRY_MS = 10_000;
/** A state that differs again and again is fetched at most this often. */
const RESYNC_EVERY_MS = 60_000;

/**
 * Decides when a second socket is opened beside the live one: with a new token before the old one ends, or without a resume
 * point to fetch the whole state. At its welcome it replaces the live socket.
 */
export class Handover {
  readonly #tokenEndsAt = new Map<number, number>();
  /** Links that fetch the whole state. */
  readonly #resyncLinks = new Set<number>();
  #renewAt = NEVER;
  #isResyncWanted = false;
  #lastResyncAt = LONG_AGO;
  #notBefore = LONG_AGO;

  constructor(private readonly random: () => number) {}

  isResync(link: number): boolean {
    return this.#resyncLinks.has(link);
  }

  /** The state cannot be trusted: it differs from the room's, or a reducer threw. */
  requestResync(): void {
    this.#isResyncWanted = true;
  }

  onToken(link: number, endsAt: number): void {
    this.#tokenEndsAt.set(link, endsAt);
  }

  onClosed(link: number): void {
    this.#tokenEndsAt.delete(link);
  }

  onWelcome(link: number, isResumed: boolean, now: number, roomNow: number): void {
    this.#endResync(isResumed);
    const leftMs = Math.max(0, (this.#tokenEndsAt.get(link) ?? NEVER) - roomNow);
    const share = RENEW_AT_SHARE + RENEW_SPREAD_SHARE * this.random();
    this.#renewAt = now + Math.max(MIN_RENEW_MS, leftMs * share);
    this.#tokenEndsAt.clear();
  }

  onFailed(now: number): void {
    this.#notBefore = now + (0.5 + this.random()) * RETRY_MS;
    this.#endResync(true);
  }

  tick(connection: ConnectionManager, now: number): void {
    if (now < this.nextAt(connection)) return;
    if (now >= this.#renewAt) {
      this.#renewAt = now + RETRY_MS;
      connection.openSecond(now, true);
    } else {
      this.#isResyncWanted = false;
      this.#lastResyncAt = now;
      connection.openSecond(now, false, (link) => this.#resyncLinks.add(link));
    }
  }

  /** When `tick` opens a socket. */
  nextAt(connection: ConnectionManager): number {
    if (connection.hasSecond) return NEVER;
    const resyncAt = this.#isResyncWanted ? this.#lastResyncAt + RESYNC_EVERY_MS : NEVER;
    return Math.max(this.#notBefore, Math.min(this.#renewAt, resyncAt));
  }

  /** A socket that was to fetch the state and did not: the state is still to be fetched. */
  #endResync(hasFailed: boolean): void {
    if (hasFailed && this.#resyncLinks.size > 0) this.#isResyncWanted = true;
    this.#resyncLinks.clear();
  }
}
