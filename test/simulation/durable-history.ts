import { canonical, checksum } from "../../src/protocol/checksum";
import { RESEND_MS } from "../../src/protocol/limits";
import type { NumberedEvent, WireEvent } from "../../src/protocol/messages";
import type { Kind } from "../../src/room/api/kind";
import { addressKey } from "../../src/room/inbound/penalties";
import type { Member } from "../../src/room/state/members";
import { type Head, keyNumber } from "../../src/room/storage/journal";
import { type FrameRecord, readFrame, type StoredFrame, storedChars } from "../../src/room/storage/record";
import type { DiskWatcher } from "../support/memory-runtime";
import { Breach } from "./invariants";

export type Slices = Readonly<Record<string, unknown>>;
export interface DoneAction {
  at: number;
  seq: number | undefined;
  answer: string | undefined;
}

/** One epoch of a room by its durable records, folded from nothing and never from a snapshot. */
export class EpochHistory {
  readonly events: NumberedEvent[] = [];
  /** The state at each number. */
  readonly states: Slices[] = [];
  readonly privateStates = new Map<string, unknown>();
  readonly members = new Map<string, Member>();
  readonly timers = new Map<string, number>();
  readonly effects = new Set<string>();
  readonly doneActions = new Map<string, DoneAction>();
  /** Timers that the newest record cleared, and when they had been due. */
  cleared: { name: string; at: number }[] = [];
  /** When actions were accepted, oldest first. */
  readonly accepted: number[] = [];
  /** How often each was accepted. */
  readonly acceptCounts = new Map<string, number>();
  readonly stamps = new Map<string, number[]>();
  /** How often each user's action made events, by (user, id). */
  readonly eventCounts = new Map<string, number>();
  n = 0;
  at = 0;
  /** The number that each record ends with. */
  readonly #seqAtRecord: number[] = [0];
  /** Which code folded, from which number on. */
  readonly #folds: { from: number; versions: Readonly<Record<string, string>> }[] = [];

  constructor(
    readonly epoch: string,
    public kind: Kind,
    /** A guest opened it, and no host has taken it over. */
    public openedByGuest = false,
  ) {
    this.states.push(Object.fromEntries(kind.features.map(({ name, shared }) => [name, shared.initial()])));
    for (const { name, private: privateSlice } of kind.features)
      this.privateStates.set(name, privateSlice?.initial());
    this.#folds.push({ from: 0, versions: readVersions(kind) });
  }

  get seq(): number {
    return this.events.length;
  }

  get state(): Slices {
    return this.states[this.seq] as Slices;
  }

  /** Of the features that folded the state at that number. */
  versionsAt(seq: number): Readonly<Record<string, string>> {
    return this.#folds.findLast(({ from }) => from <= seq)?.versions ?? {};
  }

  privateView(feature: string, user: string): unknown {
    const { private: privateSlice } = this.kind.features.find(({ name }) => name === feature) ?? {};
    return privateSlice?.viewFor?.(this.state[feature], this.privateStates.get(feature), user);
  }

  /** `snapshot`: the record that the newest snapshot reaches up to, should other code go on from it. */
  add(record: FrameRecord, renewedKind: Kind, snapshot: number | undefined): void {
    if (record.n !== this.n + 1) throw new Breach(1, `record ${record.n} after ${this.n}`);
    if (record.at < this.at) throw new Breach(1, `record ${record.n} at ${record.at}, before ${this.at}`);
    const events =
      record.text === undefined
        ? []
        : (JSON.parse(record.text) as { seq: number; at: number; e: WireEvent[] }).e;
    if (record.seq !== this.seq + events.length) {
      throw new Breach(1, `${events.length} events up to ${record.seq} after ${this.seq}`);
    }
    for (const event of events)
      this.#fold({ ...event, seq: this.seq + 1, at: record.at }, renewedKind, snapshot);
    this.#seqAtRecord[record.n] = record.seq;
    for (const [f, n, d, by, at] of record.p ?? []) {
      const privateSlice = this.kind.features.find(({ name }) => name === f)?.private;
      const event = { n, d: JSON.parse(d), at, ...(by == null ? {} : { by }) };
      if (privateSlice) this.privateStates.set(f, privateSlice.reduce(this.privateStates.get(f), event));
    }
    for (const change of record.m ?? []) {
      if ("number" in change) this.members.set(change.user, change);
      else this.members.delete(change.user);
    }
    this.cleared = [];
    for (const [name, at] of record.w ?? []) {
      const due = this.timers.get(name);
      if (at === null && due !== undefined) this.cleared.push({ name, at: due });
      if (at === null) this.timers.delete(name);
      else this.timers.set(name, at);
    }
    for (const [name, outstanding] of record.e ?? []) {
      if (outstanding === null) this.effects.delete(name);
      else this.effects.add(name);
    }
    for (const [user, id, , at, seq, rule, answer, from] of record.o ?? []) {
      const key = `${user}\0${id}`;
      const before = this.doneActions.get(key);
      if (before && before.at + RESEND_MS > at)
        throw new Breach(4, `${JSON.stringify(key)} at ${before.at} and ${at}`);
      this.acceptCounts.set(key, (this.acceptCounts.get(key) ?? 0) + 1);
      this.accepted.push(at);
      this.doneActions.set(key, { at, seq: seq ?? undefined, answer: answer ?? undefined });
      if (rule != null) this.#stamp(`${rule}\0${user}`, at);
      if (rule != null && from != null) this.#stamp(`${rule}\0${addressKey(from)}`, at);
    }
    if (record.h) this.openedByGuest = false;
    for (const [offender, at] of record.x ?? []) this.#stamp(`\0offence\0${offender}`, at);
    this.n = record.n;
    this.at = record.at;
  }

