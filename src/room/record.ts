import type { Json, NumberedEvent, WireEvent } from "../protocol/messages";
import type { Outstanding } from "./errands";
import type { MemberChange } from "./members";
import type { Operation } from "./operations";

/** One frame as the journal keeps it, in one write: what everybody is sent, and what nobody is. */
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
  e?: [name: string, outstanding: Outstanding | null][];
  /** Who was closed for too much, and when. */
  x?: [offender: string, at: number][];
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

export function storeOperation(o: Operation): StoredOperation {
  const stored: StoredOperation = [o.user, o.id, o.print, o.at, o.seq, o.rule];
  if (o.answer !== undefined) stored.push(JSON.stringify(o.answer));
  else if (o.from !== undefined) stored.push(undefined);
  if (o.from !== undefined) stored.push(o.from);
  return stored;
}

/** Read back from JSON, absent fields are `null`. */
export function restoreOperation(stored: StoredOperation, record: number): Operation {
  const [user, id, print, at, seq, rule, answer, from] = stored;
  return {
    record,
    user,
    id,
    print,
    at,
    seq: seq ?? undefined,
    rule: rule ?? undefined,
    // `null` in JSON as a text is "null": an answer that is one is not taken for none.
    answer: answer == null ? undefined : (JSON.parse(answer) as Json),
    from,
  };
}

/** What a record counts towards the next snapshot: about what a restore has to read. */
export function recordChars({ text, p }: FrameRecord): number {
  let chars = text?.length ?? 0;
  for (const [, , data] of p ?? none) chars += data.length;
  return chars;
}

/** The events of a frame's text, each with its number. */
export function eventsOf(text: string): NumberedEvent[] {
  const frame = JSON.parse(text) as { seq: number; at: number; e: WireEvent[] };
  const first = frame.seq - frame.e.length + 1;
  return frame.e.map((event, at) => ({ ...event, seq: first + at, at: frame.at }));
}

/** The part of a frame after `seq`, for a reader who has its beginning. */
export function tailOf(text: string, seq: number): string {
  const frame = JSON.parse(text) as { seq: number; e: WireEvent[] };
  return JSON.stringify({ ...frame, e: frame.e.slice(frame.e.length - (frame.seq - seq)) });
}

const none: readonly never[] = [];
