import { MAX_RECORD_CHARS } from "../../protocol/limits";
import type { SliceParts } from "../api/feature";
import type { Storage } from "../ports";

/** A slice that is stored in parts, as it is now. */
export interface SplitSlice {
  /** `<feature>/s` or `<feature>/p`: the shared or the private side. */
  key: string;
  state: unknown;
  parts: SliceParts<unknown>;
}

/** The number of each pack and how many values it takes, oldest first. */
export type StoredPacks = readonly (readonly [pack: number, chunks: number])[];

/** As the head lists them. `released`: no longer wanted, and deleted with the next snapshot. */
export interface PackList {
  packs?: StoredPacks;
  released?: StoredPacks;
}

/** What one snapshot writes and deletes, in the same commit as the head that lists its packs. */
export interface PartsWrite {
  list: PackList;
  puts: readonly (readonly [key: string, text: string])[];
  deletes: readonly string[];
  /** The commit is known to be durable. */
  confirm(): void;
}

interface Part {
  /** The object as the state holds it; `undefined`: it was removed, and older packs may still hold a copy. */
  value: unknown;
  chars: number;
  pack: number;
  /** No pack before this one holds a copy of it. */
  first: number;
}

interface Pack {
  chunks: number;
  /** Characters of those of its parts that no newer pack holds. */
  live: number;
  names: readonly string[];
}

interface Generation {
  /** The states that the packs add up to. */
  states: ReadonlyMap<string, unknown>;
  /** Compared to the generation before. */
  changed: ReadonlyMap<string, Part | undefined>;
  packs: Map<number, Pack>;
  released: StoredPacks;
}

/** Beyond twice what is live, so many chunks may be stored: small rooms do not clean up at every snapshot. */
const SPARE_CHUNKS = 2;

export function packKeys(pack: number, chunks: number): string[] {
  const at = String(pack).padStart(12, "0");
  return Array.from({ length: chunks }, (_, chunk) => `p/${at}/${String(chunk).padStart(5, "0")}`);
}

/**
 * Stores large slices as a log of packs. A snapshot appends the parts that changed since the last one; the newest pack that
 * holds a part counts. Where the log grows past twice what is live, the emptiest packs are written again with the rest, so
 * that a snapshot writes about what changed and at most as much again, whatever the size of the slice.
 *
 * A snapshot builds on the newest one that is known to be durable: a disk that was full may have refused a later one and take
 * this. So what a snapshot releases is deleted by one that follows once it is durable.
 */
export class SnapshotParts {
  readonly #parts = new Map<string, Part>();
  #packs: ReadonlyMap<number, Pack> = new Map();
  #released: StoredPacks = [];
  #states: ReadonlyMap<string, unknown> = new Map();
  #nextPack = 1;
  /** What was read may hold parts of slices that this code does not have. */
  #mayHoldStrangers = false;
  /** The newest snapshot whose commit is not known to be durable, and what it and others like it may have stored. */
  #unconfirmed: { generation: Generation; keys: readonly string[] } | undefined;

