import { serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import { canonical } from "../../src/protocol/checksum";
import { SNAPSHOT_EVERY_CHARS, SNAPSHOT_EVERY_FRAMES } from "../../src/protocol/limits";
import { keyNumber } from "../../src/room/journal";
import type { Memory } from "../../src/room/memory";
import { type FrameRecord, readFrame, type StoredFrame, storeOperation } from "../../src/room/record";
import { SPARE_CHARS, SPARE_KEYS } from "../../src/room/record-keys";
import { restore } from "../../src/room/restore";
import type { LabState } from "../support/room-features";
import { labKind, NAME, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

const USERS = ["ann", "bob", "__proto__", "1", "zoë 💥"];

/** Anything that changes what is stored. */
function anything(stage: RoomStage, tabs: RoomTab[]): void {
  const { random } = stage.world;
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

/** All that outlives the process, as one text. Stamps that have aged out are nobody's business. */
async function restored(stage: RoomStage): Promise<string> {
  const { memory, log } = await restore(
    stage.world.copy().ports,
    stage.kind,
    NAME,
    stage.settings,
    stage.now,
  );
  const hidden = memory.slices.private("lab");
  return told(
    memory.snapshot(),
    { log: log.oldestRecord, operations: operationsOf(memory, stage.now), hidden },
    stage.now,
  );
}
function living(stage: RoomStage): string {
  const { memory, log } = stage.room["parts"];
  log.trim(stage.now);
  const hidden = memory.slices.private("lab");
  return told(
    memory.snapshot(),
    { log: log.oldestRecord, operations: operationsOf(memory, stage.now), hidden },
    stage.now,
  );
}
/** Where a snapshot has carried them to, they are of no record any more. */
function operationsOf({ operations }: Memory, now: number): unknown[] {
  return [...operations.ofRecords(0, Number.POSITIVE_INFINITY, now)].map(
    ({ record, seq, answer, ...operation }) => [seq ?? null, answer ?? null, operation],
  );
}
/** The records that are kept, oldest first, and what waits to be written over. */
function recordsOf({ world }: RoomStage): FrameRecord[] {
  const { first } = world.value("room") as { first: number };
  return world
    .keys("j/")
    .map((key) => readFrame(keyNumber(key), world.value(key) as StoredFrame).record)
    .filter(({ n }) => n >= first)
    .sort((a, b) => a.n - b.n);
}
/** A plain frame as it was stored before there was a form for it, put together from what the living room remembers. */
function asBefore(stage: RoomStage, n: number, stored: string): FrameRecord {
  const text = stored.split("\n")[0] as string;
  const { seq, at } = JSON.parse(text) as { seq: number; at: number };
  const { operations } = stage.room["parts"].memory;
  const o = [...operations.ofRecords(n, n + 1, stage.now)].map(storeOperation);
  return { n, seq, at, text, ...(o.length > 0 ? { o } : {}) };
}
function told(
  snapshot: ReturnType<Awaited<ReturnType<typeof restore>>["memory"]["snapshot"]>,
  more: object,
  now: number,
): string {
  const fresh = snapshot.windows.map(
    ([rule, user, stamps]) => [rule, user, stamps.filter((at) => at > now - 1_000)] as const,
  );
  const windows = fresh.filter(([, , stamps]) => stamps.length > 0).sort();
  return canonical({ ...snapshot, windows, ...more });
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

describe("the journal", () => {
  it("writes a snapshot every 512 frames or 1 MiB, in one commit with its pointer, and drops the old one", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (let n = 1; n < SNAPSHOT_EVERY_FRAMES; n++) {
      expect(stage.world.value("room"), `${n}`).not.toHaveProperty("snapshot");
      stage.pass(100);
      stage.say(ann, "x");
    }
    expect(stage.world.value("room")).toMatchObject({ snapshot: { n: SNAPSHOT_EVERY_FRAMES, chunks: 1 } });
    const first = stage.world.keys("s/");
    for (let chars = 0; chars < SNAPSHOT_EVERY_CHARS; chars += 50_000) {
      stage.pass(100);
      stage.do(ann, "lab", "many", { count: 50, chars: 1_000 });
    }
    expect(stage.world.value("room")).toMatchObject({ snapshot: { chunks: 1 } });
    expect(stage.world.keys("s/")).toHaveLength(1);
    expect(stage.world.keys("s/")).not.toEqual(first);
    stage.check();
  });

  it.each(["lost with its process", "stored, and read again"])(
    "snapshots nothing of a frame that the one before has opened, be it %s",
    async (fate) => {
      const stage = await RoomStage.open();
      const ann = stage.join("ann");
      for (let n = 2; n < SNAPSHOT_EVERY_FRAMES; n++) {
        stage.pass(100);
        stage.say(ann, "x");
      }
      // The last record before a snapshot gathers, and so does a welcome; what bob says before it begins the next frame.
      stage.say(ann, "y");
      const bob = stage.join("bob");
      stage.do(bob, "lab", "add", { n: 1 });
      stage.tick();
      expect(stage.world.value("room")).toMatchObject({ snapshot: { n: SNAPSHOT_EVERY_FRAMES } });
      expect(stage.world.timerAt, "the next frame gathers").toBeDefined();
      if (fate === "lost with its process") await stage.crash();
      else {
        stage.pass(100);
        await stage.sleep();
      }
      stage.rejoin(ann, { epoch: "another" });
      stage.pass(100);
      const { seq, slices } = ann.read();
      expect((slices.lab as LabState).total).toBe(fate === "lost with its process" ? 0 : 1);
      expect(recordsOf(stage).at(-1)).toMatchObject({ seq });
      stage.check();
    },
  );

  it("drops records that neither a snapshot nor recovery wants, and only then", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 10_000 } });
    const ann = stage.join("ann");
    for (let n = 1; n <= 1_200; n++) {
      stage.pass(100);
      stage.say(ann, `${n}`);
      if (n % 100 > 0) continue;
      const records = recordsOf(stage);
      const { snapshot, first } = stage.world.value("room") as { snapshot?: { n: number }; first: number };
      expect(records.map((record) => record.n)).toEqual(
        Array.from({ length: records.length }, (_, at) => first + at),
      );
      expect(records.at(-1)?.n).toBe(n + 1);
      expect(first).toBeLessThanOrEqual((snapshot?.n ?? 0) + 1);
      const wanted = records.filter(({ at }) => at > stage.now - 10_000);
      expect(wanted.length).toBeGreaterThanOrEqual(Math.min(n, 100));
      expect(records.length).toBeLessThanOrEqual(SNAPSHOT_EVERY_FRAMES + 101);
    }
  });

  it("writes over what nobody wants: a frame is one row written, also after a restart", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 10_000 } });
    const ann = stage.join("ann");
    const talk = (frames: number) => {
      for (let n = 0; n < frames; n++) {
        stage.pass(100);
        stage.say(ann, `${n}`);
      }
    };
    // Two snapshots: what the first could not let go, the second can.
    talk(2 * SNAPSHOT_EVERY_FRAMES + 50);
    const rows = { written: 0, deleted: 0 };
    stage.world.watcher = {
      put: (key) => {
        if (key.startsWith("j/")) rows.written++;
      },
      delete: (key) => {
        if (key.startsWith("j/")) rows.deleted++;
      },
      clear: () => {},
    };
    const before = stage.world.keys("j/");
    talk(SNAPSHOT_EVERY_FRAMES);
    expect(rows).toEqual({ written: SNAPSHOT_EVERY_FRAMES, deleted: 0 });
    expect(await restored(stage)).toBe(living(stage));
    await stage.crash();
    stage.rejoin(ann);
    talk(2 * SNAPSHOT_EVERY_FRAMES);
    expect(rows.deleted).toBe(0);
    expect(stage.world.keys("j/").slice(0, before.length)).toEqual(before);
    // Of a newcomer's and a snapshot's lateness a few are new.
    expect(stage.world.keys("j/").length).toBeLessThan(before.length + 20);
    expect(await restored(stage)).toBe(living(stage));
    stage.check();
  });

  it("keeps none of the large records that nobody wants, whatever is in them", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const ann = stage.join("ann");
    let snapshots = 0;
    let newest: unknown;
    for (let n = 0; snapshots < 3; n++) {
      stage.pass(100);
      if (n % 3 === 0) stage.say(ann, "small");
      else if (n % 3 === 1) stage.do(ann, "lab", "many", { count: 5, chars: 600 });
      else {
        for (let timer = 0; timer < 40; timer++)
          stage.do(ann, "lab", "timer", { name: `${n}-${timer}`, afterMs: 5_000 });
      }
      const { first, snapshot } = stage.world.value("room") as { first: number; snapshot?: { n: number } };
      if (snapshot?.n === newest) continue;
      newest = snapshot?.n;
      snapshots++;
      const waiting = stage.world
        .keys("j/")
        .map((key) => [keyNumber(key), stage.world.value(key) as StoredFrame] as const)
        .filter(([key, stored]) => readFrame(key, stored).record.n < first);
      expect(waiting.length).toBeGreaterThan(50);
      for (const [, stored] of waiting) expect(serialize(stored).byteLength).toBeLessThan(2 * SPARE_CHARS);
    }
  });

  it("lets what is only hidden go as well, in a room whose log stands still", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const ann = stage.join("ann");
    for (let n = 0; n < 2 * SNAPSHOT_EVERY_FRAMES; n++) {
      stage.pass(10);
      stage.do(ann, "lab", "deal", { to: ["ann"] });
    }
    expect(stage.world.value("room")).toMatchObject({ first: expect.toSatisfy((n: number) => n > 2) });
    expect(stage.world.keys("j/").length).toBeLessThan(1.5 * SNAPSHOT_EVERY_FRAMES);
  });

  it("stays within bounds for as long as a room lives", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 5_000 } });
    const tabs = USERS.map((user) => stage.join(user));
    const most: { keys: number; bytes: number }[] = [];
    // Three rounds, each longer than an operation's id is kept.
    for (let round = 0; round < 3; round++) {
      let [keys, bytes] = [0, 0];
      for (let n = 0; n < 1_100; n++) {
        const tab = tabs[n % tabs.length] as RoomTab;
        stage.say(tab, "x".repeat(1 + (n % 300)));
        stage.do(tab, "lab", "deal", { to: [tab.user] });
        stage.pass(120);
        if (n % 20 > 0) continue;
        keys = Math.max(keys, stage.world.keys().length);
        bytes = Math.max(bytes, stage.world.storedBytes);
      }
      most.push({ keys, bytes });
    }
    const [, early, late] = most as [
      { keys: 0; bytes: 0 },
      { keys: number; bytes: number },
      { keys: number; bytes: number },
    ];
    expect(late.keys).toBeLessThanOrEqual(early.keys * 1.1);
    expect(late.bytes).toBeLessThanOrEqual(early.bytes * 1.1);
    expect(late.keys).toBeLessThan(SNAPSHOT_EVERY_FRAMES + SPARE_KEYS + 5_000 / 60 + 50);
    stage.check();
  });

  it("of a snapshot that has become smaller leaves no part of the larger one behind", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.pass(100);
    for (let n = 0; n < 20; n++) {
      stage.do(ann, "lab", "deal", { to: Array.from({ length: 200 }, (_, user) => `somebody-${n}-${user}`) });
      stage.pass(100);
    }
    for (let n = 21; n < SNAPSHOT_EVERY_FRAMES; n++) {
      stage.do(ann, "lab", "nothing");
      stage.pass(100);
    }
    expect(stage.world.keys("s/").length).toBeGreaterThan(2);
    const emptied = (old: unknown): LabState => ({ ...(old as LabState), dealt: [] });
    stage.kind = labKind({ version: "2", migrate: emptied });
    await stage.sleep();
    const { snapshot } = stage.world.value("room") as { snapshot: { n: number; chunks: number } };
    // The one more says that other code has come.
    expect(snapshot.n).toBe(SNAPSHOT_EVERY_FRAMES + 1);
    expect(stage.world.keys("s/")).toHaveLength(snapshot.chunks);
  });
});

