import type { Json } from "../../protocol/messages";

/** An action of this user that the room has not answered yet. */
export interface PendingAction {
  readonly id: string;
  readonly f: string;
  readonly a: string;
  readonly d: Json;
  /** When it was made, on the room's clock. */
  readonly at: number;
  /** It was sent, so it may have been done. */
  readonly isSent: boolean;
}

/** What the outbox keeps beside each action. */
export interface PendingEntry {
  readonly text: string;
  /** After this the action is given up. */
  readonly timeoutAt: number;
  /** When it was first sent, by both clocks. The room forgets its id some time after. */
  firstSend?: { epoch: string; at: number; roomAt: number };
  /** The connection it was last sent on, and how often it was sent. */
  link?: number;
  sendCount?: number;
}

/** More unanswered actions than a person makes. */
export const MAX_PENDING = 256;

/** Actions without an answer, in the order they were made. */
export class PendingActions {
  #actions: readonly PendingAction[] = [];
  readonly #entries = new Map<string, PendingEntry>();

  /** A new array after each change. */
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

  /** The room has not looked at the action. If it was sent only once, it counts as never sent. */
  markUnsent(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    delete entry.link;
    if (entry.sendCount !== 1) return;
    delete entry.sendCount;
    delete entry.firstSend;
    this.#actions = this.#actions.map((action) => (action.id === id ? { ...action, isSent: false } : action));
  }

  /** The actions that are still to be sent on this connection, in order. */
  toSend(link: number): PendingAction[] {
    return this.#actions.filter(({ id }) => this.#entries.get(id)?.link !== link);
  }
}
