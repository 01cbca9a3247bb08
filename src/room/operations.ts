import { MAX_OPERATIONS, OPERATIONS_PER_FREE, RESEND_MS } from "../protocol/limits";
import type { Json } from "../protocol/messages";

/** An accepted action, as the journal keeps it: enough to answer it again, and to tell it from another of the same id. */
export interface Operation {
  user: string;
  id: string;
  /** Of feature, action and data. */
  print: number;
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
const OVER_HTTP = "\0";

/** The name under which an operation's id is known that a user gives over HTTP. */
export function overHttp(user: string): string {
  return OVER_HTTP + user;
}

/** Whose operation it is, wherever it came from. */
export function ownerOf(user: string): string {
  return user.startsWith(OVER_HTTP) ? user.slice(OVER_HTTP.length) : user;
}

/** The accepted ids of the last `RESEND_MS`, in the order they came. Never forgotten early. */
export class Operations {
  readonly #byUser = new Map<string, Map<string, Operation>>();
  /** The same, oldest first: a map that loses its first entry again and again is walked over all those it lost. */
  #queue: Operation[] = [];
  #head = 0;
  /** When the oldest is forgotten; it is far away in memory, and not to be looked at for every action. */
  #forgetsAt = 0;

  find(user: string, id: string, now: number): Operation | undefined {
    this.#drop(now);
    return this.#byUser.get(user)?.get(id);
  }

  add(operation: Operation): void {
    const theirs = this.#byUser.get(operation.user);
    if (theirs) theirs.set(operation.id, operation);
    else this.#byUser.set(operation.user, new Map([[operation.id, operation]]));
    this.#queue.push(operation);
  }

  /**
   * Whether this user may add one more: they may hold at most twice as many as are still free. However many users add as
   * many as they can, some stay free for the others.
   */
  hasSpaceFor(user: string, now: number): boolean {
    // No user alone holds more than the share that this leaves free, so the counting is not needed.
    if (this.size * (OPERATIONS_PER_FREE + 1) < MAX_OPERATIONS * OPERATIONS_PER_FREE) return true;
    this.#drop(now);
    return this.#excessOf(user) <= 0;
  }

  /** The time at which this user may add one more, if nobody else adds any meanwhile. */
  nextFreeAt(user: string): number {
    // Each id that is forgotten leaves one more free, whosever it was.
    const dropped = Math.ceil(this.#excessOf(user) / OPERATIONS_PER_FREE);
    const last = this.#queue[this.#head + Math.max(1, dropped) - 1];
    return last ? last.at + RESEND_MS : 0;
  }

  /** By how many ids this user is past the last one that they may still add to. */
  #excessOf(user: string): number {
    const owner = ownerOf(user);
    const held = (this.#byUser.get(owner)?.size ?? 0) + (this.#byUser.get(overHttp(owner))?.size ?? 0);
    return held + 1 - OPERATIONS_PER_FREE * (MAX_OPERATIONS - this.size);
  }

  /** Those of some records, from one up to before another: a snapshot keeps them when it lets the records go. */
  *ofRecords(from: number, before: number, now: number): Iterable<Operation> {
    this.#drop(now);
    for (let at = this.#head; at < this.#queue.length; at++) {
      const operation = this.#queue[at] as Operation;
      if (operation.record >= before) return;
      if (operation.record >= from) yield operation;
    }
  }

  get size(): number {
    return this.#queue.length - this.#head;
  }

  #drop(now: number): void {
    if (now < this.#forgetsAt) return;
    let oldest = this.#queue[this.#head];
    while (oldest && oldest.at + RESEND_MS <= now) {
      const theirs = this.#byUser.get(oldest.user);
      if (theirs?.get(oldest.id) === oldest) theirs.delete(oldest.id);
      if (theirs?.size === 0) this.#byUser.delete(oldest.user);
      oldest = this.#queue[++this.#head];
    }
    this.#forgetsAt = oldest ? oldest.at + RESEND_MS : 0;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}
