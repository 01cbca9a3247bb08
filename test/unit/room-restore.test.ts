import { describe, expect, it } from "vitest";
import { canonical } from "../../src/protocol/checksum";
import { SNAPSHOT_EVERY_FRAMES } from "../../src/protocol/limits";
import { keyNumber } from "../../src/room/storage/journal";
import { type FrameRecord, readFrame, type StoredFrame, storeOperation } from "../../src/room/storage/record";
import { restore } from "../../src/room/storage/restore";
import { ROOM_NAME, RoomStage } from "../support/room-stage";
import {
  actRandomly,
  readLiveState,
  readRecords,
  readRestoredState,
  USERS,
} from "../support/room-state-snapshots";

/** A plain frame in the form of earlier builds, made from what the living room remembers. */
function toEarlierRecord(stage: RoomStage, n: number, stored: string): FrameRecord {
  const text = stored.split("\n")[0] as string;
  const { seq, at } = JSON.parse(text) as { seq: number; at: number };
  const { idempotency: operations } = stage.room["context"].state;
  const o = [...operations.ofRecords(n, n + 1, stage.now)].map(storeOperation);
  return { n, seq, at, text, ...(o.length > 0 ? { o } : {}) };
}

describe("a restore", () => {
  it("the restore from snapshot and journal equals the living room, at every record", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 20_000 } });
    const tabs = USERS.flatMap((user) => [
      stage.join(user, { tab: "one" }),
      stage.join(user, { tab: "two" }),
    ]);
    const { random, seed } = stage.runtime;
    let snapshots = 0;
    let compared = 0;
    for (let n = 0; stage.room.counts.commits < 2.3 * SNAPSHOT_EVERY_FRAMES; n++) {
      const before = stage.runtime.keys("s/")[0];
      actRandomly(stage, tabs);
      stage.advance(random.below(4) ? random.below(30) : random.below(400));
      const isNew = stage.runtime.keys("s/")[0] !== before;
      if (isNew) snapshots++;
      if (!isNew && random.below(20) > 0) continue;
      stage.room.summary(stage.now);
      stage.makeDurable();
      expect(await readRestoredState(stage), `seed ${seed}, step ${n}`).toBe(readLiveState(stage));
      compared++;
    }
    expect(snapshots).toBeGreaterThanOrEqual(2);
    expect(compared).toBeGreaterThan(50);
    stage.expectNoViolations();
  });

  /** The forms of an earlier build, which identified a record by its key. */
  const earlier: [how: string, form: (stage: RoomStage, n: number, stored: string) => StoredFrame][] = [
    ["in the general form", toEarlierRecord],
    ["as a text without its number", (_, n, stored) => stored.replace(`\n${n}`, "")],
  ];
  it.each(earlier)("the restore reads plain frames that an earlier build stored %s", async (_, form) => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 20_000 } });
    const tabs = [
      ...USERS.map((user) => stage.join(user)),
      stage.join("g_guest", { guest: true, from: "there", expiresAt: stage.now + 10 ** 9 }),
    ];
    for (let n = 0; n < 300; n++) {
      actRandomly(stage, tabs);
      stage.advance(stage.runtime.random.below(30));
    }
    stage.room.summary(stage.now);
    stage.makeDurable();
    let plain = 0;
    for (const key of stage.runtime.keys("j/")) {
      const stored = stage.runtime.value(key) as StoredFrame;
      if (typeof stored !== "string") continue;
      void stage.runtime.ports.storage.put(key, form(stage, keyNumber(key), stored));
      plain++;
    }
    stage.makeDurable();
    expect(plain).toBeGreaterThan(50);
    expect(await readRestoredState(stage)).toBe(readLiveState(stage));
    // The snapshots free these keys, and later frames overwrite them.
    await stage.crash();
    for (const tab of tabs) stage.rejoin(tab);
    const before = stage.room.counts.commits;
    while (stage.room.counts.commits < before + 3 * SNAPSHOT_EVERY_FRAMES) {
      actRandomly(stage, tabs);
      stage.advance(stage.runtime.random.below(200));
      if (stage.runtime.random.below(100) > 0) continue;
      stage.room.summary(stage.now);
      stage.makeDurable();
      expect(await readRestoredState(stage)).toBe(readLiveState(stage));
    }
  });

  it("the restore reads storage twice if it is too much for one pass", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (let n = 0; n < 250; n++) {
      stage.advance(10);
      stage.do(ann, "lab", "deal", { to: ["ann"] });
    }
    stage.makeDurable();
    const { storage } = stage.runtime.ports;
    for (const key of stage.runtime.keys("j/")) {
      const stored = stage.runtime.value(key) as FrameRecord;
      for (const event of stored.p ?? []) {
        event[2] = JSON.stringify({ ...JSON.parse(event[2]), more: "x".repeat(100_000) });
      }
      void storage.put(key, stored);
    }
    stage.makeDurable();
    expect(stage.runtime.storedBytes).toBeGreaterThan(20 * 1024 * 1024);
    const copy = stage.runtime.copy();
    const reads: string[] = [];
    const { ports } = copy;
    const get = (key: string) => {
      reads.push(key);
      return ports.storage.get(key);
    };
    const hostPorts = { ...ports, storage: { ...ports.storage, get } };
    const { state: memory } = await restore(hostPorts, stage.kind, ROOM_NAME, stage.settings, stage.now);
    expect(memory.slices.private("lab")).toEqual(stage.room["context"].state.slices.private("lab"));
    expect(reads.filter((key) => key.startsWith("j/")).length).toBeGreaterThan(20);
  });

  it("the restore ignores records of an earlier epoch whose deletion was cut short", async () => {
    const before = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const bob = before.join("bob");
    for (let n = 0; n < 2 * SNAPSHOT_EVERY_FRAMES; n++) {
      before.advance(10);
      before.say(bob, "old");
    }
    before.makeDurable();
    const { storage } = before.runtime.ports;
    void storage.delete(["room"]);
    before.makeDurable();
    expect(before.runtime.keys().length).toBeGreaterThan(SNAPSHOT_EVERY_FRAMES);
    await before.crash();
    const ann = before.join("ann");
    before.advance(100);
    before.say(ann, "new");
    before.advance(100);
    expect(readRecords(before)[0]?.n).toBe(1);
    expect(before.runtime.keys("s/")).toEqual([]);
    expect(await readRestoredState(before)).toBe(readLiveState(before));
    expect(ann.read().events.map(({ d }) => d)).toContainEqual(expect.objectContaining({ text: "new" }));
  });

  const unknown = "of a form that this build does not know";
  it.each<[record: unknown, says: string]>([
    [null, unknown],
    [7, unknown],
    [["an array"], unknown],
    [{ n: "2" }, unknown],
    ['{"t":"frame","seq":9,"at":1,"e":[]}\n', unknown],
    ['{"t":"frame","seq":9,"at":1,"e":[]}\n2x', unknown],
    ['{"t":"frame","seq":9,"at":1,"e":[]}\n2\n{}', unknown],
    ['{"t":"frame","seq":9,"at":1,"e":[]}\n2\n[]\n[]', unknown],
    ['{"t":"frame","seq":9,"at":1,"e":[]}', "without an event"],
    ["no JSON", "JSON"],
    [{ n: 1 }, "Record 1 is in storage twice"],
    [{ n: 9_999 }, "records are missing"],
  ])("the room does not open on an invalid record: %j", async (record, says) => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    stage.say(ann, "hello");
    stage.makeDurable();
    const [, second] = stage.runtime.keys("j/") as [string, string];
    void stage.runtime.ports.storage.put(second, record);
    stage.makeDurable();
    await expect(readRestoredState(stage)).rejects.toThrow(says);
  });

  it.each([
    ["oldest", () => 0],
    ["one in the middle", (count: number) => count >> 1],
    ["last before the snapshot", (count: number) => count - 1],
  ])("the room continues over a gap, and reports it: without the %s", async (_, at) => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const ann = stage.join("ann");
    for (let n = 1; n < SNAPSHOT_EVERY_FRAMES; n++) {
      stage.advance(10);
      stage.say(ann, "x");
    }
    const { snapshot } = stage.runtime.value("room") as { snapshot: { n: number } };
    const kept = readRecords(stage);
    expect(kept.at(-1)?.n).toBe(snapshot.n);
    const { n } = kept[at(kept.length)] as FrameRecord;
    const key = stage.runtime
      .keys("j/")
      .find((name) => readFrame(keyNumber(name), stage.runtime.value(name) as StoredFrame).record.n === n);
    void stage.runtime.ports.storage.delete([key as string]);
    stage.makeDurable();
    await stage.crash();
    stage.rejoin(ann);
    for (let more = 0; more < 3 * SNAPSHOT_EVERY_FRAMES; more++) {
      stage.advance(10);
      stage.say(ann, "y");
      if (more % 100 > 0) continue;
      stage.makeDurable();
      const records = readRecords(stage).map((record) => record.n);
      const { first } = stage.runtime.value("room") as { first: number };
      const all = Array.from({ length: (records.at(-1) as number) - first + 1 }, (_, from) => first + from);
      expect(records).toEqual(all.filter((each) => each !== n));
    }
    expect(stage.runtime.reports.map(({ error }) => String(error))).toEqual([
      `Error: Record ${n} is missing from storage.`,
    ]);
    expect(ann.read().violations).toEqual([]);
  });

  it("the restore ignores records after a gap that a full disk left, because they follow from missing ones", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const say = (text: string) => {
      stage.advance(100);
      stage.say(ann, text);
      stage.makeDurable();
    };
    for (const text of ["one", "two"]) say(text);
    const restored = await readRestoredState(stage);
    const before = stage.runtime.keys("j/");
    for (const text of ["refused", "smaller", "and another"]) say(text);
    const [refused] = stage.runtime.keys("j/").filter((key) => !before.includes(key));
    void stage.runtime.ports.storage.delete([refused as string]);
    stage.makeDurable();
    expect(await readRestoredState(stage)).toBe(restored);
    // Its numbers are given again, and none of its records comes back.
    await stage.crash();
    const bob = stage.join("bob");
    stage.advance(100);
    stage.say(bob, "three");
    stage.makeDurable();
    expect(await readRestoredState(stage)).toBe(readLiveState(stage));
    expect(bob.read().slices.chat).toMatchObject({
      messages: [{ text: "one" }, { text: "two" }, { text: "three" }],
    });
    expect(stage.runtime.reports.map(({ problem }) => problem)).toEqual(["The journal has a gap"]);
  });

  it("the room with a larger gap does not open and changes no storage", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (let n = 0; n < 200; n++) {
      stage.advance(10);
      stage.say(ann, "x");
    }
    stage.makeDurable();
    const [, , third] = stage.runtime.keys("j/");
    void stage.runtime.ports.storage.delete([third as string]);
    stage.makeDurable();
    const keys = stage.runtime.keys("j/");
    await expect(readRestoredState(stage)).rejects.toThrow("records lie after a gap");
    expect(stage.runtime.keys("j/")).toEqual(keys);
  });

  it("the restore reads records after any number of crashes: the state continues as without them", async () => {
    const stage = await RoomStage.open();
    const tabs = USERS.map((user) => stage.join(user));
    for (let round = 0; round < 15; round++) {
      for (let n = 0; n < 60; n++) {
        actRandomly(stage, tabs);
        stage.advance(stage.runtime.random.below(20));
      }
      await stage.crash();
      for (const tab of tabs) stage.rejoin(tab);
      stage.advance(100);
      for (const tab of tabs) stage.verify(tab);
      stage.expectNoViolations();
    }
    expect(tabs.every((tab) => tab.read().checksums.length === 15)).toBe(true);
    const [first, ...others] = tabs.map((tab) => canonical(tab.slices));
    for (const other of others) expect(other).toBe(first);
  });

  it("[W1] two simultaneous first connections see one room", async () => {
    const stage = await RoomStage.open();
    stage.join("ann");
    stage.join("bob");
    stage.advance(100);
    await stage.crash();
    const ann = stage.join("ann", { tab: "a" });
    const bob = stage.join("bob", { tab: "b" });
    stage.advance(100);
    expect(ann.read().welcomes[0]?.epoch).toBe(bob.read().welcomes[0]?.epoch);
    expect(ann.seq).toBe(bob.seq);
    stage.expectNoViolations();
  });

  it("after the clock went back, the room uses the time of its newest frame", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(60_000);
    stage.say(ann, "late");
    await stage.crash();
    stage.runtime.now -= 50_000;
    stage.rejoin(ann);
    stage.say(ann, "early");
    stage.advance(100);
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "early" } });
    stage.expectNoViolations();
  });
});
