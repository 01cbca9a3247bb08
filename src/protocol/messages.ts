import type { CloseCode, ErrorCode, Role } from "./codes";

/** Whatever JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

// ---- client to room

export interface Do {
  t: "do";
  id: string;
  f: string;
  a: string;
  d: Json;
}
export interface Sig {
  t: "sig";
  f: string;
  n: string;
  d: Json;
}
export interface Seen {
  t: "seen";
  seq: number;
  /** The mark of the newest frame that had one: who repeats it has read that frame. */
  m?: string | undefined;
}
export interface ClockProbe {
  t: "clock";
  t0: number;
}
export interface Verify {
  t: "verify";
}
export type Up = Do | Sig | Seen | ClockProbe | Verify;

// ---- room to client

/** An event as it stands on the wire. `by` is absent where the room itself speaks; `op` is on the last event of an action. */
export interface WireEvent {
  f: string;
  n: string;
  /** Its feature knows of what type. */
  d: unknown;
  by?: string;
  op?: string;
}
/** What a reducer is given: the event as it stands on the wire, with its number and its time. */
export interface NumberedEvent extends WireEvent {
  seq: number;
  at: number;
}
export interface WireSignal {
  f: string;
  n: string;
  d: Json;
  by: string;
}
export interface RateInfo {
  count: number;
  perMs: number;
}
export interface Welcome {
  t: "welcome";
  v: number;
  room: { kind: string; id: string };
  you: { user: string; name: string; role: Role; conn: string; token?: string };
  epoch: string;
  seq: number;
  at: number;
  resumed: boolean;
  features: Record<string, string>;
  state?: Record<string, Json>;
  mine?: Record<string, Json>;
  /** The boards that this room's points reach; absent where an earlier release speaks. */
  feeds?: string[];
  limits: {
    maxBytes: number;
    resendMs: number;
    recoveryMs: number;
    pingMs: number;
    silentMs: number;
    rules: Record<string, RateInfo>;
  };
}
export interface Frame {
  t: "frame";
  seq: number;
  at: number;
  e: WireEvent[];
  s?: WireSignal[];
  /** To be repeated at once in a `seen`. */
  m?: string;
}
export interface Mine {
  t: "mine";
  f: string;
  d: Json;
}
export interface Ack {
  t: "ack";
  id: string;
  seq?: number;
  d?: Json;
}
export interface Issue {
  path: string;
  message: string;
}
export interface Nack {
  t: "nack";
  id?: string;
  code: ErrorCode;
  message: string;
  retryAfterMs?: number;
  info?: { rule?: string; limit?: RateInfo; issues?: Issue[] };
}
export interface ClockAnswer {
  t: "clock";
  t0: number;
  t1: number;
  t2: number;
}
export interface Checksums {
  t: "checksum";
  seq: number;
  sums: Record<string, string>;
}
export interface Bye {
  t: "bye";
  code: CloseCode;
  reason: string;
  retryAfterMs?: number;
}
export type Down = Welcome | Frame | Mine | Ack | Nack | ClockAnswer | Checksums | Bye;
