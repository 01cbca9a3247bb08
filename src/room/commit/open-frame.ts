import { MAX_RECORD_CHARS } from "../../protocol/limits";
import type { WireSignal } from "../../protocol/messages";
import type { AcceptedRecord } from "../state/idempotency";
import type { MemberChange } from "../state/members";
import { type FrameRecord, type StoredFrame, storeOperation, storePlain } from "../storage/record";
import type { PendingEffect } from "./effects";

const none: readonly never[] = [];
/** What structured clone adds to a small tuple. */
const TUPLE_CHARS = 40;

type FrameExtras = Pick<FrameRecord, "p" | "m" | "w" | "e" | "x" | "h">;

/** The frame that is gathering. Nothing in it has been seen by anybody. */
export class OpenFrame {
  readonly #events: string[] = [];
  /** Nearly every frame is without them. */
  #signals: Map<string, string> | undefined;
  readonly #operations: AcceptedRecord[] = [];
  /** Whether the events tell all of the actions. */
  #isReconstructible = true;
  /** What else is to be stored: of nearly every frame, nothing. */
  #extras: FrameExtras | undefined;
  #chars = 0;
  /** Answers and welcomes: what may be told only once everything in the frame is durable. */
  readonly onCommitted: (() => void)[] = [];
  /** What was said too early to be heard: only once all of those are out, for it may begin a frame. */
  readonly afterCommitted: (() => void)[] = [];
  #changedViews: Map<string, Set<string>> | undefined;

  constructor(
    /** Of its first event; a signal or a failed decision before it does not count. */
    public at: number,
    /** The number of the last event before it. */
    readonly before: number,
  ) {}

  get count(): number {
    return this.#events.length;
  }

  /** Whether there is something to store. */
  get isDurable(): boolean {
    return this.#chars > 0;
  }

  get hasSignals(): boolean {
    return this.#signals !== undefined;
  }

  fits(chars: number): boolean {
    return this.#chars + chars <= MAX_RECORD_CHARS;
  }

  addEvent(text: string): void {
    this.#events.push(text);
    this.#chars += text.length + 1;
  }

  addPrivate(f: string, n: string, data: string, by: string | undefined): void {
    const rest = this.#openExtras();
    rest.p ??= [];
    rest.p.push([f, n, data, by, this.at]);
    this.#chars += privateChars(f, n, data, by);
  }

  /** `by`: who its last event says that did it. */
  addOperation(operation: AcceptedRecord, by: string | undefined): void {
    const { user, seq, answer } = operation;
    if (by !== user || seq === undefined || answer !== undefined) this.#isReconstructible = false;
    this.#operations.push(operation);
    this.#chars += acceptedActionChars(operation);
  }

  addMember(change: MemberChange): void {
    const rest = this.#openExtras();
    rest.m ??= [];
    rest.m.push(change);
    this.#chars +=
      change.user.length +
      ("name" in change ? change.name.length + (change.requestedName?.length ?? 0) : 0) +
      3 * TUPLE_CHARS;
  }

  addTimer(name: string, at: number | null): void {
    const rest = this.#openExtras();
    rest.w ??= [];
    rest.w.push([name, at]);
    this.#chars += timerChars(name);
  }

  addEffect(name: string, outstanding: PendingEffect | null): void {
    const rest = this.#openExtras();
    rest.e ??= [];
    rest.e.push([name, outstanding && { ...outstanding }]);
    this.#chars += effectChars(name);
  }

  addPenalty(offender: string, at: number): void {
    const rest = this.#openExtras();
    rest.x ??= [];
    rest.x.push([offender, at]);
    this.#chars += offender.length + TUPLE_CHARS;
  }

  takeFromGuests(): void {
    this.#openExtras().h = true;
    this.#chars += TUPLE_CHARS;
  }

  addSignal(signal: WireSignal): void {
    this.#signals ??= new Map();
    this.#signals.set(`${signal.f}\0${signal.n}\0${signal.by}`, JSON.stringify(signal));
  }

  touchPrivateView(feature: string, user: string): void {
    this.#changedViews ??= new Map();
    const users = this.#changedViews.get(feature);
    if (users) users.add(user);
    else this.#changedViews.set(feature, new Set([user]));
  }

  /** (feature, users) whose private slice changed. */
  get changedPrivateViews(): Iterable<[feature: string, users: ReadonlySet<string>]> {
    return this.#changedViews ?? none;
  }

  /** The text of the events; and the same with the signals, which is not stored and which slow readers are spared. */
  texts(at: number): { lean: string | undefined; full: string } {
    const seq = this.before + this.#events.length;
    const head = `{"t":"frame","seq":${seq},"at":${at},"e":[${this.#events.join(",")}]`;
    const durableText = this.#events.length > 0 ? `${head}}` : undefined;
    if (!this.#signals) return { lean: durableText, full: durableText ?? `${head}}` };
    return { lean: durableText, full: `${head},"s":[${[...this.#signals.values()].join(",")}]}` };
  }

  store(n: number, text: string | undefined): StoredFrame {
    const seq = this.before + this.#events.length;
    const isPlain = this.#extras === undefined && this.#isReconstructible;
    if (isPlain && text !== undefined) return storePlain(n, text, seq, this.at, this.#operations);
    const record: FrameRecord = { n, seq, at: this.at, ...this.#extras };
    if (text !== undefined) record.text = text;
    if (this.#operations.length > 0) record.o = this.#operations.map(storeOperation);
    return record;
  }

  #openExtras(): FrameExtras {
    this.#extras ??= {};
    return this.#extras;
  }
}

export function privateChars(f: string, n: string, data: string, by: string | undefined): number {
  return f.length + n.length + data.length + (by?.length ?? 0) + TUPLE_CHARS;
}

export function timerChars(name: string): number {
  return name.length + TUPLE_CHARS;
}

export function effectChars(name: string): number {
  return name.length + 2 * TUPLE_CHARS;
}

export function acceptedActionChars({
  user,
  id,
  rule,
  answer,
  from,
}: Omit<AcceptedRecord, "record" | "seq">): number {
  const answerChars = answer === undefined ? 0 : JSON.stringify(answer).length;
  return user.length + id.length + (rule?.length ?? 0) + (from?.length ?? 0) + answerChars + TUPLE_CHARS;
}
