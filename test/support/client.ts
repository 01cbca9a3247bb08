import { foldEvent, type Seen, sumsOf } from "../platforms/fold";
import type { Bye, Frame, Json, Message, Nack, Signal, Welcome } from "../platforms/wire";
import { CLOSE_CODES, ERROR_CODES, FINAL_CODES, INTERNALS } from "../platforms/wire";

export type Outcome =
  | { kind: "event"; seq: number; event: Seen; frame: Frame }
  | { kind: "ack"; seq?: number; d?: Json }
  | { kind: "nack"; nack: Nack }
  | { kind: "lost" };

interface Pending {
  text: string;
  settle(outcome: Outcome): void;
}

interface Waiter {
  check(): void;
}

/** Both sockets, reduced to what the client needs of one. */
interface Wire {
  send(data: string | Uint8Array): void;
  close(): void;
}

const DEFAULT_WAIT_MS = 10_000;
/** A client says what it has read at least every 256 KiB; this one a little sooner. */
const SEEN_EVERY_BYTES = 200 * 1024;

/** A client for tests: it keeps all it is told, folds it as a browser would, and notes every breach of the stream's rules. */
export class Client {
  readonly messages: Message[] = [];
  readonly events: Seen[] = [];
  readonly signals: Signal[] = [];
  readonly welcomes: Welcome[] = [];
  readonly byes: Bye[] = [];
  /** When each of them came. */
  readonly byedAt: number[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  readonly checksums: { seq: number; sums: Record<string, string>; own: Record<string, string> }[] = [];
  /** What must be empty at the end of every story. */
  readonly faults: string[] = [];
  slices: Record<string, Json> = {};
  seq = 0;
  pongs = 0;
  bytes = 0;
  protected wire!: Wire;
  private readonly resend: boolean;
  private readonly pending = new Map<string, Pending[]>();
  private readonly waiters = new Set<Waiter>();
  private greeted = false;
  private unsaid = 0;

  protected constructor(resend: boolean) {
    this.resend = resend;
  }

  // ---- what a story does

  /** The next welcome if none came yet, else the newest. */
  async welcome(ms = DEFAULT_WAIT_MS): Promise<Welcome> {
    return this.until(() => this.welcomes.at(-1), "a welcome", ms);
  }

  async bye(ms = DEFAULT_WAIT_MS): Promise<Bye> {
    return this.until(() => this.byes.at(-1), "a bye", ms);
  }

  get you(): Welcome["you"] {
    const welcome = this.welcomes.at(-1);
    if (!welcome) {
      throw new Error("nobody yet: no welcome has come");
    }
    return welcome.you;
  }

  get epoch(): string | undefined {
    return this.welcomes.at(-1)?.epoch;
  }

  send(message: unknown): void {
    this.wire.send(
      typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message),
    );
  }

  do(f: string, a: string, d: Json, id: string = freshId(), ms = DEFAULT_WAIT_MS): Promise<Outcome> {
    const text = JSON.stringify({ t: "do", id, f, a, d });
    const outcome = this.expectOutcome(id, text, ms);
    this.wire.send(text);
    return outcome;
  }

  say(text: string, id: string = freshId(), ms = DEFAULT_WAIT_MS): Promise<Outcome> {
    return this.do("chat", "say", { text }, id, ms);
  }

  /** An action that has to be accepted and make an event: gives the event. */
  async done(outcome: Promise<Outcome>): Promise<Seen> {
    const is = await outcome;
    if (is.kind !== "event") {
      throw new Error(`expected an event, got ${JSON.stringify(is)}`);
    }
    return is.event;
  }

  /** An action that has to be refused: gives the refusal. */
  async refused(outcome: Promise<Outcome>): Promise<Nack> {
    const is = await outcome;
    if (is.kind !== "nack") {
      throw new Error(`expected a nack, got ${JSON.stringify(is)}`);
    }
    return is.nack;
  }

  /** Asks for checksums: what the room says beside what this client computes for the same number. */
  async verify(): Promise<{ seq: number; sums: Record<string, string>; own: Record<string, string> }> {
    const before = this.checksums.length;
    this.send({ t: "verify" });
    return this.until(() => this.checksums[before], "a checksum");
  }

