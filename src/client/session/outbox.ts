import { byteLength } from "../../protocol/codec";
import { MAX_MESSAGE_BYTES, RESEND_MS } from "../../protocol/limits";
import type { Ack, Json, Nack, NumberedEvent, Welcome } from "../../protocol/messages";
import { IN_FLIGHT, type Outcome, TIMEOUT, toRejection, UNKNOWN_OUTCOME } from "./outcome";
import { Pacer } from "./pacer";
import { MAX_PENDING, type PendingAction, PendingActions } from "./pending";
import { LONG_AGO, NEVER } from "./time";

export interface NewAction {
  f: string;
  a: string;
  d: unknown;
  /** One's own, to be asked again under; a fresh one if absent. */
  id?: string | undefined;
  /** How long it may wait for an answer. */
  timeoutMs?: number | undefined;
}

/** Where things stand between us and the room, when something is sent. */
export interface SendContext {
  link: number;
  epoch: string;
  now: number;
  roomNow: number;
}

const ACTION_ID = /^[^\0\ud800-\udfff]{1,64}$/u;

/** A game's "press" is worth nothing a minute later. A talk sets its own. */
const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Actions on their way: kept in order while the room is away, sent once it listens, sent again under the same id for as long as
 * the room is sure to remember it, and settled exactly once.
 */
export class Outbox {
  readonly #pending = new PendingActions();
  readonly #pacer = new Pacer();
  #maxBytes = MAX_MESSAGE_BYTES;
  #resendMs = RESEND_MS;
  #pausedUntil = LONG_AGO;
  #idCount = 0;
  /** Makes ids unlike those of any other session of the same user. */
  readonly #idPrefix: string;
  readonly #onSettled: (id: string, outcome: Outcome) => void;

  constructor(idPrefix: string, onSettled: (id: string, outcome: Outcome) => void) {
    this.#idPrefix = idPrefix;
    this.#onSettled = onSettled;
  }

  get all(): readonly PendingAction[] {
    return this.#pending.all;
  }

  /** Takes an action in, or settles it at once where it can be told that it would not arrive. Answers its id. */
  add(
    { f, a, d = {}, id = this.#freshId(), timeoutMs = DEFAULT_TIMEOUT_MS }: NewAction,
    now: number,
    roomNow: number,
  ): string {
    let rejection: Outcome | undefined;
    let text = "";
    try {
      text = JSON.stringify({ t: "do", id, f, a, d });
      rejection = this.#findRejection(id, text);
    } catch (error) {
      rejection = toRejection("bad_data", String(error));
    }
    if (rejection) {
      this.#onSettled(id, rejection);
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

  /** A new connection has its own limits, and no pause. */
  onWelcome({ maxBytes, resendMs, rules }: Welcome["limits"]): void {
    this.#pausedUntil = LONG_AGO;
    this.#maxBytes = maxBytes ?? MAX_MESSAGE_BYTES;
    this.#resendMs = resendMs ?? RESEND_MS;
    this.#pacer.setRate(rules?.connection);
  }

  /** Anything else that counts against the connection's rate. */
  countSent(now: number): void {
    this.#pacer.countSent(now);
  }

  /** When a signal may go out. */
  signalsAt(now: number): number {
    return now + this.#pacer.waitMs(now, true);
  }

  /** What goes out now, in order. What may not be sent again is settled. */
  *flush(context: SendContext): Iterable<string> {
    const { link, epoch, now, roomNow } = context;
    for (const { id } of this.#pending.toSend(link)) {
      const entry = this.#pending.entry(id);
      if (!entry) continue;
      const { firstSend: first } = entry;
      if (first && (first.epoch !== epoch || this.#ageMs(first, now, roomNow) > this.#resendMs / 2)) {
        this.#settle(id, UNKNOWN_OUTCOME);
        continue;
      }
      if (this.#nextSendAt(now) > now) return;
      this.#pacer.countSent(now);
      this.#pending.markSent(id, link, { epoch, at: now, roomAt: roomNow });
      yield entry.text;
    }
  }

  onEvent(event: NumberedEvent): void {
    if (event.op !== undefined) this.#settle(event.op, { is: "event", event });
  }

  onAck({ id, seq, d }: Ack): void {
    this.#settle(id, { is: "answer", seq, d });
  }

  onNack(nack: Nack, now: number): void {
    const { id, code, retryAfterMs, info } = nack;
    if (id === undefined || !this.#pending.has(id)) return;
    // Neither says anything about the action: the room is moving, or we speak too fast. It goes out again by itself.
    if (code === "draining" || (code === "rate_limited" && info?.rule === "connection")) {
      this.#pending.markUnsent(id);
      this.#pausedUntil = Math.max(this.#pausedUntil, now + (retryAfterMs ?? 1_000));
      return;
    }
    this.#settle(id, { is: "refused", refusal: nack });
  }

  tick(now: number): void {
    for (const { id } of this.#pending.all) {
      const entry = this.#pending.entry(id);
      if (!entry || now < this.#timeoutAt(id)) continue;
      this.#settle(id, entry.firstSend ? UNKNOWN_OUTCOME : TIMEOUT);
    }
  }

  /** Nobody will answer any more. */
  end(reason: string): void {
    for (const { id } of this.#pending.all) {
      const isSent = this.#pending.entry(id)?.firstSend !== undefined;
      this.#settle(id, isSent ? UNKNOWN_OUTCOME : toRejection("unavailable", reason));
    }
  }

  /** When one of them is over. */
  timeoutAt(): number {
    return Math.min(NEVER, ...this.#pending.all.map(({ id }) => this.#timeoutAt(id)));
  }

  /** When something may go out on this connection. */
  sendsAt(link: number, now: number): number {
    return this.#pending.toSend(link).length > 0 ? this.#nextSendAt(now) : NEVER;
  }

  #timeoutAt(id: string): number {
    const entry = this.#pending.entry(id);
    if (!entry) return NEVER;
    const { firstSend: first, timeoutAt } = entry;
    // Once it was sent, the time in which it can be asked about is all there is to wait for.
    return first ? Math.min(timeoutAt, first.at + this.#resendMs / 2) : timeoutAt;
  }

  #nextSendAt(now: number): number {
    return Math.max(this.#pausedUntil, now + this.#pacer.waitMs(now));
  }

  /** Whichever clock says more: ours may have slept, and the room's may have been set. */
  #ageMs(first: { at: number; roomAt: number }, now: number, roomNow: number): number {
    return Math.max(now - first.at, roomNow - first.roomAt);
  }

  #findRejection(id: string, text: string): Outcome | undefined {
    if (this.#pending.has(id)) return { is: "refused", refusal: IN_FLIGHT };
    // The room would refuse it without saying whose it was.
    if (!ACTION_ID.test(id)) return toRejection("bad_message", "An id has 1 to 64 characters.");
    if (this.isTooLarge(text))
      return toRejection("too_large", `An action may have ${this.#maxBytes} bytes at most.`);
    if (this.#pending.isFull)
      return toRejection("unavailable", `${MAX_PENDING} actions are waiting already.`);
    return undefined;
  }

  #settle(id: string, outcome: Outcome): void {
    if (this.#pending.remove(id)) this.#onSettled(id, outcome);
  }

  #freshId(): string {
    this.#idCount++;
    return `${this.#idPrefix}-${this.#idCount}`;
  }
}