describe("another release of a feature", () => {
  async function aged(): Promise<{ stage: RoomStage; ann: RoomTab }> {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.pass(100);
    for (let n = 0; n < SNAPSHOT_EVERY_FRAMES + 20; n++) {
      stage.do(ann, "lab", "add", { n: 1 });
      stage.pass(10);
    }
    ann.read();
    return { stage, ann };
  }
  const migrate = (old: unknown, from: string): LabState => ({
    ...(old as LabState),
    total: 10_000,
    rang: [`from ${from}`],
  });

  it("is given what the older one stored, once, and folds what came after", async () => {
    const { stage, ann } = await aged();
    const inSnapshot = JSON.parse(
      stage.world
        .keys("s/")
        .map((key) => stage.world.value(key))
        .join(""),
    ).slices.lab.s.total;
    const total = (ann.slices.lab as LabState).total;
    stage.kind = labKind({ version: "2", migrate });
    await stage.crash();
    for (let n = 0; n < 3; n++) {
      const bob = stage.join("bob", { tab: `b${n}` });
      stage.pass(100);
      expect(bob.read().slices.lab).toMatchObject({ total: 10_000 + total - inSnapshot, rang: ["from 1"] });
      expect(bob.welcomes[0]?.features.lab).toBe("2");
      stage.verify(bob);
      expect(bob.faults).toEqual([]);
      await stage.crash();
    }
  });

  it("[W4] gives everybody the state anew, once: who folded with older code does not resume", async () => {
    const { stage, ann } = await aged();
    const before = ann.seq;
    stage.kind = labKind({ version: "2", migrate });
    await stage.crash();
    const again = stage.join("ann", { tab: "same", epoch: ann.epoch ?? "", since: before });
    stage.pass(100);
    expect(again.read().welcomes[0]).toMatchObject({ resumed: false });
    stage.say(again, "on");
    stage.pass(100);
    const { seq, epoch } = again.read();
    const middle = stage.join("bob", { epoch: epoch ?? "", since: before - 3 });
    stage.pass(100);
    expect(middle.read().welcomes[0]).toMatchObject({ resumed: false });
    await stage.crash();
    const later = stage.join("ann", { tab: "later", epoch: epoch ?? "", since: seq });
    stage.pass(100);
    expect(later.read().welcomes[0]).toMatchObject({ resumed: true });
    expect(stage.world.reports).toEqual([]);
  });

  it("[W4] leaves no gap to a socket that outlived the older one: it goes on, or is asked to come back", async () => {
    const { stage, ann } = await aged();
    stage.kind = labKind({ version: "2", migrate });
    await stage.sleep();
    if (ann.peer.state !== "open") stage.rejoin(ann);
    stage.say(ann, "on");
    stage.pass(100);
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "on" } });
    expect(ann.faults).toEqual([]);
  });

  it("[W4] resumes who is up to date since, however quiet it was", async () => {
    const { stage, ann } = await aged();
    stage.kind = labKind({ version: "2", migrate });
    await stage.sleep();
    const first = stage.join("ann", { tab: "same", epoch: ann.epoch ?? "", since: ann.seq });
    stage.pass(100);
    expect(first.read().welcomes[0]).toMatchObject({ resumed: false });
    stage.leave(first);
    const second = stage.join("ann", { tab: "same", epoch: ann.epoch ?? "", since: first.seq });
    stage.pass(100);
    expect(second.read().welcomes[0]).toMatchObject({ resumed: true });
  });

  it("[W4] without a migration takes the state as it is, and the same release resumes as ever", async () => {
    const { stage, ann } = await aged();
    await stage.crash();
    stage.rejoin(ann);
    stage.pass(100);
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: true });
    stage.kind = labKind({ version: "2" });
    await stage.crash();
    const bob = stage.join("bob");
    stage.pass(100);
    expect(bob.read().slices.lab).toEqual(ann.slices.lab);
    stage.check();
  });
});
