import { SlidingWindow } from "../../lib/sliding-window";
import type { NumberedEvent } from "../../protocol/messages";
import type { Kind } from "../api/kind";
import type { PendingEffect } from "../commit/effects";
import { PENALTY, windowKeys } from "../inbound/penalties";
import { type FrameRecord, restoreOperation } from "../storage/record";
import type { SnapshotParts } from "../storage/snapshot-parts";
import { type AcceptedRecord, IdempotencyLog, ownerOf } from "./idempotency";
import { type Member, Members } from "./members";
import { Slices, type StoredSlices } from "./slices";

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
  effects?: [name: string, outstanding: PendingEffect][];
  windows: [rule: string, user: string, stamps: number[]][];
}

/** All of a room that outlives its process. It changes in the same steps while it lives and while it is restored. */
export class RoomState {
  seq = 0;
  /** The time of the newest frame: a room's clock never goes back behind it. */
  at = 0;
  /** The number of the newest record. */
  n = 0;
  /** A guest opened it: it feeds no board but its own. */
  openedByGuest = false;
  readonly slices: Slices;
  readonly members = new Members();
  readonly timers = new Map<string, number>();
  readonly effects = new Map<string, PendingEffect>();
  readonly idempotency = new IdempotencyLog();
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
      effects: [...this.effects],
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
    for (const [name, outstanding] of snapshot.effects ?? []) this.effects.set(name, outstanding);
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
    for (const [name, outstanding] of record.e ?? []) this.setEffect(name, outstanding);
    for (const stored of record.o ?? []) {
      this.countAction(restoreOperation(stored, record.n));
    }
    if (record.h) this.openedByGuest = false;
    for (const [offender, at] of record.x ?? []) this.windows.stamp(PENALTY, offender, at);
    this.seq = record.seq;
    this.at = record.at;
    this.n = record.n;
  }

  /** An accepted action counts against its rule: for its user, over HTTP as on a socket, and for the address of a guest. */
  countAction({ rule, user, from, at }: Pick<AcceptedRecord, "rule" | "user" | "from" | "at">): void {
    if (rule === undefined) return;
    for (const whose of windowKeys(ownerOf(user), from)) this.windows.stamp(rule, whose, at);
  }

  /** What any kept record still answers for, be it before or after the snapshot. */
  rememberActions(record: FrameRecord): void {
    this.idempotency.expire(record.at);
    for (const stored of record.o ?? []) this.idempotency.add(restoreOperation(stored, record.n));
  }

  setEffect(name: string, outstanding: PendingEffect | null): void {
    if (outstanding === null) this.effects.delete(name);
    else this.effects.set(name, outstanding);
  }

  setTimer(name: string, at: number | null): void {
    if (at === null) this.timers.delete(name);
    else this.timers.set(name, at);
  }
}
