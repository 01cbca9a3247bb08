import type { Json } from "../../protocol/messages";

/** An action of one's own that the room has not answered yet. */
export interface PendingAction {
  readonly id: string;
  readonly f: string;
  readonly a: string;
  readonly d: Json;
  /** When it was made, on the room's clock. */
  readonly at: number;
  /** Whether it has been on its way: then it may have been done. */
  readonly isSent: boolean;
}

/** What else is remembered of one. */
export interface PendingEntry {
  readonly text: string;
  /** After this it is not waited for any longer. */
  readonly timeoutAt: number;
  /** The first sending: the room forgets an id some time after. On our clock and on the room's. */
  firstSend?: { epoch: string; at: number; roomAt: number };
  /** The connection that it was last sent on, and on how many so far. */
  link?: number;
  sendCount?: number;
}

/** What a person does without an answer for this long is more than a person does. */
export const MAX_PENDING = 256;

/** Actions without an answer, in the order they were made. */
export class PendingActions {
  #actions: readonly PendingAction[] = [];
  readonly #entries = new Map<string, PendingEntry>();

  /** A new array whenever anything of it changes. */
  get all(): readonly PendingAction[] {
    return this.#actions;
  }

  get isFull(): boolean {
    return this.#actions.length >= MAX_PENDING;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  entry(id: string): PendingEntry | undefined {
    return this.#entries.get(id);
  }

  add(action: PendingAction, entry: PendingEntry): void {
    this.#actions = [...this.#actions, action];
    this.#entries.set(action.id, entry);
  }

  remove(id: string): boolean {
    if (!this.#entries.delete(id)) return false;
    this.#actions = this.#actions.filter((action) => action.id !== id);
    return true;
  }

  markSent(id: string, link: number, send: { epoch: string; at: number; roomAt: number }): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.link = link;
    entry.sendCount = (entry.sendCount ?? 0) + 1;
    entry.firstSend ??= send;
    this.#actions = this.#actions.map((action) => (action.id === id ? { ...action, isSent: true } : action));
  }

  /** The room said that it did not look at it: if that was the first sending, it is as if there had been none. */
  markUnsent(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    delete entry.link;
    if (entry.sendCount !== 1) return;
    delete entry.sendCount;
    delete entry.firstSend;
    this.#actions = this.#actions.map((action) => (action.id === id ? { ...action, isSent: false } : action));
  }

  /** What is still to go out on this connection, in order. */
  toSend(link: number): PendingAction[] {
    return this.#actions.filter(({ id }) => this.#entries.get(id)?.link !== link);
  }
}