  /** Waits for what `found` finds, looking again at whatever comes in. */
  until<T>(found: () => T | undefined | false, what: string, ms = DEFAULT_WAIT_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        check: () => {
          const value = found();
          if (value !== undefined && value !== false) {
            stop();
            resolve(value);
          }
        },
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`no ${what} within ${ms} ms; the last that came: ${this.tail()}`));
      }, ms);
      this.waiters.add(waiter);
      waiter.check();
    });
  }

  reached(seq: number, ms = DEFAULT_WAIT_MS): Promise<true> {
    return this.until(() => this.seq >= seq || undefined, `event ${seq}`, ms);
  }

  close(): void {
    this.wire.close();
  }

  tail(): string {
    const last = this.messages.slice(-4).map((message) => JSON.stringify(message).slice(0, 300));
    return `${last.join(" ")} closes ${JSON.stringify(this.closes)}`;
  }

  expectOutcome(id: string, text: string, ms = DEFAULT_WAIT_MS): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new Error(`no answer to ${text.slice(0, 200)} within ${ms} ms; the last: ${this.tail()}`)),
        ms,
      );
      const settle = (outcome: Outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      this.pending.set(id, [...(this.pending.get(id) ?? []), { text, settle }]);
    });
  }

  // ---- what comes in

  protected opened(): void {
    this.greeted = false;
    this.wake();
  }

  protected receive(data: unknown): void {
    if (typeof data !== "string") {
      this.faults.push("a binary message came");
      return;
    }
    const bytes = Buffer.byteLength(data);
    this.bytes += bytes;
    if (INTERNALS.test(data)) {
      this.faults.push(`internal text went out: ${data.slice(0, 400)}`);
    }
    if (data === "pong") {
      this.pongs += 1;
    } else {
      this.read(JSON.parse(data) as Message, data);
      this.tellSeen(bytes);
    }
    this.wake();
  }

  protected closed(code: number, reason: string): void {
    this.closes.push({ code, reason });
    if (!this.resend) {
      for (const waiting of this.pending.values()) {
        for (const one of waiting) {
          one.settle({ kind: "lost" });
        }
      }
      this.pending.clear();
    }
    this.wake();
  }

  private read(message: Message, text: string): void {
    this.messages.push(message);
    if (!this.greeted && message.t !== "welcome" && message.t !== "bye") {
      this.faults.push(`${message.t} came before the welcome`);
    }
    switch (message.t) {
      case "welcome":
        this.greet(message, text);
        break;
      case "frame":
        this.fold(message);
        break;
      case "ack":
        this.settle(message.id, { kind: "ack", ...pickDefined({ seq: message.seq, d: message.d }) });
        break;
      case "nack":
        if (!ERROR_CODES.has(message.code) || typeof message.message !== "string" || message.message === "") {
          this.faults.push(`a nack without a known code and a sentence: ${text}`);
        }
        if (message.id !== undefined) {
          this.settle(message.id, { kind: "nack", nack: message });
        }
        break;
      case "checksum":
        if (message.seq !== this.seq) {
          this.faults.push(`a checksum of ${message.seq} came while this client stood at ${this.seq}`);
        }
        this.checksums.push({ seq: message.seq, sums: message.sums, own: sumsOf(this.slices) });
        break;
      case "bye":
        this.byes.push(message);
        this.byedAt.push(Date.now());
        if (!CLOSE_CODES.has(message.code)) {
          this.faults.push(`a bye with an unknown code: ${text}`);
        }
        if (!FINAL_CODES.has(message.code) && !(Number(message.retryAfterMs) >= 0)) {
          this.faults.push(`a bye that does not say when to come back: ${text}`);
        }
        if (FINAL_CODES.has(message.code) && this.resend) {
          this.close();
        }
        break;
      case "clock":
      case "mine":
        break;
      default:
        this.faults.push(`an unknown message: ${text}`);
    }
  }

  private greet(welcome: Welcome, text: string): void {
    if (this.greeted) {
      this.faults.push("a second welcome on one connection");
    }
    this.greeted = true;
    if (welcome.resumed) {
      if ("state" in welcome) {
        this.faults.push("a resumed welcome carries state");
      }
    } else {
      // Parsed anew, so that no reducer can touch the message that the story will look at.
      this.slices = (JSON.parse(text) as Welcome).state ?? {};
      this.seq = welcome.seq;
    }
    this.welcomes.push(welcome);
    if (this.resend) {
      for (const waiting of this.pending.values()) {
        for (const one of waiting) {
          this.wire.send(one.text);
        }
      }
    }
  }

  private fold(frame: Frame): void {
    const first = frame.seq - frame.e.length + 1;
    if (first !== this.seq + 1) {
      this.faults.push(`a gap: a frame of ${first}…${frame.seq} came after ${this.seq}`);
    }
    frame.e.forEach((event, index) => {
      const seen: Seen = { ...event, seq: first + index, at: frame.at };
      this.events.push(seen);
      this.slices = foldEvent(this.slices, seen);
    });
    this.seq = frame.seq;
    this.signals.push(...(frame.s ?? []));
    if (frame.m !== undefined) this.wire.send(JSON.stringify({ t: "seen", seq: this.seq, m: frame.m }));
    for (const seen of frame.e.length > 0 ? this.events.slice(-frame.e.length) : []) {
      if (seen.op !== undefined && seen.by === this.welcomes.at(-1)?.you.user) {
        this.settle(seen.op, { kind: "event", seq: seen.seq, event: seen, frame });
      }
    }
  }

  private tellSeen(bytes: number): void {
    this.unsaid += bytes;
    if (this.unsaid >= SEEN_EVERY_BYTES) {
      this.unsaid = 0;
      this.wire.send(JSON.stringify({ t: "seen", seq: this.seq }));
    }
  }

  private settle(id: string, outcome: Outcome): void {
    const waiting = this.pending.get(id);
    const first = waiting?.shift();
    if (waiting?.length === 0) {
      this.pending.delete(id);
    }
    first?.settle(outcome);
  }

  protected wake(): void {
    for (const waiter of [...this.waiters]) {
      waiter.check();
    }
  }
}

let made = 0;

/** An operation id that no other client of this run makes. */
export function freshId(): string {
  made += 1;
  return `op-${process.pid}-${made}`;
}

function pickDefined<T extends { [key: string]: Json | undefined }>(from: T) {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
