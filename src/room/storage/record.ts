import type { Json, NumberedEvent, WireEvent } from "../../protocol/messages";
import type { PendingEffect } from "../commit/effects";
import type { AcceptedRecord } from "../state/idempotency";
import type { MemberChange } from "../state/members";

/** One frame for the journal, in one write: what everybody is sent, and what nobody is. */
export interface FrameRecord {
  n: number;
  /** The number of the last event up to and with this frame, and the frame's time. */
  seq: number;
  at: number;
  /** The public events, as the text that is sent. */
  text?: string;
  /** Private events: feature, name, data as JSON (whose size in storage is known, whatever it holds), user, time. */
  p?: [f: string, n: string, d: string, by: string | undefined, at: number][];
  o?: StoredOperation[];
  m?: MemberChange[];
  /** Named timers: set, or cleared. */
  w?: [name: string, at: number | null][];
  /** Errands: outstanding, or over. */
  e?: [name: string, outstanding: PendingEffect | null][];
  /** Who was closed for too much, and when. */
  x?: [offender: string, at: number][];
  /** A host came to a room that a guest had opened, before anybody scored in it: it feeds what rooms of hosts feed. */
  h?: true;
}

export type StoredOperation = [
  user: string,
  id: string,
  print: number,
  at: number,
  seq: number | undefined,
  rule: string | undefined,
  /** As JSON. */
  answer?: string | undefined,
  from?: string,
];

export function storeOperation(o: AcceptedRecord): StoredOperation {
  const stored: StoredOperation = [o.user, o.id, o.fingerprint, o.at, o.seq, o.rule];
  if (o.answer !== undefined) stored.push(JSON.stringify(o.answer));
  else if (o.from !== undefined) stored.push(undefined);
  if (o.from !== undefined) stored.push(o.from);
  return stored;
}

/** Read back from JSON, absent fields are `null`. */
export function restoreOperation(stored: StoredOperation, record: number): AcceptedRecord {
  const [user, id, print, at, seq, rule, answer, from] = stored;
  return {
    record,
    user,
    id,
    fingerprint: print,
    at,
    seq: seq ?? undefined,
    rule: rule ?? undefined,
    // `null` in JSON as a text is "null": an answer that is one is not taken for none.
    answer: answer == null ? undefined : (JSON.parse(answer) as Json),
    from,
  };
}

/**
 * Most frames are plain: nothing but events, and actions without an answer of which the last event says whose they are and
 * under which id. They are stored as the text that is sent, and what it does not tell, each after a line break (the text has
 * none): the record's number, and the actions if there are any. Before keys were used again a record's number was its key's,
 * and the text had none.
 */
export type StoredFrame = FrameRecord | string;

/** Of an action that an event tells of: how long after the frame's time it was, and how many events come after its last. */
type StoredAction = [
  print: number,
  afterMs: number,
  following: number,
  rule?: string | undefined,
  from?: string,
];

export function storePlain(
  n: number,
  text: string,
  last: number,
  at: number,
  operations: readonly AcceptedRecord[],
): string {
  if (operations.length === 0) return `${text}\n${n}`;
  const actions = operations.map((o): StoredAction => {
    const stored: StoredAction = [o.fingerprint, o.at - at, last - (o.seq ?? last)];
    if (o.rule !== undefined || o.from !== undefined) stored.push(o.rule);
    if (o.from !== undefined) stored.push(o.from);
    return stored;
  });
  return `${text}\n${n}\n${JSON.stringify(actions)}`;
}

/** What comes after a plain frame's text: its number, or in an earlier build's none, and the actions. */
const afterText = /^(?:(\d{1,15})(?:\n(\[[^\n]*\]))?|(\[[^\n]*\]))$/;

/** A plain frame, taken apart. What an earlier build stored without a number has its key's. */
function splitPlain(key: number, stored: string): { n: number; text: string; actions: string | undefined } {
  const end = stored.indexOf("\n");
  if (end < 0) return { n: key, text: stored, actions: undefined };
  const [, n, actions, alone] = afterText.exec(stored.slice(end + 1)) ?? unknownForm(key);
  return { n: Number(n ?? key), text: stored.slice(0, end), actions: actions ?? alone };
}

function unknownForm(key: number): never {
  throw new Error(`The record under key ${key} is of a form that this build does not know.`);
}

/** Which record lies under a key. */
export function recordNumber(key: number, stored: unknown): number {
  if (typeof stored === "string") return splitPlain(key, stored).n;
  const { n } = (stored ?? {}) as Partial<FrameRecord>;
  return n !== undefined && Number.isSafeInteger(n) ? n : unknownForm(key);
}

/** The record that lies under a key, and the events in it. What cannot be read opens no room, rather than one that is not whole. */
export function readFrame(
  key: number,
  stored: StoredFrame,
): { record: FrameRecord; events: NumberedEvent[] } {
  if (typeof stored !== "string")
    return { record: stored, events: stored.text === undefined ? [] : eventsOf(stored.text) };
  const { n, text, actions } = splitPlain(key, stored);
  const events = eventsOf(text);
  const newest = events.at(-1);
  if (!newest) throw new Error(`Record ${n} is without an event.`);
  const { seq, at } = newest;
  const record: FrameRecord = { n, seq, at, text };
  if (actions === undefined) return { record, events };
  record.o = (JSON.parse(actions) as StoredAction[]).map(([print, afterMs, following, rule, from]) => {
    const { by, op } = events.at(-1 - following) ?? {};
    if (by === undefined || op === undefined)
      throw new Error(`Record ${n} has an action that no event tells of.`);
    const operation: StoredOperation = [by, op, print, at + afterMs, seq - following, rule];
    if (from !== undefined) operation.push(undefined, from);
    return operation;
  });
  return { record, events };
}

/** About what a small entry of a record takes: a member, a timer, an action. */
const ENTRY_CHARS = 100;

/** What a record counts towards the next snapshot: about what a restore has to read. */
export function storedChars(stored: StoredFrame): number {
  if (typeof stored === "string") return stored.length;
  const { text, p, o, m, w, e, x } = stored;
  let chars = text?.length ?? 0;
  for (const entries of [p, o, m, w, e, x]) chars += (entries?.length ?? 0) * ENTRY_CHARS;
  for (const [, , data] of p ?? none) chars += data.length;
  for (const [, , , , , , answer] of o ?? none) chars += answer?.length ?? 0;
  return chars;
}

/** The events of a frame's text, each with its number. */
function eventsOf(text: string): NumberedEvent[] {
  const { seq, at, e } = JSON.parse(text) as { seq: number; at: number; e: NumberedEvent[] };
  let number = seq - e.length;
  for (const event of e) {
    event.seq = ++number;
    event.at = at;
  }
  return e;
}

/** The part of a frame after `seq`, for a reader who has its beginning. */
export function tailOf(text: string, seq: number): string {
  const frame = JSON.parse(text) as { seq: number; e: WireEvent[] };
  return JSON.stringify({ ...frame, e: frame.e.slice(frame.e.length - (frame.seq - seq)) });
}

const none: readonly never[] = [];
