import { computeChecksums, foldEvent, type ReadEvent } from "../platforms/fold";
import type { Bye, Frame, Json, Message, Nack, Signal, Welcome } from "../platforms/wire";
import { CLOSE_CODES, ERROR_CODES, FINAL_CODES, INTERNAL_TEXT } from "../platforms/wire";

export type ActionOutcome =
  | { kind: "event"; seq: number; event: ReadEvent; frame: Frame }
  | { kind: "ack"; seq?: number; d?: Json }
  | { kind: "nack"; nack: Nack }
  | { kind: "lost" };

interface PendingAction {
  text: string;
  settle(outcome: ActionOutcome): void;
}

interface Waiter {
  check(): void;
}

/** Both sockets, reduced to what the client needs of one. */
interface Transport {
  send(data: string | Uint8Array): void;
  close(): void;
}

const DEFAULT_WAIT_MS = 10_000;
/** A client says what it has read at least every 256 KiB; this one a little sooner. */
const SEEN_EVERY_BYTES = 200 * 1024;

/** A client for tests: it keeps all messages, folds them as a browser would, and notes every breach of the stream's rules. */
export class TestClient {
  readonly messages: Message[] = [];
  readonly events: ReadEvent[] = [];
  readonly signals: Signal[] = [];
  readonly welcomes: Welcome[] = [];
  readonly byes: Bye[] = [];
  /** When each of them came. */
  readonly byeAts: number[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  readonly checksums: { seq: number; sums: Record<string, string>; own: Record<string, string> }[] = [];
  /** Must be empty at the end of every test. */
  readonly violations: string[] = [];
  slices: Record<string, Json> = {};
  seq = 0;
  pongCount = 0;
  bytes = 0;
  protected transport!: Transport;
  private readonly resend: boolean;
  private readonly pending = new Map<string, PendingAction[]>();
  private readonly waiters = new Set<Waiter>();
  private isWelcomed = false;
  private unreportedBytes = 0;

  protected constructor(resend: boolean) {
    this.resend = resend;
  }

  // ---- what a test does

  /** The next welcome if none came yet, else the newest. */
  async waitForWelcome(ms = DEFAULT_WAIT_MS): Promise<Welcome> {
    return this.waitFor(() => this.welcomes.at(-1), "a welcome", ms);
  }

  async waitForBye(ms = DEFAULT_WAIT_MS): Promise<Bye> {
    return this.waitFor(() => this.byes.at(-1), "a bye", ms);
  }

  get you(): Welcome["you"] {
    const welcome = this.welcomes.at(-1);
    if (!welcome) {
      throw new Error("no user yet: no welcome has come");
    }
    return welcome.you;
  }

  get epoch(): string | undefined {
    return this.welcomes.at(-1)?.epoch;
  }

  send(message: unknown): void {
    this.transport.send(
      typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message),
    );
  }

  do(f: string, a: string, d: Json, id: string = freshId(), ms = DEFAULT_WAIT_MS): Promise<ActionOutcome> {
    const text = JSON.stringify({ t: "do", id, f, a, d });
    const outcome = this.expectOutcome(id, text, ms);
    this.transport.send(text);
    return outcome;
  }

  say(text: string, id: string = freshId(), ms = DEFAULT_WAIT_MS): Promise<ActionOutcome> {
    return this.do("chat", "say", { text }, id, ms);
  }

  /** An action that has to be accepted and make an event: gives the event. */
  async expectEvent(outcome: Promise<ActionOutcome>): Promise<ReadEvent> {
    const is = await outcome;
    if (is.kind !== "event") {
      throw new Error(`expected an event, got ${JSON.stringify(is)}`);
    }
    return is.event;
  }

  /** An action that has to be refused: gives the refusal. */
  async expectNack(outcome: Promise<ActionOutcome>): Promise<Nack> {
    const is = await outcome;
    if (is.kind !== "nack") {
      throw new Error(`expected a nack, got ${JSON.stringify(is)}`);
    }
    return is.nack;
  }

  /** Requests checksums: the room's beside this client's for the same number. */
  async verify(): Promise<{ seq: number; sums: Record<string, string>; own: Record<string, string> }> {
    const before = this.checksums.length;
    this.send({ t: "verify" });
    return this.waitFor(() => this.checksums[before], "a checksum");
  }

