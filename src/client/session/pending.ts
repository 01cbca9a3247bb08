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
export interface Held {
  readonly text: string;
  /** After this it is not waited for any longer. */
  readonly timeoutAt: number;
  /** The first sending: the room forgets an id some time after. On our clock and on the room's. */
  first?: { epoch: string; at: number; roomAt: number };
  /** The connection that it was last sent on, and on how many so far. */
  link?: number;
  sends?: number;
}

/** What a person does without an answer for this long is more than a person does. */
export const MAX_PENDING = 256;

/** Actions without an answer, in the order they were made. */
export class PendingActions {
  #list: readonly PendingAction[] = [];
  readonly #held = new Map<string, Held>();

  /** A new array whenever anything of it changes. */
  get all(): readonly PendingAction[] {
    return this.#list;
  }

  get isFull(): boolean {
    return this.#list.length >= MAX_PENDING;
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  held(id: string): Held | undefined {
    return this.#held.get(id);
  }

  add(action: PendingAction, held: Held): void {
    this.#list = [...this.#list, action];
    this.#held.set(action.id, held);
  }

  remove(id: string): boolean {
    if (!this.#held.delete(id)) return false;
    this.#list = this.#list.filter((action) => action.id !== id);
    return true;
  }

  sent(id: string, link: number, first: { epoch: string; at: number; roomAt: number }): void {
    const held = this.#held.get(id);
    if (!held) return;
    held.link = link;
    held.sends = (held.sends ?? 0) + 1;
    held.first ??= first;
    this.#list = this.#list.map((action) => (action.id === id ? { ...action, isSent: true } : action));
  }

  /** The room said that it did not look at it: if that was the first sending, it is as if there had been none. */
  unsend(id: string): void {
    const held = this.#held.get(id);
    if (!held) return;
    delete held.link;
    if (held.sends !== 1) return;
    delete held.sends;
    delete held.first;
    this.#list = this.#list.map((action) => (action.id === id ? { ...action, isSent: false } : action));
  }

  /** What is still to go out on this connection, in order. */
  toSend(link: number): PendingAction[] {
    return this.#list.filter(({ id }) => this.#held.get(id)?.link !== link);
  }
}
