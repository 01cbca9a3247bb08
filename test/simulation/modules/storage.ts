import {
  LONGEST_LOOK_MS,
  MAX_LOG_BYTES,
  MAX_OPERATIONS,
  RESEND_MS,
  SNAPSHOT_EVERY_FRAMES,
} from "../../../src/protocol/limits";
import { ownerOf } from "../../../src/room/state/idempotency";
import type { Snapshot } from "../../../src/room/state/room-state";
import { chunkKey } from "../../../src/room/storage/journal";
import { MAX_FREE_KEYS, MAX_FREE_RECORD_CHARS } from "../../../src/room/storage/key-pool";
import { packKeys, type StoredPacks } from "../../../src/room/storage/snapshot-parts";
import type { Deployment } from "../deployment";
import { canonicalText } from "../durable-history";
import type { RoomObject } from "../room-object";
import type { SimulationModule } from "../simulation-module";

/** Storage and memory hold what recovery needs, and no more. */
export const storage: SimulationModule = {
  name: "storage",
  moves: {},

  /** A snapshot is the fold of the records up to it, and of nothing that is not stored. */
  onHead(deployment, { name, truth: { head, current: life, snapshots } }) {
    if (!head?.snapshot || head.snapshot.n !== life?.n) return;
    const { n, chunks } = head.snapshot;
    const text = Array.from({ length: chunks }, (_, chunk) => snapshots.get(chunkKey("s", n, chunk))).join(
      "",
    );
    const { seq, slices, members, timers, effects } = JSON.parse(text) as Snapshot;
    const pairs: [string, unknown, unknown][] = [
      ["the number", seq, life.seq],
      ["members", members.map(({ user }) => user).sort(), [...life.members.keys()].sort()],
      ["timers", [...timers].sort(), [...life.timers].sort()],
      ["effects", effects?.map(([effect]) => effect).sort(), [...life.effects].sort()],
    ];
    const parts = partsOf(head.snapshot.packs ?? [], snapshots);
    for (const { name: feature, shared, private: privateSlice } of life.kind.features) {
      const { s: ofShared, p: ofPrivate } = slices[feature] ?? {};
      const s = shared.parts ? shared.parts.join(ofShared, parts(`${feature}/s/`)) : ofShared;
      const p = privateSlice?.parts ? privateSlice.parts.join(ofPrivate, parts(`${feature}/p/`)) : ofPrivate;
      pairs.push(
        [feature, s, life.state[feature]],
        [`the private state of ${feature}`, p, life.privateStates.get(feature)],
      );
    }
    for (const [what, actual, meant] of pairs) {
      if (canonicalText(actual) !== canonicalText(meant))
        deployment.reportBreach(
          7,
          `in the snapshot at ${n} of ${name} ${what}: ${canonicalText(actual)}; the records make ${canonicalText(meant)}`,
        );
    }
  },

  onTurn(_, object) {
    ageOf(object);
  },

  onStored(deployment, object) {
    const { head, current: life, keys, records } = object.truth;
    if (!head || !life) return;
    // Small records wait for others to be written over them; large ones are gone.
    const small = [...records].filter(
      ([, { n, chars }]) => n >= head.first || chars <= MAX_FREE_RECORD_CHARS,
    );
    const reached = new Set(["room", ...small.map(([key]) => key)]);
    const kept = new Set([...records.values()].map(({ n }) => n).filter((n) => n >= head.first));
    for (let n = head.first; n <= life.n; n++)
      if (!kept.has(n)) deployment.reportBreach(7, `${object.name} has lost record ${n}`);
    const parts = [...head.operations.map((part) => ["o", part] as const)];
    const all = head.snapshot ? [["s", head.snapshot] as const, ...parts] : parts;
    for (const [what, { n, chunks }] of all) {
      for (let chunk = 0; chunk < chunks; chunk++) reached.add(chunkKey(what, n, chunk));
    }
    const { packs = [], released = [] } = head.snapshot ?? {};
    const { thrownCount: thrown } = object.process.runtime;
    // Deleted with the next snapshot. A commit that was refused half-way may have deleted nothing.
    if (thrown === 0)
      for (const [pack, chunks] of released) for (const key of packKeys(pack, chunks)) reached.add(key);
    for (const [pack, chunks] of packs) for (const key of packKeys(pack, chunks)) reached.add(key);
    // If a snapshot's pointer was refused at once, the rest of it is unreachable until the room goes.
    for (const key of keys)
      if (!reached.has(key) && thrown === 0)
        deployment.reportBreach(7, `${object.name} keeps ${key}, which nothing reaches`);
    const spare = records.size - kept.size;
    if (spare > MAX_FREE_KEYS && thrown === 0)
      deployment.reportBreach(7, `${object.name} keeps ${spare} records that recovery does not need`);
    for (const key of reached)
      if (!keys.has(key)) deployment.reportBreach(7, `${object.name} has lost ${key}`);
    const since = life.n - (head.snapshot?.n ?? 0);
    if (since > SNAPSHOT_EVERY_FRAMES + 1)
      deployment.reportBreach(7, `${since} records since the last snapshot`);
    checkMemory(deployment, object);
  },
};

