import { LONGEST_LOOK_MS, MAX_OPERATIONS, OPERATIONS_PER_FREE, RESEND_MS } from "../../protocol/limits";
import type { Json } from "../../protocol/messages";

/** An accepted action, as the journal keeps it: enough to answer it again, and to tell it from another of the same id. */
export interface AcceptedRecord {
  user: string;
  id: string;
  /** Of feature, action and data. */
  fingerprint: number;
  at: number;
  seq: number | undefined;
  answer: Json | undefined;
  /** The rule that this action counted against. */
  rule: string | undefined;
  /** The address that it counted against too: a guest's. */
  from?: string | undefined;
  /** The journal's record that holds it; 0 where it was carried out of one. */
  record: number;
}

/** Ids given over HTTP are apart from those that sockets give. No user's own id holds U+0000. */
const HTTP_PREFIX = "\0";

/** The name under which an operation's id is known that a user gives over HTTP. */
export function httpOwner(user: string): string {
  return HTTP_PREFIX + user;
}

/** Whose operation it is, wherever it came from. */
export function ownerOf(user: string): string {
  return user.startsWith(HTTP_PREFIX) ? user.slice(HTTP_PREFIX.length) : user;
}

/**
 * The accepted ids of the last `RESEND_MS`, in the order they came. No platform has a clock that nobody sets: a clock that steps
 * ahead looks like a long silence, and must not make an action new that its sender may still send again. So ids age by looks at
 * the clock, and each look adds what has passed since the one before, `LONGEST_LOOK_MS` at most.
 */
export class IdempotencyLog {
  readonly #byUser = new Map<string, Map<string, AcceptedRecord>>();
  /** The same, oldest first: a map that loses its first entry again and again is walked over all those it lost. */
  #queue: AcceptedRecord[] = [];
  /** How old `#age` was when each of them came. */
  #bornAt: number[] = [];
  #head = 0;
  /** What all looks at the clock have added. */
  #age = 0;
  #expiredAt: number | undefined;
  /** The age at which the oldest is forgotten; it is far away in memory, and not to be looked at for every action. */
  #forgetsAt = 0;

  find(user: string, id: string, now: number): AcceptedRecord | undefined {
    this.expire(now);
    return this.#byUser.get(user)?.get(id);
  }

  add(operation: AcceptedRecord): void {
    this.#grow(operation.at);
    const theirs = this.#byUser.get(operation.user);
    if (theirs) theirs.set(operation.id, operation);
    else this.#byUser.set(operation.user, new Map([[operation.id, operation]]));
    this.#queue.push(operation);
    this.#bornAt.push(this.#age);
  }

  /**
   * Whether this user may add one more: they may hold at most twice as many as are still free. However many users add as
   * many as they can, some stay free for the others.
   */
  hasRoomFor(user: string, now: number): boolean {
    if (!this.mayRefuse) return true;
    this.expire(now);
    return this.#excess(user) <= 0;
  }

  /** Whether so few are free that one user alone may be past their share. */
  get mayRefuse(): boolean {
    return this.size * (OPERATIONS_PER_FREE + 1) >= MAX_OPERATIONS * OPERATIONS_PER_FREE;
  }

  /** The time at which this user may add one more, if nobody else adds any meanwhile. */
  nextFreeAt(user: string): number {
    // Each id that is forgotten leaves one more free, whosever it was.
    const dropped = Math.ceil(this.#excess(user) / OPERATIONS_PER_FREE);
    const bornAt = this.#bornAt[this.#head + Math.max(1, dropped) - 1];
    return bornAt === undefined ? 0 : (this.#expiredAt ?? 0) + bornAt + RESEND_MS - this.#age;
  }

  /** By how many ids this user is past the last one that they may still add to. */
  #excess(user: string): number {
    const owner = ownerOf(user);
    const held = (this.#byUser.get(owner)?.size ?? 0) + (this.#byUser.get(httpOwner(owner))?.size ?? 0);
    return held + 1 - OPERATIONS_PER_FREE * (MAX_OPERATIONS - this.size);
  }

  /** When the oldest was accepted. */
  get oldestAt(): number {
    return this.#queue[this.#head]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Those of some records, from one up to before another: a snapshot keeps them when it lets the records go. */
  *ofRecords(from: number, before: number, now: number): Iterable<AcceptedRecord> {
    this.expire(now);
    for (let at = this.#head; at < this.#queue.length; at++) {
      const operation = this.#queue[at] as AcceptedRecord;
      if (operation.record >= before) return;
      if (operation.record >= from) yield operation;
    }
  }

  get size(): number {
    return this.#queue.length - this.#head;
  }

  /** Lets go of those that are old enough. */
  expire(now: number): void {
    this.#grow(now);
    if (this.#age < this.#forgetsAt) return;
    let oldest = this.#queue[this.#head];
    while (oldest && (this.#bornAt[this.#head] as number) + RESEND_MS <= this.#age) {
      const theirs = this.#byUser.get(oldest.user);
      if (theirs?.get(oldest.id) === oldest) theirs.delete(oldest.id);
      if (theirs?.size === 0) this.#byUser.delete(oldest.user);
      oldest = this.#queue[++this.#head];
    }
    this.#forgetsAt = oldest ? (this.#bornAt[this.#head] as number) + RESEND_MS : 0;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#bornAt = this.#bornAt.slice(this.#head);
      this.#head = 0;
    }
  }

  /** A clock that stepped within a frame leaves ids of a time to come, which it need not reach before they age. */
  startAt(now: number): void {
    if (this.#expiredAt !== undefined) this.#expiredAt = Math.min(this.#expiredAt, now);
  }

  #grow(now: number): void {
    this.#expiredAt ??= now;
    this.#age += Math.min(Math.max(0, now - this.#expiredAt), LONGEST_LOOK_MS);
    this.#expiredAt = Math.max(this.#expiredAt, now);
  }
}