  #stamp(whose: string, at: number): void {
    const stamps = this.stamps.get(whose);
    if (stamps) stamps.push(at);
    else this.stamps.set(whose, [at]);
  }

  #fold(event: NumberedEvent, renewedKind: Kind, snapshot: number | undefined): void {
    let state = this.state;
    if (event.f === "room" && event.n === "renewed") state = this.#renew(renewedKind, snapshot);
    const feature = this.kind.features.find(({ name }) => name === event.f);
    this.events.push(event);
    this.states.push(feature ? { ...state, [event.f]: feature.shared.reduce(state[event.f], event) } : state);
    if (event.op === undefined) return;
    const key = `${event.by ?? "\0"}\0${event.op}`;
    this.eventCounts.set(key, (this.eventCounts.get(key) ?? 0) + 1);
  }

  /** Other code goes on from here: it takes the snapshot over, and folds later records by itself. */
  #renew(kind: Kind, snapshot: number | undefined): Slices {
    const from = snapshot === undefined ? 0 : (this.#seqAtRecord[snapshot] ?? 0);
    const before = this.versionsAt(from);
    const state: Record<string, unknown> = {};
    for (const { name, version, shared } of kind.features) {
      const stored = this.states[from]?.[name];
      const old = before[name];
      if (snapshot === undefined || old === undefined) state[name] = shared.initial();
      else state[name] = old !== version && shared.migrate ? shared.migrate(stored, old) : stored;
      for (const event of this.events.slice(from))
        if (event.f === name) state[name] = shared.reduce(state[name], event);
    }
    this.kind = kind;
    this.#folds.push({ from: this.seq + 1, versions: readVersions(kind) });
    return state;
  }
}

function readVersions({ features }: Kind): Readonly<Record<string, string>> {
  return Object.fromEntries(features.map(({ name, version }) => [name, version]));
}

/** What is durable in one object, reported by its disk. Everything that a client sees is compared with this. */
export class DurableHistory implements DiskWatcher {
  readonly epochs = new Map<string, EpochHistory>();
  current: EpochHistory | undefined;
  readonly keys = new Set<string>();
  head: Head | undefined;
  /** Which record lies under which key, and about how large it is. */
  readonly records = new Map<string, { n: number; chars: number }>();
  /** The texts of snapshots and their packs, as they are stored. */
  readonly snapshots = new Map<string, string>();
  #unclaimed: FrameRecord[] = [];

  constructor(
    private readonly kind: () => Kind,
    private readonly on: {
      recorded(life: EpochHistory, record: FrameRecord): void;
      /** A pointer was written: the same commit has to delete what it does not reach. */
      pointed(): void;
      breach(breach: unknown): void;
    },
  ) {}

  put(key: string, value: () => unknown): void {
    this.keys.add(key);
    try {
      if (/^[sp]\//.test(key)) this.snapshots.set(key, String(value()));
      else if (key.startsWith("j/")) this.#addStored(key, value() as StoredFrame);
      else if (key === "room") this.#setHead(value() as Head);
    } catch (breach) {
      this.on.breach(breach);
    }
  }

  delete(key: string): void {
    this.keys.delete(key);
    this.records.delete(key);
    this.snapshots.delete(key);
    if (key === "room") this.#end();
  }

  clear(): void {
    this.keys.clear();
    this.records.clear();
    this.snapshots.clear();
    this.#end();
  }

  #end(): void {
    this.current = undefined;
    this.head = undefined;
    this.#unclaimed = [];
  }

  #addStored(key: string, stored: StoredFrame): void {
    const { record } = readFrame(keyNumber(key), stored);
    const before = this.records.get(key);
    this.records.set(key, { n: record.n, chars: storedChars(stored) });
    if (before && before.n >= (this.head?.first ?? 0))
      throw new Breach(1, `record ${record.n} was written over ${before.n}, which is wanted`);
    this.#addRecord(record);
  }

  #addRecord(record: FrameRecord): void {
    if (!this.current) {
      this.#unclaimed.push(record);
      return;
    }
    this.current.add(record, this.kind(), this.head?.snapshot?.n);
    this.on.recorded(this.current, record);
  }

  #setHead(head: Head): void {
    this.head = head;
    if (!this.current) {
      this.current = new EpochHistory(head.epoch, this.kind(), head.openedByGuest === true);
      this.epochs.set(head.epoch, this.current);
      for (const record of this.#unclaimed.splice(0)) this.#addRecord(record);
    } else if (this.current.epoch !== head.epoch) throw new Breach(1, "an epoch took over from another");
    this.on.pointed();
  }
}

const canonicalTexts = new WeakMap<object, string>();

/** Equal slices are equal texts; a slice that has been written once is known by itself. */
export function canonicalText(slice: unknown): string {
  if (typeof slice !== "object" || slice === null) return canonical(slice);
  const known = canonicalTexts.get(slice);
  if (known !== undefined) return known;
  const text = canonical(slice);
  canonicalTexts.set(slice, text);
  return text;
}

const checksums = new WeakMap<object, string>();

export function checksumOf(slice: unknown): string {
  if (typeof slice !== "object" || slice === null) return checksum(slice);
  const known = checksums.get(slice) ?? checksum(slice);
  checksums.set(slice, known);
  return known;
}
