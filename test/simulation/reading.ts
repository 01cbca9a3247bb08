import type { Down, Frame, Json, Welcome } from "../../src/protocol/messages";
import type { ServerSocket } from "./server-socket";
import { type Life, sumOf, textOf } from "./truth";

/** What one socket has been told, text by text as it leaves the gate, held against what is durable at that moment. */
export class Reading {
  seq = 0;
  bytes = 0;
  #at = 0;
  #life: Life | undefined;
  #isOver = false;
  /** Where each number ends, in bytes, of all that the room has said to it, be it through the gate or not. */
  #ends: { seq: number; bytes: number }[] = [];
  #said = { seq: 0, bytes: 0 };
  #readBytes = 0;
  /** What its reader has in hand, whatever they say. */
  #arrivedBytes = 0;

  constructor(private readonly socket: ServerSocket) {}

  get isGreeted(): boolean {
    return this.#life !== undefined;
  }

  /**
   * The room has said it; the gate may hold it. Whoever tells meanwhile how far they have read is taken to have read this
   * too where it has no number of its own: a room knows nothing of its gate.
   */
  said(text: string): void {
    if (text === "pong") return;
    const seq = /^\{"t":"frame","seq":(\d+)/.exec(text)?.[1];
    if (seq !== undefined) this.#said.seq = Number(seq);
    if (text.startsWith('{"t":"welcome"')) this.#said.seq = this.#standsAt(JSON.parse(text) as Welcome);
    else this.#said.bytes += text.length;
    this.#ends.push({ ...this.#said });
  }

  told(text: string): void {
    if (text === "pong") return;
    const message = JSON.parse(text) as Down;
    // The first message, of whatever size, is nobody's pause.
    if (message.t !== "welcome") this.bytes += text.length;
    if (this.#isOver) this.#breach(9, `${message.t} after bye`);
    if (!this.#life && message.t !== "welcome" && message.t !== "bye")
      this.#breach(9, `${message.t} before welcome`);
    switch (message.t) {
      case "welcome":
        this.#welcome(message);
        break;
      case "frame":
        this.#frame(message);
        break;
      case "ack": {
        const { user } = this.socket;
        this.answered(`${user}\0${message.id}`, message.seq, message.d);
        break;
      }
      case "checksum": {
        const state = this.#life?.states[message.seq];
        if (!state) return this.#breach(2, `checksums at ${message.seq}, durable up to ${this.#life?.seq}`);
        if (message.seq !== this.seq) this.#breach(9, `checksums at ${message.seq}, told up to ${this.seq}`);
        for (const [feature, sum] of Object.entries(message.sums)) {
          if (sum !== sumOf(state[feature])) this.#breach(3, `the checksum of ${feature} at ${message.seq}`);
        }
        break;
      }
      case "mine":
        this.#mine(message.f, message.d);
        break;
      case "nack":
        if (message.code === "internal") this.#breach(13, `answered \`internal\`: ${text}`);
        break;
      case "clock":
        break;
      case "bye":
        this.#isOver = true;
        break;
    }
    const unread = this.bytes - this.#readBytes;
    const { mostUnread } = this.socket.process.deployment.plan;
    if (unread > mostUnread + text.length) this.#breach(17, `${unread} characters sent and not read`);
    const away = this.bytes - this.#arrivedBytes;
    const { mostUnproven = Number.POSITIVE_INFINITY } = this.socket.process.deployment.plan;
    if (away > mostUnread + mostUnproven + text.length)
      this.#breach(17, `${away} characters sent, which its reader has not, whatever it says`);
  }

  arrived(text: string): void {
    if (text !== "pong" && !text.startsWith('{"t":"welcome"')) this.#arrivedBytes += text.length;
  }

  /** The client's word has arrived that it has read so far. */
  read(seq: number): void {
    const upTo = Math.min(seq, this.seq);
    while (this.#ends.length > 1 && (this.#ends[1]?.seq ?? Number.POSITIVE_INFINITY) <= upTo)
      this.#ends.shift();
    const end = this.#ends[0];
    if (end && end.seq <= upTo) this.#readBytes = Math.max(this.#readBytes, end.bytes);
  }

  /** An ack, or an answer over HTTP. */
  answered(key: string, seq: number | undefined, answer: unknown): void {
    const life = this.#life;
    const done = life?.done.get(key);
    if (!life || !done) return this.#breach(2, `an answer for ${JSON.stringify(key)}, which is not durable`);
    if (done.seq !== seq) this.#breach(11, `${JSON.stringify(key)} was ${done.seq} and is answered ${seq}`);
    if (answer !== undefined && JSON.stringify(answer) !== done.answer) {
      this.#breach(11, `${JSON.stringify(key)} is answered ${JSON.stringify(answer)}, was ${done.answer}`);
    }
  }

  #welcome({ epoch, seq, at, resumed, state, mine }: Welcome): void {
    if (this.#life) this.#breach(9, "a second welcome");
    const { object, isSuperseded } = this.#place;
    const life = object.truth.lives.get(epoch);
    if (!life) return this.#breach(2, "a welcome to an epoch that is not durable");
    this.#life = life;
    if (seq > life.seq) return this.#breach(2, `a welcome at ${seq}, durable up to ${life.seq}`);
    if (!isSuperseded && seq !== life.seq) this.#breach(3, `a welcome at ${seq}, durable is ${life.seq}`);
    this.#at = at;
    const { since } = this.socket.link;
    if (resumed) {
      if (state) this.#breach(9, "resumed, and a state");
      if (since === undefined || since.epoch !== epoch || since.seq > seq)
        this.#breach(9, `resumed at ${seq}`);
    } else {
      if (!state) this.#breach(9, "not resumed, and no state");
      for (const [feature, slice] of Object.entries(life.states[seq] ?? {})) {
        if (textOf(state?.[feature]) !== textOf(slice)) {
          this.#breach(
            3,
            `${feature} at ${seq} is told as ${textOf(state?.[feature])}, and is ${textOf(slice)}`,
          );
        }
      }
    }
    this.seq = this.#standsAt({ resumed, seq });
    for (const [feature, slice] of Object.entries(mine ?? {})) this.#mine(feature, slice);
  }

  /** The number up to which a welcome leaves it told. */
  #standsAt({ resumed, seq }: Pick<Welcome, "resumed" | "seq">): number {
    return resumed ? (this.socket.link.since?.seq ?? 0) : seq;
  }

  #frame({ seq, at, e, s, m }: Frame): void {
    const life = this.#life as Life;
    if (seq > life.seq) this.#breach(2, `a frame up to ${seq}, durable up to ${life.seq}`);
    if (seq - e.length !== this.seq) this.#breach(9, `${e.length} events up to ${seq} after ${this.seq}`);
    if (e.length === 0 && !s && m === undefined) this.#breach(9, `an empty frame at ${seq}`);
    if (e.length > 0 && at < this.#at && seq > life.seq) this.#breach(1, `time went back at ${seq}`);
    e.forEach((event, index) => {
      const { seq: number, at: then, ...stored } = life.events[seq - e.length + index] ?? { seq: 0, at: 0 };
      if (at !== then || JSON.stringify(event) !== JSON.stringify(stored)) {
        this.#breach(
          3,
          `number ${number} is told as ${JSON.stringify(event)}, and is ${JSON.stringify(stored)}`,
        );
      }
    });
    this.seq = seq;
  }

  #mine(feature: string, told: Json): void {
    if (this.#place.isSuperseded) return;
    const truth = this.#life?.mine(feature, this.socket.user);
    if (textOf(told) !== textOf(truth)) {
      this.#breach(
        10,
        `${this.socket.user} is shown ${textOf(told)} of ${feature}, and has ${textOf(truth)}`,
      );
    }
  }

  get #place() {
    const { process } = this.socket;
    return { object: process.object, isSuperseded: process.world.isSuperseded };
  }

  #breach(invariant: Parameters<ServerSocket["process"]["deployment"]["breach"]>[0], what: string): void {
    this.socket.process.deployment.breach(invariant, `${this.socket.user}: ${what}`);
  }
}
