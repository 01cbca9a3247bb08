import { MAX_OPERATIONS, RESEND_MS } from "../protocol/limits";
import type { Json } from "../protocol/messages";

/** An accepted action, as the journal keeps it: enough to answer it again, and to tell it from another of the same id. */
export interface Operation {
  user: string;
  id: string;
  /** Of feature, action and data. */
  print: number;
  at: number;
  seq?: number;
  answer?: Json;
  /** The rule that this action counted against. */
  rule?: string;
  /** The journal's record that holds it; 0 where it was carried out of one. */
  record: number;
}

/** The accepted ids of the last `RESEND_MS`, in the order they came. Never forgotten early. */
export class Operations {
  readonly #byKey = new Map<string, Operation>();

  find(user: string, id: string, now: number): Operation | undefined {
    this.#drop(now);
    return this.#byKey.get(key(user, id));
  }

  add(operation: Operation): void {
    this.#byKey.set(key(operation.user, operation.id), operation);
  }

  isFull(now: number): boolean {
    if (this.#byKey.size < MAX_OPERATIONS) return false;
    this.#drop(now);
    return this.#byKey.size >= MAX_OPERATIONS;
  }

  /** When the oldest is forgotten: how long a full room asks to wait. */
  nextFreeAt(): number {
    for (const operation of this.#byKey.values()) return operation.at + RESEND_MS;
    return 0;
  }

  /** Those of some records, from one up to before another: a snapshot keeps them when it lets the records go. */
  *ofRecords(from: number, before: number, now: number): Iterable<Operation> {
    this.#drop(now);
    for (const operation of this.#byKey.values()) {
      if (operation.record >= before) return;
      if (operation.record >= from) yield operation;
    }
  }

  get size(): number {
    return this.#byKey.size;
  }

  #drop(now: number): void {
    for (const [held, operation] of this.#byKey) {
      if (operation.at + RESEND_MS > now) return;
      this.#byKey.delete(held);
    }
  }
}

/** Neither user ids nor operation ids hold U+0000, so that two pairs never make one key. */
function key(user: string, id: string): string {
  return `${user}\0${id}`;
}
