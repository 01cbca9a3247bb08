import { describe, expect, it } from "vitest";
import { canonical } from "../../src/protocol/checksum";
import { SNAPSHOT_EVERY_FRAMES } from "../../src/protocol/limits";
import { keyNumber } from "../../src/room/journal";
import { type FrameRecord, readFrame, type StoredFrame, storeOperation } from "../../src/room/record";
import { restore } from "../../src/room/restore";
import { anything, living, recordsOf, restored, USERS } from "../support/restored";
import { NAME, RoomStage } from "../support/room-stage";

/** A plain frame as it was stored before there was a form for it, put together from what the living room remembers. */
function asBefore(stage: RoomStage, n: number, stored: string): FrameRecord {
  const text = stored.split("\n")[0] as string;
  const { seq, at } = JSON.parse(text) as { seq: number; at: number };
  const { operations } = stage.room["parts"].memory;
  const o = [...operations.ofRecords(n, n + 1, stage.now)].map(storeOperation);
  return { n, seq, at, text, ...(o.length > 0 ? { o } : {}) };
}

describe("a restore", () => {
  it("from snapshot and journal is the living room, at every record", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 20_000 } });
    const tabs = USERS.flatMap((user) => [
      stage.join(user, { tab: "one" }),
      stage.join(user, { tab: "two" }),
    ]);
    const { random, seed } = stage.world;
    let snapshots = 0;
    let compared = 0;
    for (let n = 0; stage.room.counts.commits < 2.3 * SNAPSHOT_EVERY_FRAMES; n++) {
      const before = stage.world.keys("s/")[0];
      anything(stage, tabs);
      stage.pass(random.below(4) ? random.below(30) : random.below(400));
      const isNew = stage.world.keys("s/")[0] !== before;
      if (isNew) snapshots++;
      if (!isNew && random.below(20) > 0) continue;
      stage.room.summary(stage.now);
      stage.settle();
      expect(await restored(stage), `seed ${seed}, step ${n}`).toBe(living(stage));
      compared++;
    }
    expect(snapshots).toBeGreaterThanOrEqual(2);
    expect(compared).toBeGreaterThan(50);
    stage.check();
  });

  /** What an earlier build stored, which knew a record by its key. */
  const earlier: [how: string, form: (stage: RoomStage, n: number, stored: string) => StoredFrame][] = [
    ["as others are", asBefore],
    ["as a text without its number", (_, n, stored) => stored.replace(`\n${n}`, "")],
  ];
  it.each(earlier)("reads plain frames that an earlier build stored %s", async (_, form) => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 20_000 } });
    const tabs = [
      ...USERS.map((user) => stage.join(user)),
      stage.join("g_guest", { guest: true, from: "there", expiresAt: stage.now + 10 ** 9 }),
    ];
    for (let n = 0; n < 300; n++) {
      anything(stage, tabs);
      stage.pass(stage.world.random.below(30));
    }
    stage.room.summary(stage.now);
    stage.settle();
    let plain = 0;
    for (const key of stage.world.keys("j/")) {
      const stored = stage.world.value(key) as StoredFrame;
      if (typeof stored !== "string") continue;
      void stage.world.ports.storage.put(key, form(stage, keyNumber(key), stored));
      plain++;
    }
    stage.settle();
    expect(plain).toBeGreaterThan(50);
    expect(await restored(stage)).toBe(living(stage));
    // They are let go, wait, and are written over.
    await stage.crash();
    for (const tab of tabs) stage.rejoin(tab);
    const before = stage.room.counts.commits;
    while (stage.room.counts.commits < before + 3 * SNAPSHOT_EVERY_FRAMES) {
      anything(stage, tabs);
      stage.pass(stage.world.random.below(200));
      if (stage.world.random.below(100) > 0) continue;
      stage.room.summary(stage.now);
      stage.settle();
      expect(await restored(stage)).toBe(living(stage));
    }
  });

  it("reads once more what is too much to be held at once", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (let n = 0; n < 250; n++) {
      stage.pass(10);
      stage.do(ann, "lab", "deal", { to: ["ann"] });
    }
    stage.settle();
    const { storage } = stage.world.ports;
    for (const key of stage.world.keys("j/")) {
      const stored = stage.world.value(key) as FrameRecord;
      for (const event of stored.p ?? []) {
        event[2] = JSON.stringify({ ...JSON.parse(event[2]), more: "x".repeat(100_000) });
      }
      void storage.put(key, stored);
    }
    stage.settle();
    expect(stage.world.storedBytes).toBeGreaterThan(20 * 1024 * 1024);
    const copy = stage.world.copy();
    const reads: string[] = [];
    const { ports } = copy;
    const get = (key: string) => {
      reads.push(key);
      return ports.storage.get(key);
    };
    const world = { ...ports, storage: { ...ports.storage, get } };
    const { memory } = await restore(world, stage.kind, NAME, stage.settings, stage.now);
    expect(memory.slices.private("lab")).toEqual(stage.room["parts"].memory.slices.private("lab"));
    expect(reads.filter((key) => key.startsWith("j/")).length).toBeGreaterThan(20);
  });

  it("takes nothing that a life before left behind for its own, where the deletion was cut short", async () => {
    const before = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const bob = before.join("bob");
    for (let n = 0; n < 2 * SNAPSHOT_EVERY_FRAMES; n++) {
      before.pass(10);
      before.say(bob, "old");
    }
    before.settle();
    const { storage } = before.world.ports;
    void storage.delete(["room"]);
    before.settle();
    expect(before.world.keys().length).toBeGreaterThan(SNAPSHOT_EVERY_FRAMES);
    await before.crash();
    const ann = before.join("ann");
    before.pass(100);
    before.say(ann, "new");
    before.pass(100);
    expect(recordsOf(before)[0]?.n).toBe(1);
    expect(before.world.keys("s/")).toEqual([]);
    expect(await restored(before)).toBe(living(before));
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
  ])("opens no room on a record that is none: %j", async (record, says) => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.pass(100);
    stage.say(ann, "hello");
    stage.settle();
    const [, second] = stage.world.keys("j/") as [string, string];
    void stage.world.ports.storage.put(second, record);
    stage.settle();
    await expect(restored(stage)).rejects.toThrow(says);
  });

  it.each([
    ["oldest", () => 0],
    ["one in the middle", (count: number) => count >> 1],
    ["last before the snapshot", (count: number) => count - 1],
  ])("goes on over a gap, and says so: without the %s", async (_, at) => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const ann = stage.join("ann");
    for (let n = 1; n < SNAPSHOT_EVERY_FRAMES; n++) {
      stage.pass(10);
      stage.say(ann, "x");
    }
    const { snapshot } = stage.world.value("room") as { snapshot: { n: number } };
    const kept = recordsOf(stage);
    expect(kept.at(-1)?.n).toBe(snapshot.n);
    const { n } = kept[at(kept.length)] as FrameRecord;
    const key = stage.world
      .keys("j/")
      .find((name) => readFrame(keyNumber(name), stage.world.value(name) as StoredFrame).record.n === n);
    void stage.world.ports.storage.delete([key as string]);
    stage.settle();
    await stage.crash();
    stage.rejoin(ann);
    for (let more = 0; more < 3 * SNAPSHOT_EVERY_FRAMES; more++) {
      stage.pass(10);
      stage.say(ann, "y");
      if (more % 100 > 0) continue;
      stage.settle();
      const records = recordsOf(stage).map((record) => record.n);
      const { first } = stage.world.value("room") as { first: number };
      const all = Array.from({ length: (records.at(-1) as number) - first + 1 }, (_, from) => first + from);
      expect(records).toEqual(all.filter((each) => each !== n));
    }
    expect(stage.world.reports.map(({ error }) => String(error))).toEqual([
      `Error: Record ${n} is missing from storage.`,
    ]);
    expect(ann.read().faults).toEqual([]);
  });

  it("takes nothing from after a gap that a full disk left: it follows from what is not there", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const say = (text: string) => {
      stage.pass(100);
      stage.say(ann, text);
      stage.settle();
    };
    for (const text of ["one", "two"]) say(text);
    const told = await restored(stage);
    const before = stage.world.keys("j/");
    for (const text of ["refused", "smaller", "and another"]) say(text);
    const [refused] = stage.world.keys("j/").filter((key) => !before.includes(key));
    void stage.world.ports.storage.delete([refused as string]);
    stage.settle();
    expect(await restored(stage)).toBe(told);
    // Its numbers are given anew, and nothing of it is met again.
    await stage.crash();
    const bob = stage.join("bob");
    stage.pass(100);
    stage.say(bob, "three");
    stage.settle();
    expect(await restored(stage)).toBe(living(stage));
    expect(bob.read().slices.chat).toMatchObject({
      messages: [{ text: "one" }, { text: "two" }, { text: "three" }],
    });
    expect(stage.world.reports.map(({ problem }) => problem)).toEqual(["The journal has a gap"]);
  });

  it("touches nothing of a room with a larger gap, and opens none", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (let n = 0; n < 200; n++) {
      stage.pass(10);
      stage.say(ann, "x");
    }
    stage.settle();
    const [, , third] = stage.world.keys("j/");
    void stage.world.ports.storage.delete([third as string]);
    stage.settle();
    const held = stage.world.keys("j/");
    await expect(restored(stage)).rejects.toThrow("records lie after a gap");
    expect(stage.world.keys("j/")).toEqual(held);
  });

  it("reads what any number of crashes left: the fold goes on as if there had been none", async () => {
    const stage = await RoomStage.open();
    const tabs = USERS.map((user) => stage.join(user));
    for (let round = 0; round < 15; round++) {
      for (let n = 0; n < 60; n++) {
        anything(stage, tabs);
        stage.pass(stage.world.random.below(20));
      }
      await stage.crash();
      for (const tab of tabs) stage.rejoin(tab);
      stage.pass(100);
      for (const tab of tabs) stage.verify(tab);
      stage.check();
    }
    expect(tabs.every((tab) => tab.read().sums.length === 15)).toBe(true);
    const [first, ...others] = tabs.map((tab) => canonical(tab.slices));
    for (const other of others) expect(other).toBe(first);
  });

  it("[W1] by two first connections at once sees one room", async () => {
    const stage = await RoomStage.open();
    stage.join("ann");
    stage.join("bob");
    stage.pass(100);
    await stage.crash();
    const ann = stage.join("ann", { tab: "a" });
    const bob = stage.join("bob", { tab: "b" });
    stage.pass(100);
    expect(ann.read().welcomes[0]?.epoch).toBe(bob.read().welcomes[0]?.epoch);
    expect(ann.seq).toBe(bob.seq);
    stage.check();
  });

  it("takes a clock that went back for the time of the newest frame", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.pass(60_000);
    stage.say(ann, "late");
    await stage.crash();
    stage.world.now -= 50_000;
    stage.rejoin(ann);
    stage.say(ann, "early");
    stage.pass(100);
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "early" } });
    stage.check();
  });
});