  /** What the snapshot that is about to be written has to store. */
  write(slices: readonly SplitSlice[]): PartsWrite {
    const stray = this.#unconfirmed?.keys ?? [];
    const packs = new Map([...this.#packs].map(([number, pack]) => [number, { ...pack }]));
    const lines = this.#changed(slices, packs);
    this.#clean(packs, lines);
    const released = listOf([...this.#packs].filter(([number]) => !packs.has(number)));
    const states = new Map(slices.map(({ key, state }) => [key, state]));
    const { puts, changed } = this.#fill(packs, lines);
    const generation = { states, changed, packs, released };
    this.#unconfirmed = { generation, keys: [...stray, ...puts.map(([key]) => key)] };
    return {
      list: {
        ...(packs.size > 0 ? { packs: listOf([...packs]) } : {}),
        ...(released.length > 0 ? { released } : {}),
      },
      puts,
      deletes: [...stray, ...this.#released.flatMap(([pack, chunks]) => packKeys(pack, chunks))],
      confirm: () => this.#confirm(generation),
    };
  }

  /** What a room that comes to life finds; `join` then asks for it. */
  async read(storage: Pick<Storage, "get">, { packs: stored = [], released = [] }: PackList): Promise<void> {
    const packs = new Map<number, Pack>();
    this.#released = released;
    for (const [number] of released) this.#nextPack = Math.max(this.#nextPack, number + 1);
    for (const [number, chunks] of stored) {
      let text = "";
      for (const key of packKeys(number, chunks)) {
        const chunk = await storage.get(key);
        if (typeof chunk !== "string") throw new Error(`${key} is missing from storage.`);
        text += chunk;
      }
      const names: string[] = [];
      for (const line of text.split("\n")) {
        const end = line.indexOf(" ");
        const name = end < 0 ? line : line.slice(0, end);
        const value: unknown = end < 0 ? undefined : JSON.parse(line.slice(end + 1));
        const first = this.#parts.get(name)?.first ?? number;
        names.push(name);
        this.#parts.set(name, { value, chars: line.length + 1, pack: number, first });
      }
      packs.set(number, { chunks, live: 0, names });
      this.#nextPack = Math.max(this.#nextPack, number + 1);
    }
    for (const { pack, chars } of this.#parts.values()) {
      const holder = packs.get(pack);
      if (holder) holder.live += chars;
    }
    this.#packs = packs;
    this.#mayHoldStrangers = true;
  }

  /** A slice as the packs that were read hold it. */
  join<S>(key: string, { join }: SliceParts<S>, rest: unknown): S {
    const prefix = `${key}/`;
    const found = new Map<string, unknown>();
    for (const [name, { value }] of this.#parts)
      if (value !== undefined && name.startsWith(prefix)) found.set(name.slice(prefix.length), value);
    const state = join(rest, found);
    this.#states = new Map([...this.#states, [key, state]]);
    return state;
  }

  /** The lines of the parts that differ from those stored; their older copies are live no longer. */
  #changed(slices: readonly SplitSlice[], packs: ReadonlyMap<number, Pack>): Map<string, [string, unknown]> {
    const lines = new Map<string, [line: string, value: unknown]>();
    const replace = (name: string, value: unknown) => {
      const before = this.#parts.get(name);
      const holder = before && packs.get(before.pack);
      if (holder) holder.live -= before.chars;
      lines.set(name, [lineOf(name, value), value]);
    };
    for (const { key, state, parts } of slices) {
      for (const [part, value] of parts.changes(this.#states.get(key), state)) {
        const name = `${key}/${part}`;
        if (this.#parts.has(name) || value !== undefined) replace(name, value);
      }
    }
    if (!this.#mayHoldStrangers) return lines;
    for (const [name, { value }] of this.#parts) {
      const key = name.slice(0, name.indexOf("/", name.indexOf("/") + 1));
      if (value !== undefined && !this.#states.has(key) && !lines.has(name)) replace(name, undefined);
    }
    return lines;
  }

  /** Empty packs go; where too many are left, what is live in the emptiest is written again. */
  #clean(packs: Map<number, Pack>, lines: Map<string, [string, unknown]>): void {
    let writing = 0;
    for (const [line] of lines.values()) writing += line.length + 1;
    let live = writing;
    let chunks = 0;
    for (const [number, pack] of packs) {
      if (pack.live === 0) packs.delete(number);
      else {
        live += pack.live;
        chunks += pack.chunks;
      }
    }
    while (chunks + chunksOf(writing) > 2 * chunksOf(live) + SPARE_CHUNKS) {
      const [number, emptiest] = [...packs].reduce((a, b) => (fill(b[1]) < fill(a[1]) ? b : a));
      packs.delete(number);
      chunks -= emptiest.chunks;
      for (const name of emptiest.names) {
        const part = this.#parts.get(name);
        if (part?.pack !== number || lines.has(name)) continue;
        writing += part.chars;
        lines.set(name, [lineOf(name, part.value), part.value]);
      }
    }
  }

  /** Puts the lines into new packs. A removal is dropped once no pack can hold an older copy. */
  #fill(packs: Map<number, Pack>, lines: ReadonlyMap<string, [line: string, value: unknown]>) {
    const kept = [...packs.keys()];
    const puts: [key: string, text: string][] = [];
    const changed = new Map<string, Part | undefined>();
    let texts: string[] = [];
    let names: string[] = [];
    let chars = 0;
    const close = () => {
      if (names.length === 0) return;
      const number = this.#nextPack++;
      const text = texts.join("\n");
      const chunks = chunksOf(text.length);
      for (const [chunk, key] of packKeys(number, chunks).entries())
        puts.push([key, text.slice(chunk * MAX_RECORD_CHARS, (chunk + 1) * MAX_RECORD_CHARS)]);
      packs.set(number, { chunks, live: chars, names });
      [texts, names, chars] = [[], [], 0];
    };
    for (const [name, [line, value]] of lines) {
      const before = this.#parts.get(name);
      const first = before?.first ?? this.#nextPack;
      if (value === undefined && !kept.some((pack) => pack >= first)) {
        changed.set(name, undefined);
        continue;
      }
      if (chars + line.length > MAX_RECORD_CHARS) close();
      texts.push(line);
      names.push(name);
      chars += line.length + 1;
      changed.set(name, { value, chars: line.length + 1, pack: this.#nextPack, first });
    }
    close();
    return { puts, changed };
  }

  #confirm(generation: Generation): void {
    if (this.#unconfirmed?.generation !== generation) return;
    this.#unconfirmed = undefined;
    this.#mayHoldStrangers = false;
    this.#packs = generation.packs;
    this.#released = generation.released;
    this.#states = generation.states;
    for (const [name, part] of generation.changed) {
      if (part) this.#parts.set(name, part);
      else this.#parts.delete(name);
    }
  }
}

function lineOf(name: string, value: unknown): string {
  return value === undefined ? name : `${name} ${JSON.stringify(value)}`;
}

function listOf(packs: readonly (readonly [number, Pack])[]): StoredPacks {
  return packs.map(([number, { chunks }]) => [number, chunks]);
}

function chunksOf(chars: number): number {
  return Math.ceil(chars / MAX_RECORD_CHARS);
}

function fill({ live, chunks }: Pack): number {
  return live / chunks;
}
