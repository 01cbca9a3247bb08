import { MonotonicClock } from "../../lib/monotonic-clock";
import { byteLength } from "../../protocol/codec";
import { OVERDUE_MS, RESTART_GRACE_MS } from "../../protocol/limits";
import type { Kind } from "../api/kind";
import type { RoomContext } from "../commit/committer";
import { EventLog } from "../delivery/event-log";
import type { HostPorts } from "../ports";
import type { RoomSettings } from "../settings";
import type { Member } from "../state/members";
import { RoomState, type Snapshot } from "../state/room-state";
import { AlarmScheduler } from "../time/alarm";
import { chunkKey, HEAD, type Head, isOfRoom, Journal, keyName, keyNumber, RECORDS } from "./journal";
import { KeyPool } from "./key-pool";
import {
  type FrameRecord,
  readFrame,
  recordNumber,
  restoreOperation,
  type StoredFrame,
  type StoredOperation,
  storedChars,
} from "./record";

/** Records asked for at once: 64 of at most 128 KiB. */
const PAGE = 64;
/** A gap that a refused write leaves is small, and little follows it; anything else is for somebody to look at. */
const MOST_MISSING = 64;
/** So much of what was listed stays in memory until its turn comes; the rest is read once more. */
const HELD_CHARS = 16 * 1024 * 1024;

/** Brings a room to life: snapshot and journal, the only way. Call it under `blockConcurrencyWhile`. */
export async function restore(
  host: HostPorts,
  kind: Kind,
  name: { kind: string; id: string },
  settings: RoomSettings,
  now: number,
): Promise<RoomContext> {
  const head = (await host.storage.get(HEAD)) as Head | undefined;
  const log = new EventLog(settings.recoveryMs);
  const keys = new KeyPool();
  const failed = (error: unknown) => {
    host.report("An alarm could not be set", error);
    host.broken();
  };
  const versions = Object.fromEntries(kind.features.map(({ name: feature, version }) => [feature, version]));
  if (!head) {
    await deleteLeftovers(host);
    const epoch = host.freshId();
    const fresh: Head = { ...name, epoch, createdAt: now, operations: [], floor: 0, first: 1, versions };
    const state = new RoomState(kind, fresh.epoch, now);
    const clock = new MonotonicClock(now);
    const alarm = new AlarmScheduler(host.storage, clock, failed, null);
    return {
      host,
      kind,
      name,
      settings,
      state,
      log,
      journal: new Journal(host, fresh, keys, true),
      alarm,
      isRenewed: false,
      clock,
    };
  }

  const state = new RoomState(kind, head.epoch, head.createdAt);
  state.openedByGuest = head.openedByGuest === true;
  const journal = new Journal(host, head, keys, false);
  const snapshot = (await readChunks(host, "s", head.snapshot)) as Snapshot | undefined;
  await journal.packs.read(host.storage, head.snapshot ?? {});
  if (snapshot) state.restore(snapshot, journal.packs);
  for (const carried of head.operations) {
    const stored = (await readChunks(host, "o", carried)) as StoredOperation[] | undefined;
    for (const operation of stored ?? []) state.idempotency.add(restoreOperation(operation, 0));
  }
  const folded = state.n;
  const found = { frames: 0, chars: 0 };
  let next = head.first;
  const records = await readRecords(host, head.first, keys);
  for (const [at, listed] of records.entries()) {
    const { n, key, chars } = listed;
    if (n < next) throw new Error(`Record ${n} is in storage twice.`);
    if (n > next) checkGap(host, next, n);
    // Up to the snapshot nothing is missing but what a late reader would have been sent.
    while (next < n && next <= folded) next = skip(keys, next);
    if (next < n) {
      await drop(host, records.slice(at));
      break;
    }
    next++;
    const stored = listed.stored ?? ((await host.storage.get(keyName(key))) as StoredFrame);
    listed.stored = undefined;
    const { record, events } = readFrame(key, stored);
    keys.take(chars, key);
    state.rememberActions(record);
    if (record.text !== undefined) logFrame(log, record, record.text, events.length);
    if (record.n <= folded) continue;
    state.replay(record, events);
    found.frames++;
    found.chars += chars;
  }
  if (next <= folded) checkGap(host, next, folded + 1);
  while (next <= folded) next = skip(keys, next);
  journal.countRestored(found.frames, found.chars);
  const clock = new MonotonicClock(state.at);
  clock.read(now);
  state.idempotency.startAt(clock.now);
  log.trim(clock.now);
  const isRenewed = hasOtherVersions(head.versions, versions);
  if (isRenewed) {
    head.versions = versions;
    renew(state, journal, log, clock.now);
  }
  const alarm = new AlarmScheduler(host.storage, clock, failed, await host.storage.getAlarm());
  return { host, kind, name, settings, state, log, journal, alarm, isRenewed, clock };
}

