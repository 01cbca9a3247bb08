import type { NumberedEvent } from "../protocol/messages";
import type { Outstanding } from "./errands";
import type { Kind } from "./kind";
import { type Member, Members } from "./members";
import { OFFENCE, windowsOf } from "./offences";
import { type Operation, Operations, ownerOf } from "./operations";
import { type FrameRecord, restoreOperation } from "./record";
import { Slices, type StoredSlices } from "./slices";
import { SlidingWindow } from "./sliding-window";
import type { SnapshotParts } from "./snapshot-parts";

/** What a snapshot holds: the fold of everything up to record `n`. */
export interface Snapshot {
  n: number;
  seq: number;
  at: number;
  slices: StoredSlices;
  members: Member[];
  lastMember: number;
  timers: [name: string, at: number][];
  /** Absent in what was stored before there were any. */
  errands?: [name: string, outstanding: Outstanding][];
  windows: [rule: string, user: string, stamps: number[]][];
}

/** All of a room that outlives its process. It changes in the same steps while it lives and while it is restored. */
export class Memory {
  seq = 0;
  /** The time of the newest frame: a room's clock never goes back behind it. */
  at = 0;
  /** The number of the newest record. */
  n = 0;
  /** A guest opened it: it feeds no board but its own. */
  isGuests = false;
  readonly slices: Slices;
  readonly members = new Members();
  readonly timers = new Map<string, number>();
  readonly errands = new Map<string, Outstanding>();
  readonly operations = new Operations();
  readonly windows = new SlidingWindow();

  constructor(
    kind: Kind,
    readonly epoch: string,
    readonly createdAt: number,
  ) {
    this.slices = new Slices(kind.features);
  }

  snapshot(slices = this.slices.store()): Snapshot {
    return {
      n: this.n,
      seq: this.seq,
      at: this.at,
      slices,
      members: [...this.members.all.values()],
      lastMember: this.members.lastNumber,
      timers: [...this.timers],
      errands: [...this.errands],
      windows: this.windows.entries(),
    };
  }

  restore(snapshot: Snapshot, packs: SnapshotParts): void {
    this.n = snapshot.n;
    this.seq = snapshot.seq;
    this.at = snapshot.at;
    for (const member of snapshot.members) this.members.apply(member);
    this.members.lastNumber = snapshot.lastMember;
    for (const [name, at] of snapshot.timers) this.timers.set(name, at);
    for (const [name, outstanding] of snapshot.errands ?? []) this.errands.set(name, outstanding);
    for (const [rule, user, stamps] of snapshot.windows) {
      for (const at of stamps) this.windows.stamp(rule, user, at);
    }
    this.slices.restore(snapshot.slices, packs);
  }

  /** A record after the snapshot. */
  replay(record: FrameRecord, events: readonly NumberedEvent[]): void {
    for (const event of events) this.slices.fold(event);
    for (const [f, n, d, by, at] of record.p ?? []) {
      this.slices.foldPrivate(f, { n, d: JSON.parse(d), at, ...(by == null ? {} : { by }) });
    }
    for (const change of record.m ?? []) this.members.apply(change);
    for (const [name, at] of record.w ?? []) this.setTimer(name, at);
    for (const [name, outstanding] of record.e ?? []) this.setErrand(name, outstanding);
    for (const stored of record.o ?? []) {
      this.spend(restoreOperation(stored, record.n));
    }
    if (record.h) this.isGuests = false;
    for (const [offender, at] of record.x ?? []) this.windows.stamp(OFFENCE, offender, at);
    this.seq = record.seq;
    this.at = record.at;
    this.n = record.n;
  }

  /** An accepted action counts against its rule: for its user, over HTTP as on a socket, and for the address of a guest. */
  spend({ rule, user, from, at }: Pick<Operation, "rule" | "user" | "from" | "at">): void {
    if (rule === undefined) return;
    for (const whose of windowsOf(ownerOf(user), from)) this.windows.stamp(rule, whose, at);
  }

  /** What any kept record still answers for, be it before or after the snapshot. */
  recall(record: FrameRecord): void {
    this.operations.look(record.at);
    for (const stored of record.o ?? []) this.operations.add(restoreOperation(stored, record.n));
  }

  setErrand(name: string, outstanding: Outstanding | null): void {
    if (outstanding === null) this.errands.delete(name);
    else this.errands.set(name, outstanding);
  }

  setTimer(name: string, at: number | null): void {
    if (at === null) this.timers.delete(name);
    else this.timers.set(name, at);
  }
}
