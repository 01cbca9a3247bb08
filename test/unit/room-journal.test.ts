import { serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import { SNAPSHOT_EVERY_CHARS, SNAPSHOT_EVERY_FRAMES } from "../../src/protocol/limits";
import { keyNumber } from "../../src/room/storage/journal";
import { MAX_FREE_KEYS, MAX_FREE_RECORD_CHARS } from "../../src/room/storage/key-pool";
import { readFrame, type StoredFrame } from "../../src/room/storage/record";
import { restore } from "../../src/room/storage/restore";
import type { LabState } from "../support/room-features";
import { labKind, ROOM_NAME, RoomStage } from "../support/room-stage";
import { readLiveState, readRecords, readRestoredState, USERS } from "../support/room-state-snapshots";
import type { RoomTab } from "../support/room-tab";

describe("the journal", () => {
  it("the journal writes a snapshot every 512 frames or 1 MiB, in one commit with its pointer, and drops the old one", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    for (let n = 1; n < SNAPSHOT_EVERY_FRAMES; n++) {
      expect(stage.runtime.value("room"), `${n}`).not.toHaveProperty("snapshot");
      stage.advance(100);
      stage.say(ann, "x");
    }
    expect(stage.runtime.value("room")).toMatchObject({ snapshot: { n: SNAPSHOT_EVERY_FRAMES, chunks: 1 } });
    const first = stage.runtime.keys("s/");
    for (let chars = 0; chars < SNAPSHOT_EVERY_CHARS; chars += 50_000) {
      stage.advance(100);
      stage.do(ann, "lab", "many", { count: 50, chars: 1_000 });
    }
    expect(stage.runtime.value("room")).toMatchObject({ snapshot: { chunks: 1 } });
    expect(stage.runtime.keys("s/")).toHaveLength(1);
    expect(stage.runtime.keys("s/")).not.toEqual(first);
    stage.expectNoViolations();
  });

  it.each(["lost with its process", "stored, and read again"])(
    "the snapshot contains nothing of a frame that the previous one has opened, if that is %s",
    async (fate) => {
      const stage = await RoomStage.open();
      const ann = stage.join("ann");
      for (let n = 2; n < SNAPSHOT_EVERY_FRAMES; n++) {
        stage.advance(100);
        stage.say(ann, "x");
      }
      // The last record before a snapshot gathers, and so does a welcome; bob's action before it begins the next frame.
      stage.say(ann, "y");
      const bob = stage.join("bob");
      stage.do(bob, "lab", "add", { n: 1 });
      stage.fireTimer();
      expect(stage.runtime.value("room")).toMatchObject({ snapshot: { n: SNAPSHOT_EVERY_FRAMES } });
      expect(stage.runtime.timerAt, "the next frame gathers").toBeDefined();
      if (fate === "lost with its process") await stage.crash();
      else {
        stage.advance(100);
        await stage.sleep();
      }
      stage.rejoin(ann, { epoch: "another" });
      stage.advance(100);
      const { seq, slices } = ann.read();
      expect((slices.lab as LabState).total).toBe(fate === "lost with its process" ? 0 : 1);
      expect(readRecords(stage).at(-1)).toMatchObject({ seq });
      stage.expectNoViolations();
    },
  );

  it("the journal drops records that neither a snapshot nor recovery needs, and only then", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 10_000 } });
    const ann = stage.join("ann");
    for (let n = 1; n <= 1_200; n++) {
      stage.advance(100);
      stage.say(ann, `${n}`);
      if (n % 100 > 0) continue;
      const records = readRecords(stage);
      const { snapshot, first } = stage.runtime.value("room") as { snapshot?: { n: number }; first: number };
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

  it("the journal overwrites obsolete records: a frame is one written row, even after a restart", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 10_000 } });
    const ann = stage.join("ann");
    const talk = (frames: number) => {
      for (let n = 0; n < frames; n++) {
        stage.advance(100);
        stage.say(ann, `${n}`);
      }
    };
    // The next records overwrite what a snapshot frees.
    talk(4 * SNAPSHOT_EVERY_FRAMES + 50);
    const rows = { written: 0, deleted: 0 };
    stage.runtime.watcher = {
      put: (key) => {
        if (key.startsWith("j/")) rows.written++;
      },
      delete: (key) => {
        if (key.startsWith("j/")) rows.deleted++;
      },
      clear: () => {},
    };
    const before = stage.runtime.keys("j/");
    talk(SNAPSHOT_EVERY_FRAMES);
    expect(rows).toEqual({ written: SNAPSHOT_EVERY_FRAMES, deleted: 0 });
    expect(await readRestoredState(stage)).toBe(readLiveState(stage));
    await stage.crash();
    stage.rejoin(ann);
    talk(2 * SNAPSHOT_EVERY_FRAMES);
    expect(rows.deleted).toBe(0);
    expect(stage.runtime.keys("j/").slice(0, before.length)).toEqual(before);
    // The late join and the late snapshot add a few new keys.
    expect(stage.runtime.keys("j/").length).toBeLessThan(before.length + 20);
    expect(await readRestoredState(stage)).toBe(readLiveState(stage));
    stage.expectNoViolations();
  });

  it("the journal overwrites no needed record if the commit of a snapshot fails and a later one succeeds", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 500 } });
    const ann = stage.join("ann");
    const snapshotAt = () => (stage.runtime.value("room") as { snapshot?: { n: number } }).snapshot?.n;
    const say = () => {
      stage.advance(100);
      stage.say(ann, `${stage.room["context"].state.seq}`);
      stage.makeDurable();
    };
    const kept = () => new Map(stage.runtime.keys("j/").map((key) => [key, stage.runtime.value(key)]));
    for (let snapshots = 0; snapshots < 4; ) {
      const newest = snapshotAt();
      if (stage.room["context"].state.n + 3 < (newest ?? 0) + SNAPSHOT_EVERY_FRAMES) {
        say();
        continue;
      }
      const restored = await readRestoredState(stage);
      const before = stage.runtime.copy();
      say();
      if (snapshotAt() === newest) continue;
      snapshots++;
      // That commit is lost; the later ones are not.
      const lost = kept();
      for (let more = 0; more < 20; more++) say();
      for (const [key, value] of kept()) {
        if (JSON.stringify(lost.get(key)) !== JSON.stringify(value))
          void before.ports.storage.put(key, value);
      }
      before.makeDurable();
      const { state: memory, log } = await restore(
        before.ports,
        stage.kind,
        ROOM_NAME,
        stage.settings,
        stage.now,
      );
      expect(memory.seq).toBe((JSON.parse(restored) as { seq: number }).seq);
      expect(log.oldestRecord === undefined || log.oldestRecord <= memory.n).toBe(true);
    }
  });

  it("the journal keeps no large obsolete records, with any content", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const ann = stage.join("ann");
    let snapshots = 0;
    let newest: unknown;
    for (let n = 0; snapshots < 3; n++) {
      stage.advance(100);
      if (n % 3 === 0) stage.say(ann, "small");
      else if (n % 3 === 1) stage.do(ann, "lab", "many", { count: 5, chars: 600 });
      else {
        for (let timer = 0; timer < 40; timer++)
          stage.do(ann, "lab", "timer", { name: `${n}-${timer}`, afterMs: 5_000 });
      }
      const { first, snapshot } = stage.runtime.value("room") as { first: number; snapshot?: { n: number } };
      if (snapshot?.n === newest) continue;
      newest = snapshot?.n;
      snapshots++;
      const waiting = stage.runtime
        .keys("j/")
        .map((key) => [keyNumber(key), stage.runtime.value(key) as StoredFrame] as const)
        .filter(([key, stored]) => readFrame(key, stored).record.n < first);
      expect(waiting.length).toBeGreaterThan(50);
      for (const [, stored] of waiting)
        expect(serialize(stored).byteLength).toBeLessThan(2 * MAX_FREE_RECORD_CHARS);
    }
  });

  it("the journal drops records of private events too, in a room whose log does not grow", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 1_000 } });
    const ann = stage.join("ann");
    for (let n = 0; n < 6 * SNAPSHOT_EVERY_FRAMES; n++) {
      stage.advance(10);
      stage.do(ann, "lab", "deal", { to: ["ann"] });
    }
    expect(stage.runtime.value("room")).toMatchObject({ first: expect.toSatisfy((n: number) => n > 2) });
    expect(stage.runtime.keys("j/").length).toBeLessThan(MAX_FREE_KEYS + 1.5 * SNAPSHOT_EVERY_FRAMES);
  });

  it("the journal stays within bounds as long as a room lives", async () => {
    const stage = await RoomStage.open({ settings: { recoveryMs: 5_000 } });
    const tabs = USERS.map((user) => stage.join(user));
    const most: { keys: number; bytes: number }[] = [];
    // Three rounds, each longer than an operation's id is remembered.
    for (let round = 0; round < 3; round++) {
      let [keys, bytes] = [0, 0];
      for (let n = 0; n < 1_100; n++) {
        const tab = tabs[n % tabs.length] as RoomTab;
        stage.say(tab, "x".repeat(1 + (n % 300)));
        stage.do(tab, "lab", "deal", { to: [tab.user] });
        stage.advance(120);
        if (n % 20 > 0) continue;
        keys = Math.max(keys, stage.runtime.keys().length);
        bytes = Math.max(bytes, stage.runtime.storedBytes);
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
    expect(late.keys).toBeLessThan(SNAPSHOT_EVERY_FRAMES + MAX_FREE_KEYS + 5_000 / 60 + 50);
    stage.expectNoViolations();
  });

  it("a snapshot that has become smaller leaves no part of the larger one behind", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    for (let n = 0; n < 20; n++) {
      stage.do(ann, "lab", "deal", { to: Array.from({ length: 200 }, (_, user) => `somebody-${n}-${user}`) });
      stage.advance(100);
    }
    for (let n = 21; n < SNAPSHOT_EVERY_FRAMES; n++) {
      stage.do(ann, "lab", "nothing");
      stage.advance(100);
    }
    expect(stage.runtime.keys("s/").length).toBeGreaterThan(2);
    const emptied = (old: unknown): LabState => ({ ...(old as LabState), dealt: [] });
    stage.kind = labKind({ version: "2", migrate: emptied });
    await stage.sleep();
    const { snapshot } = stage.runtime.value("room") as { snapshot: { n: number; chunks: number } };
    // The one more frame records the new release.
    expect(snapshot.n).toBe(SNAPSHOT_EVERY_FRAMES + 1);
    expect(stage.runtime.keys("s/")).toHaveLength(snapshot.chunks);
  });
});
