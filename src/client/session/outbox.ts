import { byteLength } from "../../protocol/codec";
import { MAX_MESSAGE_BYTES, RESEND_MS } from "../../protocol/limits";
import type { Ack, Json, Nack, NumberedEvent, Welcome } from "../../protocol/messages";
import { LONG_AGO, NEVER } from "./never";
import { type Outcome, refused, TIMEOUT, UNDER_WAY, UNKNOWN_OUTCOME } from "./outcome";
import { Pacer } from "./pacer";
import { MAX_PENDING, type PendingAction, PendingActions } from "./pending";

export interface Asking {
  f: string;
  a: string;
  d: unknown;
  /** One's own, to be asked again under; a fresh one if absent. */
  id?: string | undefined;
  /** How long it may wait for an answer. */
  timeoutMs?: number | undefined;
}

/** Where things stand between us and the room, when something is sent. */
export interface Standing {
  link: number;
  epoch: string;
  now: number;
  roomNow: number;
}

const OP_ID = /^[^\0\ud800-\udfff]{1,64}$/u;

/** A game's "press" is worth nothing a minute later. A talk sets its own. */
const TIMEOUT_MS = 60_000;

/**
 * Actions on their way: kept in order while the room is away, sent once it listens, sent again under the same id for as long as
 * the room is sure to remember it, and settled exactly once.
 */
export class Outbox {
  readonly #pending = new PendingActions();
  readonly #pacer = new Pacer();
  #maxBytes = MAX_MESSAGE_BYTES;
  #resendMs = RESEND_MS;
  #holdUntil = LONG_AGO;
  #count = 0;

  constructor(
    /** Makes ids unlike those of any other session of the same user. */
    private readonly prefix: string,
    private readonly settled: (id: string, outcome: Outcome) => void,
  ) {}

  get all(): readonly PendingAction[] {
    return this.#pending.all;
  }

  /** Takes an action in, or settles it at once where it can be told that it would not arrive. Answers its id. */
  add(
    { f, a, d = {}, id = this.#freshId(), timeoutMs = TIMEOUT_MS }: Asking,
    now: number,
    roomNow: number,
  ): string {
    let problem: Outcome | undefined;
    let text = "";
    try {
      text = JSON.stringify({ t: "do", id, f, a, d });
      problem = this.#problem(id, text);
    } catch (error) {
      problem = refused("bad_data", String(error));
    }
    if (problem) {
      this.settled(id, problem);
      return id;
    }
    // As it will be read there: what the caller does to its object later is not in it.
    const data: Json = JSON.parse(text).d;
    this.#pending.add(
      { id, f, a, d: data, at: roomNow, isSent: false },
      { text, timeoutAt: now + timeoutMs },
    );
    return id;
  }

  /** Sent all the same, it would cost the connection. */
  isTooLarge(text: string): boolean {
    return byteLength(text) > this.#maxBytes;
  }

  follow({ maxBytes, resendMs, rules }: Welcome["limits"]): void {
    this.#maxBytes = maxBytes ?? MAX_MESSAGE_BYTES;
    this.#resendMs = resendMs ?? RESEND_MS;
    this.#pacer.follow(rules?.connection);
  }

  /** Anything else that counts against the connection's rate. */
  passed(now: number): void {
    this.#pacer.sent(now);
  }

  /** When a signal may go out. */
  signalsAt(now: number): number {
    return now + this.#pacer.wait(now, true);
  }

  /** What goes out now, in order. What may not be sent again is settled. */
  *flush(standing: Standing): Iterable<string> {
    const { link, epoch, now, roomNow } = standing;
    for (const { id } of this.#pending.toSend(link)) {
      const held = this.#pending.held(id);
      if (!held) continue;
      const { first } = held;
      if (first && (first.epoch !== epoch || this.#ageOf(first, now, roomNow) > this.#resendMs / 2)) {
        this.#settle(id, UNKNOWN_OUTCOME);
        continue;
      }
      if (this.#nextSendAt(now) > now) return;
      this.#pacer.sent(now);
      this.#pending.sent(id, link, { epoch, at: now, roomAt: roomNow });
      yield held.text;
    }
  }

  happened(event: NumberedEvent): void {
    if (event.op !== undefined) this.#settle(event.op, { is: "event", event });
  }

  acknowledged({ id, seq, d }: Ack): void {
    this.#settle(id, { is: "answer", seq, d });
  }

  refused(nack: Nack, now: number): void {
    const { id, code, retryAfterMs, info } = nack;
    if (id === undefined || !this.#pending.has(id)) return;
    // Neither says anything about the action: the room is moving, or we speak too fast. It goes out again by itself.
    if (code === "draining" || (code === "rate_limited" && info?.rule === "connection")) {
      this.#pending.unsend(id);
      this.#holdUntil = Math.max(this.#holdUntil, now + (retryAfterMs ?? 1_000));
      return;
    }
    this.#settle(id, { is: "refused", refusal: nack });
  }

  /** A new connection: what the old one was told to wait for is over. */
  greeted(): void {
    this.#holdUntil = LONG_AGO;
  }

  tick(now: number): void {
    for (const { id } of this.#pending.all) {
      const held = this.#pending.held(id);
      if (!held || now < this.#endsAt(id)) continue;
      this.#settle(id, held.first ? UNKNOWN_OUTCOME : TIMEOUT);
    }
  }

  /** Nobody will answer any more. */
  end(reason: string): void {
    for (const { id } of this.#pending.all) {
      const isSent = this.#pending.held(id)?.first !== undefined;
      this.#settle(id, isSent ? UNKNOWN_OUTCOME : refused("unavailable", reason));
    }
  }

  /** When one of them is over. */
  endsAt(): number {
    return Math.min(NEVER, ...this.#pending.all.map(({ id }) => this.#endsAt(id)));
  }

  /** When something may go out on this connection. */
  sendsAt(link: number, now: number): number {
    return this.#pending.toSend(link).length > 0 ? this.#nextSendAt(now) : NEVER;
  }

  #endsAt(id: string): number {
    const held = this.#pending.held(id);
    if (!held) return NEVER;
    const { first, timeoutAt } = held;
    // Once it was sent, the time in which it can be asked about is all there is to wait for.
    return first ? Math.min(timeoutAt, first.at + this.#resendMs / 2) : timeoutAt;
  }

  #nextSendAt(now: number): number {
    return Math.max(this.#holdUntil, now + this.#pacer.wait(now));
  }

  /** Whichever clock says more: ours may have slept, and the room's may have been set. */
  #ageOf(first: { at: number; roomAt: number }, now: number, roomNow: number): number {
    return Math.max(now - first.at, roomNow - first.roomAt);
  }

  #problem(id: string, text: string): Outcome | undefined {
    if (this.#pending.has(id)) return { is: "refused", refusal: UNDER_WAY };
    // The room would refuse it without saying whose it was.
    if (!OP_ID.test(id)) return refused("bad_message", "An id has 1 to 64 characters.");
    if (this.isTooLarge(text))
      return refused("too_large", `An action may have ${this.#maxBytes} bytes at most.`);
    if (this.#pending.isFull)
      return refused("unavailable", `${MAX_PENDING} actions are waiting for the room already.`);
    return undefined;
  }

  #settle(id: string, outcome: Outcome): void {
    if (this.#pending.remove(id)) this.settled(id, outcome);
  }

  #freshId(): string {
    this.#count++;
    return `${this.prefix}-${this.#count}`;
  }
}
