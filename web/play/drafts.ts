import type { ActionError } from "../../src/client/room-client";

/** A message of one's own that the room has not numbered yet. */
export interface Draft {
  op: string;
  text: string;
  /** On the room's clock. */
  at: number;
  state: DraftState;
}

export type DraftState =
  /** The client has it, and will bring it to the room. */
  | { is: "waiting" }
  | { is: "refused"; code: string; message: string; retryAt?: number }
  /** It went out, and too long ago to be sent again without the risk of saying it twice. */
  | { is: "unknown" };

/** What one has written, until the room has it or the person throws it away. */
export class Drafts {
  #list: readonly Draft[] = [];

  get all(): readonly Draft[] {
    return this.#list;
  }

  has(op: string): boolean {
    return this.#list.some((draft) => draft.op === op);
  }

  add(op: string, text: string, at: number): void {
    this.#list = [...this.#list, { op, text, at, state: { is: "waiting" } }];
  }

  /** To be tried again; answers its text. */
  retry(op: string): string | undefined {
    this.#setState(op, { is: "waiting" });
    return this.#list.find((draft) => draft.op === op)?.text;
  }

  markFailed(op: string, { code, message, retryAfterMs }: ActionError, now: number): void {
    if (code === "unknown_outcome") return this.#setState(op, { is: "unknown" });
    const retryAt = retryAfterMs === undefined ? {} : { retryAt: now + retryAfterMs };
    this.#setState(op, { is: "refused", code, message, ...retryAt });
  }

  remove(op: string): void {
    if (this.has(op)) this.#list = this.#list.filter((draft) => draft.op !== op);
  }

  /** When the waits end that refusals asked for. */
  pendingRetryAts(now: number): number[] {
    return this.#list.flatMap(({ state: fate }) =>
      fate.is === "refused" && fate.retryAt !== undefined && fate.retryAt > now ? [fate.retryAt] : [],
    );
  }

  #setState(op: string, fate: DraftState): void {
    this.#list = this.#list.map((draft) => (draft.op === op ? { ...draft, state: fate } : draft));
  }
}
