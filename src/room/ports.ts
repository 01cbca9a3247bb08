import type { Json } from "../protocol/messages";
import type { WordFilter } from "../text/word-filter";

/** What the room asks of the world. A platform file gives these; so do the simulator and the unit tests. */

/** The asynchronous key-value storage that PartyKit and Durable Objects share. Writes issued without an `await` between commit together. */
export interface Storage {
  get(key: string): Promise<unknown>;
  list(options: { prefix: string; startAfter?: string; limit?: number }): Promise<Map<string, unknown>>;
  put(key: string, value: unknown): Promise<void>;
  delete(keys: string[]): Promise<unknown>;
  deleteAll(): Promise<void>;
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  deleteAlarm(): Promise<void>;
  /** Resolves once everything written before is durable; never, or with an error, where that fails. */
  sync(): Promise<void>;
}

/** One socket as the core sees it. */
export interface Peer {
  readonly id: string;
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Kept with the socket over hibernation; small, and without secrets. */
  saveNote(note: SocketNote): void;
  /** When the platform last answered a ping for us, where it does that. */
  pingedAt?(): number | undefined;
}

/** What a socket remembers of itself while its room sleeps: at most 512 bytes with what the platform adds. */
export interface SocketNote {
  /** The member's number in the room; ids and names are too long to repeat on every socket. */
  m: number;
  /** The role's place in `roles`: a user may hold a host's socket and a player's. */
  r: number;
  t: string;
  /** Ends at. */
  x: number;
  /** The newest number read. */
  s: number;
  /** Last heard at, and whether it ever pinged: who did and then fell silent is gone, also from a room that sleeps. */
  h: number;
  g?: 1;
  /** A guest's address, as a keyed hash. */
  a?: string;
  /** Its token is for every room. */
  w?: 1;
  /** Sent up to here and then paused … */
  c?: number;
  /** … and since when it has read nothing. */
  p?: number;
  /** Bytes of answers that it has not read, to within a heap. */
  u?: number;
  /** Bytes that it was sent since it last proved that it reads, to within a quarter of `SEEN_EVERY_BYTES` … */
  v?: number;
  /** … the mark that it has yet to repeat, how much of them came before that mark, and whether it ever repeated one. */
  k?: string;
  b?: number;
  q?: 1;
  /** It is owed answers that only memory holds: without it, they have to be asked for again. */
  o?: 1;
}

/** One attempt at an errand. */
export interface EffectCall {
  /** Names this attempt among all that any instance of the room ever makes. */
  call: string;
  /** `feature/errand`. */
  name: string;
  request: Json;
}

export interface HostPorts {
  storage: Storage;
  random(): number;
  freshId(): string;
  /** One timer: calls `tick` after so many ms. A newer call replaces an older one. */
  wake(afterMs: number): void;
  /** Where there is none, nothing is found. */
  filter?: WordFilter;
  /**
   * Begins what only the outside can do. `Room.answered` is told how it went, with the same `call`: once, and within a
   * deadline. Never in the same breath.
   */
  runEffect(asked: EffectCall): void;
  /** A bug or a failed write: for the log, with the room. */
  report(problem: string, error: unknown): void;
  /** A write failed: nothing more leaves this instance, it has to be made anew. */
  broken(): void;
}
