import { deserialize, serialize } from "node:v8";
import type { EffectCall, HostPorts, Peer, SocketNote, Storage } from "../../src/room/ports";
import type { WordFilter } from "../../src/text/word-filter";
import { randomFrom } from "../platforms/random";

/** The limits of PartyKit's objects: more in a value, a key or a call is refused, and a refused write kills the room. */
const MAX_VALUE_BYTES = 131_072;
const MAX_KEY_BYTES = 2_048;
const MAX_KEYS = 128;
/** The platform needs the rest of an attachment's 512 bytes. */
export const MAX_NOTE_BYTES = 250;

/** Something issued and not yet done. What is issued in one turn becomes durable together, as without an `await` between. */
type Pending = { turn: number } & (
  | { is: "write"; toDisk(): void }
  | { is: "held"; release(): void }
  /** A write that was refused: it breaks the gate, and nothing issued after it is ever done. */
  | { is: "refused" }
);

/** Notified of every durable write, in order. */
export interface DiskWatcher {
  put(key: string, value: () => unknown): void;
  delete(key: string): void;
  clear(): void;
}

/**
 * A Durable Object in memory: its storage, its output gate, its one alarm, its clock and its sockets' notes.
 *
 *     put ──► pending ──► settle() ──► disk          a send that was issued after a pending write is held,
 *     send ─► held ─────► settle() ──► the peer      and released once everything before it is durable;
 *             └─────────► crash() throws it all away one with nothing pending before it leaves at once
 */
