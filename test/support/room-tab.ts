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
import type { Kind } from "../../src/room/kind";
import type { MemoryPeer } from "./memory-world";

export type Slices = Record<string, unknown>;
type Kept = Pick<Frame, "seq" | "at" | "e"> & { s: WireSignal[] };

/**
 * A browser's tab, over all its connections: it folds what it reads with the reducers that the room runs, and notes every
 * breach of the stream's rules. It reads when it is asked about, so that a crowd of them costs nothing.
 */
export class RoomTab {
  slices: Slices = {};
  mine: Record<string, Json> = {};
  seq = 0;
  epoch: string | undefined;
  readonly welcomes: Welcome[] = [];
  readonly frames: Kept[] = [];
  readonly events: NumberedEvent[] = [];
  readonly signals: WireSignal[] = [];
  readonly acks = new Map<string, { seq?: number; d?: unknown }>();
  readonly nacks: Nack[] = [];
  readonly byes: Bye[] = [];
  readonly clocks: { t0: number; t1: number; t2: number }[] = [];
  readonly sums: { seq: number; sums: Record<string, string>; own: Record<string, string> }[] = [];
  readonly mines: { f: string; d: Json; seq: number }[] = [];
  pongs = 0;
  /** Of its socket's bytes, so many had come when it last said `seen`. */
  saidAt = 0;
  /** The newest mark that it repeated. */
  repeated: string | undefined;
  readonly #faults: string[] = [];
  #peer: MemoryPeer | undefined;
  #readTo = 0;
  #greeted = false;
  #ended = false;
  #expects: { replayTo: number } | undefined;

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
    this.saidAt = 0;
    this.#greeted = false;
    this.#ended = false;
  }

  /** Reads what has come; answers itself, so that `tab.read().seq` is what it knows now. */
  read(): this {
    const { texts } = this.peer;
    while (this.#readTo < texts.length) {
      const text = texts[this.#readTo++] as string;
      if (text === "pong") this.pongs++;
      else this.#take(understand(text));
    }
    return this;
  }

  /** The newest number that has come, found without reading. */
  get heardOf(): number {
    const { texts } = this.peer;
    for (let at = texts.length - 1; at >= 0; at--) {
      const found = /^\{"t":"(?:frame|welcome)".*?"seq":(\d+)/.exec(texts[at] as string);
      if (found) return Number(found[1]);
    }
    return this.seq;
  }

  get faults(): string[] {
    return this.read().#faults;
  }

  get ownSums(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.slices).map(([name, slice]) => [name, checksum(slice)]));
  }

  #take(message: Down): void {
    if (this.#ended) this.#faults.push(`${message.t} after bye`);
    if (!this.#greeted && !["welcome", "bye", "nack"].includes(message.t))
      this.#faults.push(`${message.t} before welcome`);
    switch (message.t) {
      case "welcome":
        return this.#welcome(message);
      case "frame":
        return this.#frame(message);
      case "mine":
        this.mine[message.f] = message.d;
        this.mines.push({ f: message.f, d: message.d, seq: this.seq });
        return;
      case "ack":
        return this.#acknowledged(message.id, message);
      case "nack":
        this.nacks.push(message);
        return;
      case "clock":
        this.clocks.push(message);
        return;
      case "checksum":
        this.sums.push({ seq: message.seq, sums: message.sums, own: this.ownSums });
        if (message.seq !== this.seq) this.#faults.push(`checksum at ${message.seq}, read up to ${this.seq}`);
        else if (JSON.stringify(message.sums) !== JSON.stringify(this.ownSums)) {
          this.#faults.push(
            `checksums differ at ${message.seq}: ${JSON.stringify([message.sums, this.ownSums])}`,
          );
        }
        return;
      case "bye":
        this.byes.push(message);
        this.#ended = true;
        return;
    }
  }

  #welcome(welcome: Welcome): void {
    if (this.#greeted) this.#faults.push("a second welcome");
    this.#greeted = true;
    this.welcomes.push(welcome);
    if (welcome.resumed) {
      if (welcome.state) this.#faults.push("resumed, and a state");
      if (this.epoch !== undefined && welcome.epoch !== this.epoch)
        this.#faults.push("resumed in another epoch");
      if (welcome.seq < this.seq) this.#faults.push(`resumed at ${welcome.seq}, had read ${this.seq}`);
      this.#expects = { replayTo: welcome.seq };
    } else {
      if (!welcome.state) this.#faults.push("not resumed, and no state");
      this.slices = { ...welcome.state };
      this.seq = welcome.seq;
      this.#expects = undefined;
    }
    this.epoch = welcome.epoch;
    this.mine = { ...welcome.mine };
  }

  #frame({ seq, at, e, s = [], m }: Frame): void {
    this.frames.push({ seq, at, e, s });
    this.signals.push(...s);
    const last = this.frames.at(-2);
    if (last && e.length > 0 && at < last.at && last.seq < seq) this.#faults.push(`time went back at ${seq}`);
    if (e.length === 0 && s.length === 0 && m === undefined) this.#faults.push(`an empty frame at ${seq}`);
    if (seq - e.length !== this.seq) this.#faults.push(`${e.length} events up to ${seq} after ${this.seq}`);
    if (this.#expects && s.length > 0 && seq <= this.#expects.replayTo && e.length > 0) {
      this.#faults.push("signals in a replay");
    }
    e.forEach((event, index) => {
      const numbered = { ...event, seq: seq - e.length + 1 + index, at };
      this.events.push(numbered);
      const feature = this.kind.features.find(({ name }) => name === event.f);
      if (feature) this.slices[event.f] = feature.shared.reduce(this.slices[event.f], numbered);
      if (event.op !== undefined && event.by === this.user)
        this.#acknowledged(event.op, { seq: numbered.seq });
    });
    this.seq = seq;
  }

  #acknowledged(id: string, { seq, d }: { seq?: number; d?: unknown }): void {
    const before = this.acks.get(id);
    if (before?.seq !== undefined && seq !== undefined && before.seq !== seq) {
      this.#faults.push(`${id} was ${before.seq} and is ${seq}`);
    }
    this.acks.set(id, {
      ...before,
      ...(seq === undefined ? {} : { seq }),
      ...(d === undefined ? {} : { d }),
    });
  }
}

/** Everybody is sent the same texts: each is parsed, and held to the schema, once. */
const understood = new Map<string, Down>();

function understand(text: string): Down {
  const known = understood.get(text);
  if (known) return known;
  const message = JSON.parse(text);
  const parsed = down.safeParse(message);
  if (!parsed.success)
    throw new Error(`No message of a room's: ${text.slice(0, 300)}: ${parsed.error.message}`);
  if (understood.size > 500) understood.clear();
  if (parsed.data.t !== "welcome") understood.set(text, message);
  return message;
}