/** A feature less is other code, too: what it would have folded is not in the state that it comes back to. */
function hasOtherVersions(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): boolean {
  return [...Object.keys(before), ...Object.keys(now)].some((feature) => before[feature] !== now[feature]);
}

/**
 * Members whom nobody said goodbye to and who hold no socket were cut off with the process; and where a grace ended and
 * nobody was there to say so, the room was down. They, and whoever was already on the way back, are given the time that
 * everybody needs to come back after a restart.
 */
export function graceAfterCrash(
  parts: RoomContext,
  isHere: (user: string) => boolean,
  now: number,
): Member[] {
  const away = [...parts.state.members.all.values()].filter(({ user }) => !isHere(user));
  if (away.every(({ leavesAt }) => leavesAt !== undefined && leavesAt > now - OVERDUE_MS)) return [];
  const leavesAt = now + Math.max(RESTART_GRACE_MS, parts.settings.leaveGraceMs);
  return away.map((member) => ({ ...member, leavesAt }));
}

/**
 * Other code folded what came before: everybody is given the state anew, once. An event marks where, so that who was up to
 * date before it is behind it, and who has been given the state resumes as ever.
 */
function renew(memory: RoomState, journal: Journal, log: EventLog, at: number): void {
  const seq = memory.seq + 1;
  const event = { f: "room", n: "renewed", d: {} };
  const text = JSON.stringify({ t: "frame", seq, at, e: [event] });
  const record = { n: memory.n + 1, seq, at, text };
  journal.append(record);
  logFrame(log, record, text, 1);
  Object.assign(memory, { n: record.n, seq, at });
  journal.head.floor = seq;
  journal.snapshot(memory, log, at);
}

function logFrame(log: EventLog, record: FrameRecord, text: string, count: number): void {
  const { n, seq, at } = record;
  log.add({ first: seq - count + 1, seq, at, text, bytes: byteLength(text), record: n });
}

interface Listed {
  n: number;
  key: number;
  chars: number;
  stored: StoredFrame | undefined;
}

/** The records from `first` on, in order. What was let go before them waits to be written over. */
async function readRecords(world: HostPorts, first: number, keys: KeyPool): Promise<Listed[]> {
  const records: Listed[] = [];
  const spare: Listed[] = [];
  let held = 0;
  let startAfter: string | undefined;
  for (;;) {
    const page = await world.storage.list({
      prefix: RECORDS,
      limit: PAGE,
      ...(startAfter ? { startAfter } : {}),
    });
    for (const [name, value] of page) {
      startAfter = name;
      const key = keyNumber(name);
      const n = recordNumber(key, value);
      const stored = value as StoredFrame;
      const chars = storedChars(stored);
      if (n < first) spare.push({ n, key, chars, stored: undefined });
      else {
        held += chars;
        records.push({ n, key, chars, stored: held <= HELD_CHARS ? stored : undefined });
      }
    }
    if (page.size < PAGE) break;
  }
  for (const { key, chars } of spare.sort(byNumber)) keys.addFree(chars, key);
  return records.sort(byNumber);
}

/**
 * Where a disk is full one commit may fail and a smaller one right after it be taken: that leaves a gap, and a record after
 * it. Nobody has seen either, for the instance is at its end with the first failure.
 */
function checkGap(world: HostPorts, from: number, to: number): void {
  if (to - from > MOST_MISSING) throw new Error(`${to - from} records are missing, from ${from} on.`);
  world.report("The journal has a gap", new Error(`Record ${from} is missing from storage.`));
}

function skip(keys: KeyPool, n: number): number {
  keys.skip();
  return n + 1;
}

/** What comes after a gap follows from what is not there; the numbers are given anew. */
async function drop(world: HostPorts, records: readonly Listed[]): Promise<void> {
  if (records.length > MOST_MISSING) throw new Error(`${records.length} records lie after a gap.`);
  await world.storage.delete(records.map(({ key }) => keyName(key)));
}

function byNumber(a: Listed, b: Listed): number {
  return a.n - b.n;
}

/** What is left where the deletion of a life before was cut short: nobody's, and not to be taken for the new one's. */
async function deleteLeftovers(world: HostPorts): Promise<void> {
  for (;;) {
    const page = await world.storage.list({ prefix: "", limit: PAGE });
    const left = [...page.keys()].filter((key) => isOfRoom.test(key));
    if (left.length === 0) return;
    await world.storage.delete(left);
  }
}

async function readChunks(
  world: HostPorts,
  what: "s" | "o",
  where: { n: number; chunks: number } | undefined,
): Promise<unknown> {
  if (!where) return undefined;
  let text = "";
  for (let chunk = 0; chunk < where.chunks; chunk++) {
    const part = await world.storage.get(chunkKey(what, where.n, chunk));
    if (typeof part !== "string")
      throw new Error(`Part ${chunk} of ${what}/${where.n} is missing from storage.`);
    text += part;
  }
  return JSON.parse(text);
}