export class MemoryRuntime {
  now = 1_790_000_000_000;
  /** When the one timer of the living instance fires. */
  timerAt: number | undefined;
  readonly counts = { puts: 0, deletes: 0, alarms: 0, deleteAlls: 0 };
  /** The largest value ever put, in bytes as the platform counts them. */
  largest = { bytes: 0, key: "" };
  readonly reports: { problem: string; error: unknown }[] = [];
  /** The effects that left the gate, in order. They stay when the process dies. */
  readonly startedEffects: EffectCall[] = [];
  /** How often an instance reported itself broken. */
  brokenCount = 0;
  filter: WordFilter | undefined;
  readonly random;
  watcher: DiskWatcher | undefined;
  /** A read was where this process ended: nothing of it goes on. */
  #hasDiedReading = false;
  #isSuperseded = false;
  #reads: { untilFault: number; how: "failing" | "dying" } = {
    untilFault: Number.POSITIVE_INFINITY,
    how: "failing",
  };
  #disk = new Map<string, Uint8Array>();
  #visible = new Map<string, Uint8Array>();
  #diskAlarm: number | null = null;
  #alarm: number | null = null;
  #pending: Pending[] = [];
  #keys: string[] | undefined;
  #turn = 0;
  #life = 0;
  #failures: { count: number; how: "rejecting" | "throwing" } = { count: 0, how: "rejecting" };
  #isAlarmRunning = false;
  #callsLeft = Number.POSITIVE_INFINITY;
  /** Writes that were refused at once: what else was issued in their turns is durable all the same. */
  thrownCount = 0;
  /** Writes, sends and calls so far. */
  callCount = 0;

  constructor(readonly seed = Math.floor(Math.random() * 2 ** 31)) {
    this.random = randomFrom(seed);
  }

  /** What a new instance of a room is given, each time: the instance before it is dead, and any use of its ports an error. */
  get ports(): HostPorts {
    const life = ++this.#life;
    this.timerAt = undefined;
    const mine = <T>(work: () => T): T => {
      if (life !== this.#life) throw new Error("An instance that is dead touched the world.");
      return work();
    };
    return {
      storage: this.#storage(mine),
      random: () => this.random.next(),
      freshId: () =>
        Array.from({ length: 4 }, () =>
          this.random
            .below(2 ** 32)
            .toString(16)
            .padStart(8, "0"),
        ).join(""),
      wake: (afterMs) =>
        mine(() => {
          this.timerAt = this.now + afterMs;
        }),
      runEffect: (asked) =>
        mine(() => this.release(() => void this.startedEffects.push(structuredClone(asked)))),
      report: (problem, error) => void this.reports.push({ problem, error }),
      broken: () => void this.brokenCount++,
      ...(this.filter ? { filter: this.filter } : {}),
    };
  }

  /** Work that is done without an `await`: its writes become durable together. */
  turn<T>(work: () => T): T {
    this.#turn++;
    return work();
  }

  /** For sends and for answers over HTTP: at once, or after the writes that are pending now. */
  release(go: () => void): void {
    if (this.#isCallLost()) return;
    const gated = this.#pending.some(({ is }) => is !== "held");
    if (gated) this.#pending.push({ turn: this.#turn, is: "held", release: go });
    else go();
  }

  /** Makes the first so many turns durable, all of them by default, and releases what waited for them alone. */
  makeDurable(turns = Number.POSITIVE_INFINITY): void {
    if (this.#isSuperseded) return;
    for (const pending of this.#takeTurns(turns)) {
      if (pending.is === "write") pending.toDisk();
      else if (pending.is === "held") pending.release();
    }
    for (let next = this.#pending[0]; next?.is === "held"; next = this.#pending[0]) {
      this.#pending.shift();
      next.release();
    }
    if (this.#pending.length > 0 || !this.#isAlarmRunning) return;
    this.#isAlarmRunning = false;
    if (this.#alarm === null) this.#diskAlarm = null;
  }

  /** The process dies. Some turns may have become durable though no peer was told. */
  crash(durableTurns = 0): void {
    for (const pending of this.#takeTurns(durableTurns)) if (pending.is === "write") pending.toDisk();
    this.#pending = [];
    this.#visible = new Map(this.#disk);
    this.#alarm = this.#diskAlarm;
    this.#isAlarmRunning = false;
    this.#hasDiedReading = false;
    this.#failures = { count: 0, how: "rejecting" };
    this.faultReads(Number.POSITIVE_INFINITY, "failing");
    this.#keys = undefined;
    this.timerAt = undefined;
    this.#callsLeft = Number.POSITIVE_INFINITY;
    this.#life++;
  }

  /** The disk is lost, and with it the alarm. */
  wipe(): void {
    this.#disk.clear();
    this.crash();
    this.#diskAlarm = null;
    this.#alarm = null;
  }

  get pendingTurns(): number {
    return new Set(this.#pending.map(({ turn }) => turn)).size;
  }

  /** As `getAlarm` returns it. */
  get alarmAt(): number | null {
    return this.#alarm;
  }

  /** The platform is about to call the alarm's handler: none is set then, but were it to die meanwhile it would ring again. */
  beginAlarm(): void {
    this.#alarm = null;
    this.#isAlarmRunning = true;
  }

  /** The alarm's handler threw: the platform will call it again. */
  failAlarm(dueAt: number | null): void {
    this.#isAlarmRunning = false;
    this.#diskAlarm ??= dueAt;
    this.#alarm = this.#diskAlarm;
  }

  /** The next writes fail as a full or unreachable disk does. */
  failWrites(count: number, how: "rejecting" | "throwing" = "rejecting"): void {
    this.#failures = { count, how };
  }

  keys(prefix = ""): string[] {
    return [...this.#visible.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  value(key: string): unknown {
    const bytes = this.#visible.get(key);
    return bytes && deserialize(bytes);
  }

  get storedBytes(): number {
    let bytes = 0;
    for (const value of this.#visible.values()) bytes += value.byteLength;
    return bytes;
  }

  /**
   * The process dies at a moment within a turn: after so many more writes, sends and calls none has any effect. Writes
   * earlier in that turn are lost with it, since one turn commits as a whole.
   */
  dieAfter(calls: number): void {
    this.#callsLeft = calls;
  }

  get isDying(): boolean {
    return this.#callsLeft < 0 || this.#hasDiedReading;
  }

  /** Counts a use of the ports; returns whether the process is dead by then. */
  #isCallLost(): boolean {
    this.callCount++;
    return --this.#callsLeft < 0;
  }

  /**
   * The object is given to another machine, with what had become durable. This one runs on and does not know: what it writes is
   * never durable, and what waits for that never leaves.
   */
  supersede(durableTurns = 0): MemoryRuntime {
    const isWaiting = this.#pending.length > 0;
    for (const pending of this.#takeTurns(durableTurns)) if (pending.is === "write") pending.toDisk();
    // It does not learn what became durable: the gate stays shut for all that waits behind it.
    if (isWaiting) this.#pending.unshift({ turn: 0, is: "refused" });
    const next = new MemoryRuntime(this.random.below(2 ** 31));
    next.now = this.now;
    next.watcher = this.watcher;
    next.thrownCount = this.thrownCount;
    next.#disk = new Map(this.#disk);
    next.#visible = new Map(this.#disk);
    next.#diskAlarm = this.#diskAlarm;
    next.#alarm = this.#diskAlarm;
    this.#isSuperseded = true;
    return next;
  }

  /** Whether a write was refused, so that nothing more leaves this instance. */
  get hasRejectedWrite(): boolean {
    return this.#pending.some(({ is }) => is === "refused");
  }

  /** Whether a write is going to be, or has been, refused. */
  get hasFailingWrites(): boolean {
    return this.#failures.count > 0 || this.hasRejectedWrite;
  }

  get isAlarmRunning(): boolean {
    return this.#isAlarmRunning;
  }

  has(key: string): boolean {
    return this.#visible.has(key);
  }

  get isSuperseded(): boolean {
    return this.#isSuperseded;
  }

  /** The durable alarm, which the platform would run even if this instance dies. */
  get durableAlarmAt(): number | null {
    return this.#diskAlarm;
  }

  /** After so many reads more, one fails, or the process dies in the middle of it. */
  faultReads(after: number, how: "failing" | "dying"): void {
    this.#reads = { untilFault: after, how };
  }

  /** Another machine with the same disk: what a restore would find now. */
  copy(): MemoryRuntime {
    const copy = new MemoryRuntime(this.random.below(2 ** 31));
    copy.now = this.now;
    copy.#disk = new Map(this.#visible);
    copy.#visible = new Map(this.#visible);
    copy.#diskAlarm = this.#alarm;
    copy.#alarm = this.#alarm;
    return copy;
  }

  #takeTurns(turns: number): Pending[] {
    const wanted = [...new Set(this.#pending.map(({ turn }) => turn))].slice(0, turns);
    const last = wanted.at(-1) ?? Number.NEGATIVE_INFINITY;
    // A turn of which one write is refused has no effect as a whole: it is one commit.
    const refused = this.#pending.find(({ is }) => is === "refused")?.turn ?? Number.POSITIVE_INFINITY;
    const count = this.#pending.findIndex(({ turn }) => turn > last || turn >= refused);
    return this.#pending.splice(0, count < 0 ? this.#pending.length : count);
  }

  #write(toMemory: () => void, toDisk: () => void): Promise<void> {
    if (this.#failures.count > 0) {
      this.#failures.count--;
      // Refused before it was issued: the gate does not know of it.
      if (this.#failures.how === "throwing") {
        this.thrownCount++;
        throw new Error("The disk refused.");
      }
      this.#pending.push({ turn: this.#turn, is: "refused" });
      return Promise.reject(new Error("The disk refused."));
    }
    if (this.#isCallLost()) return Promise.resolve();
    toMemory();
    this.#keys = undefined;
    this.#pending.push({ turn: this.#turn, is: "write", toDisk });
    return Promise.resolve();
  }

  #storage(mine: <T>(work: () => T) => T): Storage {
    return {
      get: (key) => mine(() => this.#read(() => this.value(key))),
      list: ({ prefix, startAfter = "", limit }) =>
        mine(() =>
          this.#read(() => {
            this.#keys ??= this.keys();
            const found = this.#keys
              .filter((key) => key.startsWith(prefix) && key > startAfter)
              .slice(0, limit);
            return new Map(found.map((key) => [key, this.value(key)]));
          }),
        ),
      put: (key, value) => mine(() => this.#put(key, value)),
      delete: (keys) =>
        mine(() => {
          if (keys.length > MAX_KEYS) throw new RangeError(`delete of ${keys.length} keys`);
          this.counts.deletes += keys.length;
          const from = (held: Map<string, unknown>) => () => {
            for (const key of keys) held.delete(key);
            if (held === this.#disk) for (const key of keys) this.watcher?.delete(key);
          };
          return this.#write(from(this.#visible), from(this.#disk));
        }),
      deleteAll: () =>
        mine(() => {
          this.counts.deleteAlls++;
          return this.#write(
            () => this.#visible.clear(),
            () => {
              this.#disk.clear();
              this.watcher?.clear();
            },
          );
        }),
      getAlarm: () => mine(() => this.#read(() => this.#alarm)),
      setAlarm: (at) => mine(() => this.#setAlarm(at)),
      deleteAlarm: () => mine(() => this.#setAlarm(null)),
      sync: () => mine(() => this.#synced()),
    };
  }

  #put(key: string, value: unknown): Promise<void> {
    const bytes = serialize(value);
    if (Buffer.byteLength(key) > MAX_KEY_BYTES)
      throw new RangeError(`a key of ${Buffer.byteLength(key)} bytes`);
    if (bytes.byteLength > MAX_VALUE_BYTES) throw new RangeError(`${key} has ${bytes.byteLength} bytes`);
    if (bytes.byteLength > this.largest.bytes) this.largest = { bytes: bytes.byteLength, key };
    this.counts.puts++;
    const into = (held: Map<string, Uint8Array>) => () => {
      held.set(key, bytes);
      if (held === this.#disk) this.watcher?.put(key, () => deserialize(bytes));
    };
    return this.#write(into(this.#visible), into(this.#disk));
  }

  /** Not visible outside: the process may die before it without a difference. */
  #synced(): Promise<void> {
    if (!this.#pending.some(({ is }) => is !== "held")) return Promise.resolve();
    return new Promise((release) => this.#pending.push({ turn: this.#turn, is: "held", release }));
  }

  /** Reading lets others in: what is written after it is not of one commit with what was written before. */
  async #read<T>(read: () => T): Promise<T> {
    this.#turn++;
    if (this.#reads.untilFault-- <= 0) {
      const { how } = this.#reads;
      this.faultReads(Number.POSITIVE_INFINITY, "failing");
      if (how === "failing") throw new Error("The disk cannot be read.");
      this.#hasDiedReading = true;
      return new Promise(() => {});
    }
    return read();
  }

  #setAlarm(at: number | null): Promise<void> {
    if (at !== null && !Number.isFinite(at)) throw new TypeError(`an alarm at ${at}`);
    // In nanoseconds it has 63 bits.
    if (at !== null && at * 1e6 > 2 ** 63) throw new TypeError(`an alarm so far away: ${at}`);
    this.counts.alarms++;
    return this.#write(
      () => {
        this.#alarm = at;
      },
      () => {
        this.#diskAlarm = at;
      },
    );
  }
}

/** A socket in memory: its messages and its close, once they had left the gate, and its note. */
export class MemoryPeer implements Peer {
  readonly texts: string[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  note: SocketNote | undefined;
  /** Open, closed from the room's side, or gone altogether. */
  state: "open" | "closing" | "gone" = "open";
  /** When the platform answered a ping for the room; undefined where it does not. */
  pongedAt: number | undefined;
  /** Of all that it was sent. */
  bytes = 0;
  /** The newest mark that is to be repeated. */
  mark: string | undefined;
  /** One of a crowd keeps nothing but the newest text. */
  keepsLastOnly = false;

  constructor(
    private readonly runtime: MemoryRuntime,
    readonly id: string,
  ) {}

  send(text: string): void {
    if (this.state !== "open") throw new TypeError("The socket cannot be sent to after it was closed.");
    this.runtime.release(() => {
      if (this.state === "gone") return;
      if (this.keepsLastOnly) this.texts.length = 0;
      this.texts.push(text);
      if (text.startsWith('{"t":"frame"'))
        this.mark = /,"m":"(\w+)"\}$/.exec(text.slice(-40))?.[1] ?? this.mark;
      this.bytes += Buffer.byteLength(text);
    });
  }

  close(code: number, reason: string): void {
    if (this.state === "gone") throw new TypeError("The socket is gone.");
    this.state = "closing";
    this.runtime.release(() => void this.closes.push({ code, reason }));
  }

  saveNote(note: SocketNote): void {
    const bytes = serialize(note);
    if (bytes.byteLength > MAX_NOTE_BYTES) throw new RangeError(`a note of ${bytes.byteLength} bytes`);
    this.note = deserialize(bytes);
  }

  pingedAt(): number | undefined {
    return this.pongedAt;
  }
}
