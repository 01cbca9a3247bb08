import { MAX_RECORD_CHARS } from "../protocol/limits";
import type { WireSignal } from "../protocol/messages";
import type { Outstanding } from "./errands";
import type { MemberChange } from "./members";
import type { Operation } from "./operations";
import { type FrameRecord, type StoredFrame, storeOperation, storePlain } from "./record";

const none: readonly never[] = [];
/** What structured clone adds to a small tuple. */
const TUPLE_CHARS = 40;

type Rest = Pick<FrameRecord, "p" | "m" | "w" | "e" | "x" | "h">;

/** The frame that is gathering. Nothing in it has been seen by anybody. */
export class OpenFrame {
  readonly #events: string[] = [];
  /** Nearly every frame is without them. */
  #signals: Map<string, string> | undefined;
  readonly #operations: Operation[] = [];
  /** Whether the events tell all of the actions. */
  #tellsAll = true;
  /** What else is to be stored: of nearly every frame, nothing. */
  #rest: Rest | undefined;
  #chars = 0;
  /** Answers and welcomes: what may be told only once everything in the frame is durable. */
  readonly after: (() => void)[] = [];
  /** What was said too early to be heard: only once all of those are out, for it may begin a frame. */
  readonly later: (() => void)[] = [];
  #mine: Map<string, Set<string>> | undefined;

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
    const rest = this.#openRest();
    rest.p ??= [];
    rest.p.push([f, n, data, by, this.at]);
    this.#chars += privateChars(f, n, data, by);
  }

  /** `by`: who its last event says that did it. */
  addOperation(operation: Operation, by: string | undefined): void {
    const { user, seq, answer } = operation;
    if (by !== user || seq === undefined || answer !== undefined) this.#tellsAll = false;
    this.#operations.push(operation);
    this.#chars += operationChars(operation);
  }

  addMember(change: MemberChange): void {
    const rest = this.#openRest();
    rest.m ??= [];
    rest.m.push(change);
    this.#chars +=
      change.user.length +
      ("name" in change ? change.name.length + (change.asked?.length ?? 0) : 0) +
      3 * TUPLE_CHARS;
  }

  addTimer(name: string, at: number | null): void {
    const rest = this.#openRest();
    rest.w ??= [];
    rest.w.push([name, at]);
    this.#chars += timerChars(name);
  }

  addErrand(name: string, outstanding: Outstanding | null): void {
    const rest = this.#openRest();
    rest.e ??= [];
    rest.e.push([name, outstanding && { ...outstanding }]);
    this.#chars += errandChars(name);
  }

  addOffence(offender: string, at: number): void {
    const rest = this.#openRest();
    rest.x ??= [];
    rest.x.push([offender, at]);
    this.#chars += offender.length + TUPLE_CHARS;
  }

  takeFromGuests(): void {
    this.#openRest().h = true;
    this.#chars += TUPLE_CHARS;
  }

  addSignal(signal: WireSignal): void {
    this.#signals ??= new Map();
    this.#signals.set(`${signal.f}\0${signal.n}\0${signal.by}`, JSON.stringify(signal));
  }

  touchMine(feature: string, user: string): void {
    this.#mine ??= new Map();
    const users = this.#mine.get(feature);
    if (users) users.add(user);
    else this.#mine.set(feature, new Set([user]));
  }

  /** (feature, users) whose private slice changed. */
  get mine(): Iterable<[feature: string, users: ReadonlySet<string>]> {
    return this.#mine ?? none;
  }

  /** The text of the events; and the same with the signals, which is not stored and which slow readers are spared. */
  texts(at: number): { lean: string | undefined; full: string } {
    const seq = this.before + this.#events.length;
    const head = `{"t":"frame","seq":${seq},"at":${at},"e":[${this.#events.join(",")}]`;
    const lean = this.#events.length > 0 ? `${head}}` : undefined;
    if (!this.#signals) return { lean, full: lean ?? `${head}}` };
    return { lean, full: `${head},"s":[${[...this.#signals.values()].join(",")}]}` };
  }

  store(n: number, text: string | undefined): StoredFrame {
    const seq = this.before + this.#events.length;
    const isPlain = this.#rest === undefined && this.#tellsAll;
    if (isPlain && text !== undefined) return storePlain(n, text, seq, this.at, this.#operations);
    const record: FrameRecord = { n, seq, at: this.at, ...this.#rest };
    if (text !== undefined) record.text = text;
    if (this.#operations.length > 0) record.o = this.#operations.map(storeOperation);
    return record;
  }

  #openRest(): Rest {
    this.#rest ??= {};
    return this.#rest;
  }
}

export function privateChars(f: string, n: string, data: string, by: string | undefined): number {
  return f.length + n.length + data.length + (by?.length ?? 0) + TUPLE_CHARS;
}

export function timerChars(name: string): number {
  return name.length + TUPLE_CHARS;
}

export function errandChars(name: string): number {
  return name.length + 2 * TUPLE_CHARS;
}

export function operationChars({ user, id, rule, answer, from }: Omit<Operation, "record" | "seq">): number {
  const answerChars = answer === undefined ? 0 : JSON.stringify(answer).length;
  return user.length + id.length + (rule?.length ?? 0) + (from?.length ?? 0) + answerChars + TUPLE_CHARS;
}
