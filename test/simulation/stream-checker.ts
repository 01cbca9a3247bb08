import { MAX_UNPROVEN_REFILLS, UNPROVEN_REFILL_MS } from "../../src/protocol/limits";
import type { Down, Frame, Json, Welcome } from "../../src/protocol/messages";
import { canonicalText, checksumOf, type EpochHistory } from "./durable-history";
import type { ServerSocket } from "./server-socket";

/** Checks every text that one socket receives, as it leaves the gate, against what is durable at that moment. */
export class StreamChecker {
  seq = 0;
  bytes = 0;
  #at = 0;
  #epoch: EpochHistory | undefined;
  #hasBye = false;
  /** Where each number ends, in bytes, of all that the room has sent to it, through the gate or not. */
  #endOffsets: { seq: number; bytes: number }[] = [];
  #queued = { seq: 0, bytes: 0 };
  #readBytes = 0;
  /** What its reader has really received. */
  #arrivedBytes = 0;
  #beganAt: number | undefined;

  constructor(private readonly socket: ServerSocket) {}

  get isWelcomed(): boolean {
    return this.#epoch !== undefined;
  }

  /**
   * The room has sent it; the gate may hold it. A reader that sends `seen` meanwhile counts as having read this too if
   * it has no number of its own: a room does not know its gate.
   */
  onQueued(text: string): void {
    if (text === "pong") return;
    const seq = /^\{"t":"frame","seq":(\d+)/.exec(text)?.[1];
    if (seq !== undefined) this.#queued.seq = Number(seq);
    if (text.startsWith('{"t":"welcome"'))
      this.#queued.seq = this.#seqAfterWelcome(JSON.parse(text) as Welcome);
    else this.#queued.bytes += text.length;
    this.#endOffsets.push({ ...this.#queued });
  }

  onSent(text: string): void {
    if (text === "pong") return;
    const message = JSON.parse(text) as Down;
    // The first message of any size pauses no reader.
    if (message.t !== "welcome") this.bytes += text.length;
    if (this.#hasBye) this.#reportBreach(9, `${message.t} after bye`);
    if (!this.#epoch && message.t !== "welcome" && message.t !== "bye")
      this.#reportBreach(9, `${message.t} before welcome`);
    switch (message.t) {
      case "welcome":
        this.#checkWelcome(message);
        break;
      case "frame":
        this.#checkFrame(message);
        break;
      case "ack": {
        const { user } = this.socket;
        this.checkAnswer(`${user}\0${message.id}`, message.seq, message.d);
        break;
      }
      case "checksum": {
        const state = this.#epoch?.states[message.seq];
        if (!state)
          return this.#reportBreach(2, `checksums at ${message.seq}, durable up to ${this.#epoch?.seq}`);
        if (message.seq !== this.seq)
          this.#reportBreach(9, `checksums at ${message.seq}, received up to ${this.seq}`);
        for (const [feature, sum] of Object.entries(message.sums)) {
          if (sum !== checksumOf(state[feature]))
            this.#reportBreach(3, `the checksum of ${feature} at ${message.seq}`);
        }
        break;
      }
      case "mine":
        this.#checkPrivateView(message.f, message.d);
        break;
      case "nack":
        if (message.code === "internal") this.#reportBreach(13, `answered \`internal\`: ${text}`);
        break;
      case "clock":
        break;
      case "bye":
        this.#hasBye = true;
        break;
    }
    const unread = this.bytes - this.#readBytes;
    const { mostUnread } = this.socket.process.deployment.plan;
    if (unread > mostUnread + text.length) this.#reportBreach(17, `${unread} characters sent and not read`);
    const away = this.bytes - this.#arrivedBytes;
    if (away > mostUnread + this.#mostUnproven() + text.length)
      this.#reportBreach(17, `${away} characters sent that its reader does not have`);
  }

  /** What it may be sent without proof grows while it is there, and at once where clocks step. */
  #mostUnproven(): number {
    const { plan, clock } = this.socket.process.deployment;
    const { mostUnproven = Number.POSITIVE_INFINITY, skewMs, stepMs = 0 } = plan;
    this.#beganAt ??= clock.now;
    const refills = 1 + (clock.now - this.#beganAt + 2 * skewMs) / UNPROVEN_REFILL_MS;
    return mostUnproven * (stepMs > 0 ? MAX_UNPROVEN_REFILLS : Math.min(refills, MAX_UNPROVEN_REFILLS));
  }

  arrived(text: string): void {
    if (text !== "pong" && !text.startsWith('{"t":"welcome"')) this.#arrivedBytes += text.length;
  }

  /** The client's `seen` has arrived. */
  onSeen(seq: number): void {
    const upTo = Math.min(seq, this.seq);
    while (this.#endOffsets.length > 1 && (this.#endOffsets[1]?.seq ?? Number.POSITIVE_INFINITY) <= upTo)
      this.#endOffsets.shift();
    const end = this.#endOffsets[0];
    if (end && end.seq <= upTo) this.#readBytes = Math.max(this.#readBytes, end.bytes);
  }

  /** An ack, or an answer over HTTP. */
  checkAnswer(key: string, seq: number | undefined, answer: unknown): void {
    const life = this.#epoch;
    const done = life?.doneActions.get(key);
    if (!life || !done)
      return this.#reportBreach(2, `an answer for ${JSON.stringify(key)}, which is not durable`);
    if (done.seq !== seq)
      this.#reportBreach(11, `${JSON.stringify(key)} was ${done.seq} and is answered ${seq}`);
    if (answer !== undefined && JSON.stringify(answer) !== done.answer) {
      this.#reportBreach(
        11,
        `${JSON.stringify(key)} is answered ${JSON.stringify(answer)}, was ${done.answer}`,
      );
    }
  }

  #checkWelcome({ epoch, seq, at, resumed, state, mine }: Welcome): void {
    if (this.#epoch) this.#reportBreach(9, "a second welcome");
    const { object, isSuperseded } = this.#location;
    const life = object.truth.epochs.get(epoch);
    if (!life) return this.#reportBreach(2, "a welcome to an epoch that is not durable");
    this.#epoch = life;
    if (seq > life.seq) return this.#reportBreach(2, `a welcome at ${seq}, durable up to ${life.seq}`);
    if (!isSuperseded && seq !== life.seq)
      this.#reportBreach(3, `a welcome at ${seq}, durable is ${life.seq}`);
    this.#at = at;
    const { since } = this.socket.link;
    if (resumed) {
      if (state) this.#reportBreach(9, "resumed, and a state");
      if (since === undefined || since.epoch !== epoch || since.seq > seq)
        this.#reportBreach(9, `resumed at ${seq}`);
    } else {
      if (!state) this.#reportBreach(9, "not resumed, and no state");
      for (const [feature, slice] of Object.entries(life.states[seq] ?? {})) {
        if (canonicalText(state?.[feature]) !== canonicalText(slice)) {
          this.#reportBreach(
            3,
            `${feature} at ${seq} is sent as ${canonicalText(state?.[feature])}, and is ${canonicalText(slice)}`,
          );
        }
      }
    }
    this.seq = this.#seqAfterWelcome({ resumed, seq });
    for (const [feature, slice] of Object.entries(mine ?? {})) this.#checkPrivateView(feature, slice);
  }

  /** The number up to which a welcome brings the client. */
  #seqAfterWelcome({ resumed, seq }: Pick<Welcome, "resumed" | "seq">): number {
    return resumed ? (this.socket.link.since?.seq ?? 0) : seq;
  }

  #checkFrame({ seq, at, e, s, m }: Frame): void {
    const life = this.#epoch as EpochHistory;
    if (seq > life.seq) this.#reportBreach(2, `a frame up to ${seq}, durable up to ${life.seq}`);
    if (seq - e.length !== this.seq)
      this.#reportBreach(9, `${e.length} events up to ${seq} after ${this.seq}`);
    if (e.length === 0 && !s && m === undefined) this.#reportBreach(9, `an empty frame at ${seq}`);
    if (e.length > 0 && at < this.#at && seq > life.seq) this.#reportBreach(1, `time went back at ${seq}`);
    e.forEach((event, index) => {
      const { seq: number, at: then, ...stored } = life.events[seq - e.length + index] ?? { seq: 0, at: 0 };
      if (at !== then || JSON.stringify(event) !== JSON.stringify(stored)) {
        this.#reportBreach(
          3,
          `number ${number} is sent as ${JSON.stringify(event)}, and is ${JSON.stringify(stored)}`,
        );
      }
    });
    this.seq = seq;
  }

  #checkPrivateView(feature: string, shown: Json): void {
    if (this.#location.isSuperseded) return;
    const truth = this.#epoch?.privateView(feature, this.socket.user);
    if (canonicalText(shown) !== canonicalText(truth)) {
      this.#reportBreach(
        10,
        `${this.socket.user} is shown ${canonicalText(shown)} of ${feature}, and has ${canonicalText(truth)}`,
      );
    }
  }

  get #location() {
    const { process } = this.socket;
    return { object: process.object, isSuperseded: process.runtime.isSuperseded };
  }

  #reportBreach(
    invariant: Parameters<ServerSocket["process"]["deployment"]["reportBreach"]>[0],
    what: string,
  ): void {
    this.socket.process.deployment.reportBreach(invariant, `${this.socket.user}: ${what}`);
  }
}
