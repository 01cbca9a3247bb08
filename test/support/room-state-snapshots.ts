import { canonical } from "../../src/protocol/checksum";
import type { RoomState } from "../../src/room/state/room-state";
import { keyNumber } from "../../src/room/storage/journal";
import { type FrameRecord, readFrame, type StoredFrame } from "../../src/room/storage/record";
import { restore } from "../../src/room/storage/restore";
import { ROOM_NAME, type RoomStage } from "./room-stage";
import type { RoomTab } from "./room-tab";

export const USERS = ["ann", "bob", "__proto__", "1", "zoë 💥"];

/** Anything that changes what is stored. */
export function actRandomly(stage: RoomStage, tabs: RoomTab[]): void {
  const { random } = stage.runtime;
  const tab = random.pick(tabs);
  if (tab.peer.state !== "open") {
    stage.rejoin(tab);
    return;
  }
  switch (random.below(12)) {
    case 0:
      return stage.leave(tab);
    case 1:
      return void stage.do(tab, "lab", "deal", { to: [random.pick(USERS), random.pick(USERS)] });
    case 2:
      return void stage.do(tab, "lab", "timer", {
        name: `t${random.below(5)}`,
        afterMs: random.below(3) ? random.below(9_000) : null,
      });
    case 3:
      return void stage.do(tab, "lab", random.pick(["peek", "nothing", "both", "urgent"]), {});
    case 4:
      return void stage.do(tab, "presence", "set", {
        status: `s${random.below(9)}`,
        data: random.pick([null, { x: [1.5] }, "💥"]),
      });
    case 5:
      return void stage.post("hanna", "lab", "add", { n: random.below(9) });
    case 6:
      return void stage.do(tab, "chat", "remove", { id: 1 + random.below(Math.max(1, tab.read().seq)) });
    default:
      return void stage.say(tab, random.pick(["hi", "💥\u2028", 'a\\"b', "é"]).repeat(1 + random.below(40)));
  }
}

/** All that outlives the process, as one text. Stamps that have aged out do not count. */
export async function readRestoredState(stage: RoomStage): Promise<string> {
  const { state: memory, log } = await restore(
    stage.runtime.copy().ports,
    stage.kind,
    ROOM_NAME,
    stage.settings,
    stage.now,
  );
  const hidden = memory.slices.private("lab");
  return toCanonicalState(
    memory.snapshot(),
    { log: log.oldestRecord, operations: readOperations(memory, stage.now), hidden },
    stage.now,
  );
}
export function readLiveState(stage: RoomStage): string {
  const { state: memory, log } = stage.room["context"];
  log.trim(stage.now);
  const hidden = memory.slices.private("lab");
  return toCanonicalState(
    memory.snapshot(),
    { log: log.oldestRecord, operations: readOperations(memory, stage.now), hidden },
    stage.now,
  );
}
/** Where a snapshot has carried them to, they are of no record any more. */
function readOperations({ idempotency: operations }: RoomState, now: number): unknown[] {
  return [...operations.ofRecords(0, Number.POSITIVE_INFINITY, now)].map(
    ({ record, seq, answer, ...operation }) => [seq ?? null, answer ?? null, operation],
  );
}
/** The records that are kept, oldest first, and what waits to be written over. */
export function readRecords({ runtime: world }: RoomStage): FrameRecord[] {
  const { first } = world.value("room") as { first: number };
  return world
    .keys("j/")
    .map((key) => readFrame(keyNumber(key), world.value(key) as StoredFrame).record)
    .filter(({ n }) => n >= first)
    .sort((a, b) => a.n - b.n);
}
function toCanonicalState(
  snapshot: ReturnType<Awaited<ReturnType<typeof restore>>["state"]["snapshot"]>,
  more: object,
  now: number,
): string {
  const fresh = snapshot.windows.map(
    ([rule, user, stamps]) => [rule, user, stamps.filter((at) => at > now - 1_000)] as const,
  );
  const windows = fresh.filter(([, , stamps]) => stamps.length > 0).sort();
  return canonical({ ...snapshot, windows, ...more });
}