interface Aging {
  age: number;
  at: number;
  /** How old that was when each accepted action became durable. */
  bornAt: number[];
  /** The newest record when this instance was first checked. */
  record: number;
  /** The epoch of the room that these actions belong to. */
  life: object;
}
const agings = new WeakMap<object, Aging>();

/** How old ids are by this instance's readings of the clock. */
function ageOf({ process: { room }, truth: { current: life } }: RoomObject): Aging | undefined {
  if (!room || !life) return undefined;
  const { now } = room["context"].clock;
  const known = agings.get(room);
  // A new room may be checked before the first record of its epoch is durable.
  const aging: Aging =
    known?.life === life ? known : { age: 0, at: now, bornAt: [], record: room["context"].state.n, life };
  agings.set(room, aging);
  aging.age += Math.min(now - aging.at, LONGEST_LOOK_MS);
  aging.at = now;
  while (aging.bornAt.length < life.accepted.length) aging.bornAt.push(aging.age);
  return aging;
}

/** The parts of a slice, by the plain rule: the newest copy in any pack counts, unless it is a removal. */
function partsOf(packs: StoredPacks, texts: ReadonlyMap<string, string>) {
  const newest = new Map<string, string>();
  for (const [pack, chunks] of packs) {
    const text = packKeys(pack, chunks)
      .map((key) => texts.get(key))
      .join("");
    for (const line of text.split("\n")) {
      const [name = "", ...json] = line.split(" ");
      newest.set(name, json.join(" "));
    }
  }
  return (prefix: string): ReadonlyMap<string, unknown> =>
    new Map(
      [...newest]
        .filter(([name, json]) => name.startsWith(prefix) && json !== "")
        .map(([name, json]) => [name.slice(prefix.length), JSON.parse(json) as unknown]),
    );
}

/** Read from inside: nothing on the wire shows how much a room holds in memory. */
function checkMemory(deployment: Deployment, object: RoomObject): void {
  const { process, name, truth } = object;
  const { room, runtime } = process;
  // What gathers in an open frame, whose timer runs, is in memory alone.
  if (!room?.exists || runtime.hasFailingWrites || process.hasTimers) return;
  const { state, log } = room["context"];
  const users = new Set([...(truth.current?.stamps.keys() ?? [])]).size;
  if (state.windows.size > users)
    deployment.reportBreach(8, `${name} holds ${state.windows.size} windows of ${users}`);
  if (log.bytes > MAX_LOG_BYTES) deployment.reportBreach(8, `${name} holds ${log.bytes} bytes of log`);
  // By the room's readings of its clock. It may know ids from before this instance to be older.
  const { age, bornAt } = ageOf(object) ?? { age: 0, bornAt: [] as number[] };
  // An action may be a little younger than the clock by which its room was restored: one reading is allowed for that.
  const recent = bornAt.filter((born) => born > age - RESEND_MS - LONGEST_LOOK_MS).length;
  if (state.idempotency.size > recent) {
    deployment.reportBreach(8, `${name} holds ${state.idempotency.size} ids of ${recent}`);
  }
  // A user holds two thirds of all at most. A restored instance may also know ids that the one before had forgotten.
  const first = agings.get(room)?.record ?? 0;
  const counts = new Map<string, number>();
  for (const { user, record } of state.idempotency.ofRecords(0, Number.POSITIVE_INFINITY, state.at)) {
    if (record <= first) continue;
    const owner = ownerOf(user);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  for (const [user, count] of counts) {
    if (count > Math.ceil((2 * MAX_OPERATIONS) / 3))
      deployment.reportBreach(8, `${user} holds ${count} of the ${MAX_OPERATIONS} ids of ${name}`);
  }
}
