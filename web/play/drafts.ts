import type { ErrorCode } from "../../src/protocol/codes";
import type { Nack } from "../../src/protocol/messages";

/** A message of one's own that the room has not numbered yet. */
export interface Draft {
  op: string;
  text: string;
  /** On the room's clock. */
  at: number;
  fate: Fate;
}

export type Fate =
  | { is: "unsent" }
  | { is: "sent"; epoch: string; firstAt: number }
  | { is: "refused"; code: ErrorCode; message: string; retryAt?: number }
  /** It went out, and too long ago to be sent again without the risk of saying it twice. */
  | { is: "unknown" };

export class Drafts {
  private list: readonly Draft[] = [];
  private count = 0;

  constructor(private readonly visit: string) {}

  get all(): readonly Draft[] {
    return this.list;
  }

  has(op: string): boolean {
    return this.list.some((draft) => draft.op === op);
  }

  add(text: string, at: number): Draft {
    this.count += 1;
    const draft: Draft = { op: `${this.visit}-${this.count}`, text, at, fate: { is: "unsent" } };
    this.list = [...this.list, draft];
    return draft;
  }

  renew(op: string): Draft | undefined {
    this.become(op, () => ({ is: "unsent" }));
    return this.list.find((draft) => draft.op === op);
  }

  sent(op: string, epoch: string, now: number): void {
    this.become(op, (fate) => (fate.is === "sent" ? fate : { is: "sent", epoch, firstAt: now }));
  }

  refuse(op: string, { code, message, retryAfterMs }: Nack, now: number): void {
    const retryAt = retryAfterMs === undefined ? {} : { retryAt: now + retryAfterMs };
    this.become(op, () => ({ is: "refused", code, message, ...retryAt }));
  }

  remove(op: string): void {
    if (this.has(op)) this.list = this.list.filter((draft) => draft.op !== op);
  }

  /** What to send on a fresh connection. A draft first sent in another life of the room, or too early, is left to the person. */
  toSend(epoch: string, notBefore: number): Draft[] {
    for (const { op } of this.list) {
      this.become(op, (fate) =>
        fate.is === "sent" && (fate.epoch !== epoch || fate.firstAt < notBefore) ? { is: "unknown" } : fate,
      );
    }
    return this.list.filter(({ fate }) => fate.is === "unsent" || fate.is === "sent");
  }

  /** When the waits end that refusals asked for. */
  waits(now: number): number[] {
    return this.list.flatMap(({ fate }) =>
      fate.is === "refused" && fate.retryAt !== undefined && fate.retryAt > now ? [fate.retryAt] : [],
    );
  }

  private become(op: string, next: (fate: Fate) => Fate): void {
    this.list = this.list.map((draft) => (draft.op === op ? { ...draft, fate: next(draft.fate) } : draft));
  }
}
