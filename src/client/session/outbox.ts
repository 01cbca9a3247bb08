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
  /** Set by the caller to ask again under the same id; a fresh id if absent. */
  id?: string | undefined;
  /** How long the action may wait for an answer. */
  timeoutMs?: number | undefined;
}

/** The connection and the time at which something is sent. */
export interface SendContext {
  link: number;
  epoch: string;
  now: number;
  roomNow: number;
}

const ACTION_ID = /^[^\0\ud800-\udfff]{1,64}$/u;

/** A button press in a game is worthless a minute later. A chat passes a longer time. */
const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Actions without an answer. They are kept in order while there is no connection, sent when there is one, and sent again under
 * the same id as long as the room is sure to remember the id. Each is settled exactly once.
 */
export class Outbox {
  readonly #pending = new PendingActions();
  readonly #pacer = new Pacer();
  #maxBytes = MAX_MESSAGE_BYTES;
  #resendMs = RESEND_MS;
  #pausedUntil = LONG_AGO;
  #idCount = 0;
  /** Keeps ids apart from those of this user's other sessions. */
  readonly #idPrefix: string;
  readonly #onSettled: (id: string, outcome: Outcome) => void;

  constructor(idPrefix: string, onSettled: (id: string, outcome: Outcome) => void) {
    this.#idPrefix = idPrefix;
    this.#onSettled = onSettled;
  }

  get all(): readonly PendingAction[] {
    return this.#pending.all;
  }

  /** Adds an action, or settles it at once if the room would reject it. Returns its id. */
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
    // As the room will parse it, and independent of later changes to the caller's object.
    const data: Json = JSON.parse(text).d;
    this.#pending.add(
      { id, f, a, d: data, at: roomNow, isSent: false },
      { text, timeoutAt: now + timeoutMs },
    );
    return id;
  }

  /** Whether the room would close the connection because of this message. */
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

  /** Counts another message against the connection's rate. */
  countSent(now: number): void {
    this.#pacer.countSent(now);
  }

  /** When a signal may go out. */
  signalsAt(now: number): number {
    return now + this.#pacer.waitMs(now, true);
  }

  /** The messages that go out now, in order. An action that may not be sent again is settled. */
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
    // The room has not looked at the action: it drains, or the connection is over its rate. The action is sent again.
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

  /** Settles everything: no answer will come any more. */
  end(reason: string): void {
    for (const { id } of this.#pending.all) {
      const isSent = this.#pending.entry(id)?.firstSend !== undefined;
      this.#settle(id, isSent ? UNKNOWN_OUTCOME : toRejection("unavailable", reason));
    }
  }

  /** When the next action times out. */
  timeoutAt(): number {
    return Math.min(NEVER, ...this.#pending.all.map(({ id }) => this.#timeoutAt(id)));
  }

  /** When the next action may go out on this connection. */
  sendsAt(link: number, now: number): number {
    return this.#pending.toSend(link).length > 0 ? this.#nextSendAt(now) : NEVER;
  }

  #timeoutAt(id: string): number {
    const entry = this.#pending.entry(id);
    if (!entry) return NEVER;
    const { firstSend: first, timeoutAt } = entry;
    // Once sent, it can be sent again only as long as the room remembers its id.
    return first ? Math.min(timeoutAt, first.at + this.#resendMs / 2) : timeoutAt;
  }

  #nextSendAt(now: number): number {
    return Math.max(this.#pausedUntil, now + this.#pacer.waitMs(now));
  }

  /** By the clock that says more: ours may have stood still in sleep, and the room's may have been set. */
  #ageMs(first: { at: number; roomAt: number }, now: number, roomNow: number): number {
    return Math.max(now - first.at, roomNow - first.roomAt);
  }

  #findRejection(id: string, text: string): Outcome | undefined {
    if (this.#pending.has(id)) return { is: "refused", refusal: IN_FLIGHT };
    // The room would reject the message without naming the action.
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
