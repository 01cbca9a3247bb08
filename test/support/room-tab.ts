import { checksum } from "../../src/protocol/checksum";
import type {
  Bye,
  Down,
  Frame,
  Json,
  Nack,
  NumberedEvent,
  Welcome,
  WireSignal,
} from "../../src/protocol/messages";
import { down } from "../../src/protocol/schema/down";
import type { Kind } from "../../src/room/api/kind";
import type { MemoryPeer } from "./memory-runtime";

export type Slices = Record<string, unknown>;
type ReceivedFrame = Pick<Frame, "seq" | "at" | "e"> & { s: WireSignal[] };

/**
 * A browser's tab, over all its connections: it folds what it reads with the reducers that the room runs, and notes every
 * breach of the stream's rules. It reads only when a test asks it, so that a crowd of them costs nothing.
 */
export class RoomTab {
  slices: Slices = {};
  mine: Record<string, Json> = {};
  seq = 0;
  epoch: string | undefined;
  readonly welcomes: Welcome[] = [];
  readonly frames: ReceivedFrame[] = [];
  readonly events: NumberedEvent[] = [];
  readonly signals: WireSignal[] = [];
  readonly acks = new Map<string, { seq?: number; d?: unknown }>();
  readonly nacks: Nack[] = [];
  readonly byes: Bye[] = [];
  readonly clocks: { t0: number; t1: number; t2: number }[] = [];
  readonly checksums: { seq: number; sums: Record<string, string>; own: Record<string, string> }[] = [];
  readonly privateViews: { f: string; d: Json; seq: number }[] = [];
  pongCount = 0;
  /** Of its socket's bytes, so many had come when it last said `seen`. */
  seenReportedBytes = 0;
  /** The newest mark that it repeated. */
  repeated: string | undefined;
  readonly #violations: string[] = [];
  #peer: MemoryPeer | undefined;
  #readTo = 0;
  #isWelcomed = false;
  #hasBye = false;
  #replay: { replayTo: number } | undefined;

  constructor(
    readonly user: string,
    readonly tab: string,
    private readonly kind: Kind,
  ) {
    for (const { name, shared } of kind.features) this.slices[name] = shared.initial();
  }

