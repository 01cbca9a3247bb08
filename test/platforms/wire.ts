// What the room says, written down a second time from docs/protocol.md: the suite must not learn the wire from the code it tests.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Data = { [key: string]: Json };

export interface WireEvent {
  f: string;
  n: string;
  d: Data;
  by?: string;
  op?: string;
}

export interface Signal {
  f: string;
  n: string;
  d: Json;
  by: string;
}

export interface Rule {
  count: number;
  perMs: number;
}

export interface Welcome {
  t: "welcome";
  v: number;
  room: { kind: string; id: string };
  you: { user: string; name: string; role: string; conn: string; token?: string };
  epoch: string;
  seq: number;
  at: number;
  resumed: boolean;
  features: Record<string, string | number>;
  state?: Record<string, Json>;
  mine?: Record<string, Json>;
  limits: {
    maxBytes: number;
    resendMs: number;
    recoveryMs: number;
    pingMs: number;
    silentMs: number;
    rules: Record<string, Rule>;
  };
}

export interface Frame {
  t: "frame";
  seq: number;
  at: number;
  e: WireEvent[];
  s?: Signal[];
  m?: string;
}

export interface Ack {
  t: "ack";
  id: string;
  seq?: number;
  d?: Json;
}

export interface Nack {
  t: "nack";
  id?: string;
  code: string;
  message: string;
  retryAfterMs?: number;
  info?: { rule?: string; limit?: Json; issues?: { path: Json; message: string }[] };
}

export interface Clock {
  t: "clock";
  t0: number;
  t1: number;
  t2: number;
}

export interface Checksum {
  t: "checksum";
  seq: number;
  sums: Record<string, string>;
}

export interface Bye {
  t: "bye";
  code: number;
  reason: string;
  retryAfterMs?: number;
}

export interface Mine {
  t: "mine";
  f: string;
  d: Json;
}

export type Message = Welcome | Frame | Ack | Nack | Clock | Checksum | Bye | Mine;

export const ERROR_CODES: ReadonlySet<string> = new Set([
  "bad_message",
  "bad_action",
  "bad_data",
  "not_allowed",
  "muted",
  "rate_limited",
  "too_large",
  "full",
  "draining",
  "unknown_user",
  "duplicate",
  "conflict",
  "unavailable",
  "internal",
]);

/** Closed with one of these, a client does not come back as it is. */
export const FINAL_CODES: ReadonlySet<number> = new Set([4400, 4401, 4403, 4404, 4409, 4410, 4413]);

export const CLOSE_CODES: ReadonlySet<number> = new Set([...FINAL_CODES, 4408, 4429, 4503, 1012]);

/** What only the inside of a server would say: a stack, a file, a library's error. */
export const INTERNAL_TEXT =
  /\n\s+at |\bat \S+ \(|\.ts:\d|\.js:\d|\.ts\b.*\bline\b|TypeError|SyntaxError|RangeError|ReferenceError|ZodError|node_modules|workerd|\bD1_[A-Z]{4}|SQLITE_/;