  /** Waits for what `found` finds, checking again after each message. */
  waitFor<T>(found: () => T | undefined | false, what: string, ms = DEFAULT_WAIT_MS): Promise<T> {
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
        reject(new Error(`no ${what} within ${ms} ms; the last that came: ${this.describeLast()}`));
      }, ms);
      this.waiters.add(waiter);
      waiter.check();
    });
  }

  waitForSeq(seq: number, ms = DEFAULT_WAIT_MS): Promise<true> {
    return this.waitFor(() => this.seq >= seq || undefined, `event ${seq}`, ms);
  }

  close(): void {
    this.transport.close();
  }

  describeLast(): string {
    const last = this.messages.slice(-4).map((message) => JSON.stringify(message).slice(0, 300));
    return `${last.join(" ")} closes ${JSON.stringify(this.closes)}`;
  }

  expectOutcome(id: string, text: string, ms = DEFAULT_WAIT_MS): Promise<ActionOutcome> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`no answer to ${text.slice(0, 200)} within ${ms} ms; the last: ${this.describeLast()}`),
          ),
        ms,
      );
      const settle = (outcome: ActionOutcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      this.pending.set(id, [...(this.pending.get(id) ?? []), { text, settle }]);
    });
  }

  // ---- what comes in

  protected onOpen(): void {
    this.isWelcomed = false;
    this.checkWaiters();
  }

  protected onData(data: unknown): void {
    if (typeof data !== "string") {
      this.violations.push("a binary message came");
      return;
    }
    const bytes = Buffer.byteLength(data);
    this.bytes += bytes;
    if (INTERNAL_TEXT.test(data)) {
      this.violations.push(`internal text went out: ${data.slice(0, 400)}`);
    }
    if (data === "pong") {
      this.pongCount += 1;
    } else {
      this.onMessage(JSON.parse(data) as Message, data);
      this.sendSeen(bytes);
    }
    this.checkWaiters();
  }

  protected onClose(code: number, reason: string): void {
    this.closes.push({ code, reason });
    if (!this.resend) {
      for (const waiting of this.pending.values()) {
        for (const one of waiting) {
          one.settle({ kind: "lost" });
        }
      }
      this.pending.clear();
    }
    this.checkWaiters();
  }

  private onMessage(message: Message, text: string): void {
    this.messages.push(message);
    if (!this.isWelcomed && message.t !== "welcome" && message.t !== "bye") {
      this.violations.push(`${message.t} came before the welcome`);
    }
    switch (message.t) {
      case "welcome":
        this.onWelcome(message, text);
        break;
      case "frame":
        this.onFrame(message);
        break;
      case "ack":
        this.settle(message.id, { kind: "ack", ...omitUndefined({ seq: message.seq, d: message.d }) });
        break;
      case "nack":
        if (!ERROR_CODES.has(message.code) || typeof message.message !== "string" || message.message === "") {
          this.violations.push(`a nack without a known code and a sentence: ${text}`);
        }
        if (message.id !== undefined) {
          this.settle(message.id, { kind: "nack", nack: message });
        }
        break;
      case "checksum":
        if (message.seq !== this.seq) {
          this.violations.push(`a checksum of ${message.seq} came while this client stood at ${this.seq}`);
        }
        this.checksums.push({ seq: message.seq, sums: message.sums, own: computeChecksums(this.slices) });
        break;
      case "bye":
        this.byes.push(message);
        this.byeAts.push(Date.now());
        if (!CLOSE_CODES.has(message.code)) {
          this.violations.push(`a bye with an unknown code: ${text}`);
        }
        if (!FINAL_CODES.has(message.code) && !(Number(message.retryAfterMs) >= 0)) {
          this.violations.push(`a bye that does not say when to come back: ${text}`);
        }
        if (FINAL_CODES.has(message.code) && this.resend) {
          this.close();
        }
        break;
      case "clock":
      case "mine":
        break;
      default:
        this.violations.push(`an unknown message: ${text}`);
    }
  }

  private onWelcome(welcome: Welcome, text: string): void {
    if (this.isWelcomed) {
      this.violations.push("a second welcome on one connection");
    }
    this.isWelcomed = true;
    if (welcome.resumed) {
      if ("state" in welcome) {
        this.violations.push("a resumed welcome carries state");
      }
    } else {
      // Parsed again, so that no reducer can touch the message that the test will read.
      this.slices = (JSON.parse(text) as Welcome).state ?? {};
      this.seq = welcome.seq;
    }
    this.welcomes.push(welcome);
    if (this.resend) {
      for (const waiting of this.pending.values()) {
        for (const one of waiting) {
          this.transport.send(one.text);
        }
      }
    }
  }

  private onFrame(frame: Frame): void {
    const first = frame.seq - frame.e.length + 1;
    if (first !== this.seq + 1) {
      this.violations.push(`a gap: a frame of ${first}…${frame.seq} came after ${this.seq}`);
    }
    frame.e.forEach((event, index) => {
      const seen: ReadEvent = { ...event, seq: first + index, at: frame.at };
      this.events.push(seen);
      this.slices = foldEvent(this.slices, seen);
    });
    this.seq = frame.seq;
    this.signals.push(...(frame.s ?? []));
    if (frame.m !== undefined) this.transport.send(JSON.stringify({ t: "seen", seq: this.seq, m: frame.m }));
    for (const seen of frame.e.length > 0 ? this.events.slice(-frame.e.length) : []) {
      if (seen.op !== undefined && seen.by === this.welcomes.at(-1)?.you.user) {
        this.settle(seen.op, { kind: "event", seq: seen.seq, event: seen, frame });
      }
    }
  }

  private sendSeen(bytes: number): void {
    this.unreportedBytes += bytes;
    if (this.unreportedBytes >= SEEN_EVERY_BYTES) {
      this.unreportedBytes = 0;
      this.transport.send(JSON.stringify({ t: "seen", seq: this.seq }));
    }
  }

  private settle(id: string, outcome: ActionOutcome): void {
    const waiting = this.pending.get(id);
    const first = waiting?.shift();
    if (waiting?.length === 0) {
      this.pending.delete(id);
    }
    first?.settle(outcome);
  }

  protected checkWaiters(): void {
    for (const waiter of [...this.waiters]) {
      waiter.check();
    }
  }
}

let idCount = 0;

/** An operation id that no other client of this run makes. */
export function freshId(): string {
  idCount += 1;
  return `op-${process.pid}-${idCount}`;
}

function omitUndefined<T extends { [key: string]: Json | undefined }>(from: T) {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