  get peer(): MemoryPeer {
    if (!this.#peer) throw new Error(`${this.user} has no socket`);
    return this.#peer;
  }

  connect(peer: MemoryPeer): void {
    if (this.#peer) this.read();
    this.#peer = peer;
    this.#readTo = 0;
    this.seenReportedBytes = 0;
    this.#isWelcomed = false;
    this.#hasBye = false;
  }

  /** Reads what has come and returns itself, so that `tab.read().seq` is what it knows now. */
  read(): this {
    const { texts } = this.peer;
    while (this.#readTo < texts.length) {
      const text = texts[this.#readTo++] as string;
      if (text === "pong") this.pongCount++;
      else this.#onMessage(parseServerMessage(text));
    }
    return this;
  }

  /** The newest number that has come, found without reading. */
  get newestSeq(): number {
    const { texts } = this.peer;
    for (let at = texts.length - 1; at >= 0; at--) {
      const found = /^\{"t":"(?:frame|welcome)".*?"seq":(\d+)/.exec(texts[at] as string);
      if (found) return Number(found[1]);
    }
    return this.seq;
  }

  get violations(): string[] {
    return this.read().#violations;
  }

  get ownChecksums(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.slices).map(([name, slice]) => [name, checksum(slice)]));
  }

  #onMessage(message: Down): void {
    if (this.#hasBye) this.#violations.push(`${message.t} after bye`);
    if (!this.#isWelcomed && !["welcome", "bye", "nack"].includes(message.t))
      this.#violations.push(`${message.t} before welcome`);
    switch (message.t) {
      case "welcome":
        return this.#onWelcome(message);
      case "frame":
        return this.#onFrame(message);
      case "mine":
        this.mine[message.f] = message.d;
        this.privateViews.push({ f: message.f, d: message.d, seq: this.seq });
        return;
      case "ack":
        return this.#recordAck(message.id, message);
      case "nack":
        this.nacks.push(message);
        return;
      case "clock":
        this.clocks.push(message);
        return;
      case "checksum":
        this.checksums.push({ seq: message.seq, sums: message.sums, own: this.ownChecksums });
        if (message.seq !== this.seq)
          this.#violations.push(`checksum at ${message.seq}, read up to ${this.seq}`);
        else if (JSON.stringify(message.sums) !== JSON.stringify(this.ownChecksums)) {
          this.#violations.push(
            `checksums differ at ${message.seq}: ${JSON.stringify([message.sums, this.ownChecksums])}`,
          );
        }
        return;
      case "bye":
        this.byes.push(message);
        this.#hasBye = true;
        return;
    }
  }

  #onWelcome(welcome: Welcome): void {
    if (this.#isWelcomed) this.#violations.push("a second welcome");
    this.#isWelcomed = true;
    this.welcomes.push(welcome);
    if (welcome.resumed) {
      if (welcome.state) this.#violations.push("resumed, and a state");
      if (this.epoch !== undefined && welcome.epoch !== this.epoch)
        this.#violations.push("resumed in another epoch");
      if (welcome.seq < this.seq) this.#violations.push(`resumed at ${welcome.seq}, had read ${this.seq}`);
      this.#replay = { replayTo: welcome.seq };
    } else {
      if (!welcome.state) this.#violations.push("not resumed, and no state");
      this.slices = { ...welcome.state };
      this.seq = welcome.seq;
      this.#replay = undefined;
    }
    this.epoch = welcome.epoch;
    this.mine = { ...welcome.mine };
  }

  #onFrame({ seq, at, e, s = [], m }: Frame): void {
    this.frames.push({ seq, at, e, s });
    this.signals.push(...s);
    const last = this.frames.at(-2);
    if (last && e.length > 0 && at < last.at && last.seq < seq)
      this.#violations.push(`time went back at ${seq}`);
    if (e.length === 0 && s.length === 0 && m === undefined)
      this.#violations.push(`an empty frame at ${seq}`);
    if (seq - e.length !== this.seq)
      this.#violations.push(`${e.length} events up to ${seq} after ${this.seq}`);
    if (this.#replay && s.length > 0 && seq <= this.#replay.replayTo && e.length > 0) {
      this.#violations.push("signals in a replay");
    }
    e.forEach((event, index) => {
      const numbered = { ...event, seq: seq - e.length + 1 + index, at };
      this.events.push(numbered);
      const feature = this.kind.features.find(({ name }) => name === event.f);
      if (feature) this.slices[event.f] = feature.shared.reduce(this.slices[event.f], numbered);
      if (event.op !== undefined && event.by === this.user) this.#recordAck(event.op, { seq: numbered.seq });
    });
    this.seq = seq;
  }

  #recordAck(id: string, { seq, d }: { seq?: number; d?: unknown }): void {
    const before = this.acks.get(id);
    if (before?.seq !== undefined && seq !== undefined && before.seq !== seq) {
      this.#violations.push(`${id} was ${before.seq} and is ${seq}`);
    }
    this.acks.set(id, {
      ...before,
      ...(seq === undefined ? {} : { seq }),
      ...(d === undefined ? {} : { d }),
    });
  }
}

/** All tabs get the same texts: each is parsed, and checked against the schema, once. */
const parsedTexts = new Map<string, Down>();

function parseServerMessage(text: string): Down {
  const known = parsedTexts.get(text);
  if (known) return known;
  const message = JSON.parse(text);
  const parsed = down.safeParse(message);
  if (!parsed.success)
    throw new Error(`No message of a room's: ${text.slice(0, 300)}: ${parsed.error.message}`);
  if (parsedTexts.size > 500) parsedTexts.clear();
  if (parsed.data.t !== "welcome") parsedTexts.set(text, message);
  return message;
}
