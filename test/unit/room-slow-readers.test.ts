import { describe, expect, it } from "vitest";
import {
  LAGGING_BYTES,
  MAX_UNPROVEN_BYTES,
  PAUSE_BYTES,
  PAUSED_MS,
  SEEN_EVERY_BYTES,
} from "../../src/protocol/limits";
import type { LabState } from "../support/room-features";
import { RoomStage, settings } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

/** A talker, a reader, and a reader that never sends `seen`. */
async function openRoomWithReaders(): Promise<{
  stage: RoomStage;
  talker: RoomTab;
  reader: RoomTab;
  deaf: RoomTab;
}> {
  const stage = await RoomStage.open();
  const talker = stage.join("talker");
  const reader = stage.join("reader");
  const deaf = stage.join("deaf");
  stage.advance(1_000);
  stage.deaf.add(deaf);
  return { stage, talker, reader, deaf };
}
/** One frame of about so many bytes. */
function fillOnce(stage: RoomStage, talker: RoomTab, bytes: number): void {
  stage.do(talker, "lab", "many", { count: Math.ceil(bytes / 1_060), chars: 1_000 });
  stage.advance(10);
}
function fill(stage: RoomStage, talker: RoomTab, bytes: number): void {
  for (let sent = 0; sent < bytes; sent += 20_000) fillOnce(stage, talker, 20_000);
}

describe("a reader who falls behind", () => {
  it("[F6] a slow reader loses signals first, and no event", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, LAGGING_BYTES - 60_000);
    stage.signal(talker, "lab", "point", { x: 1 });
    stage.advance(10);
    fill(stage, talker, 80_000);
    stage.signal(talker, "lab", "point", { x: 2 });
    stage.advance(10);
    stage.say(talker, "with a signal");
    stage.say(talker, "in one frame");
    stage.signal(talker, "lab", "point", { x: 3 });
    stage.advance(10);
    const points = (tab: RoomTab) => tab.read().signals.map(({ d }) => (d as { x: number }).x);
    expect(points(reader)).toEqual([1, 2, 3]);
    expect(points(deaf)).toEqual([1]);
    expect(deaf.seq).toBe(reader.seq);
    stage.sendSeen(deaf);
    stage.signal(talker, "lab", "point", { x: 4 });
    stage.advance(10);
    expect(points(deaf)).toEqual([1, 4]);
    stage.expectNoViolations();
  });

  it("[F6] a slow reader is paused, and gets no more than it may leave unread, however busy the room is", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    const before = deaf.peer.bytes;
    fill(stage, talker, 3 * PAUSE_BYTES);
    expect(deaf.peer.bytes - before).toBeGreaterThan(PAUSE_BYTES - 60_000);
    expect(deaf.peer.bytes - before).toBeLessThanOrEqual(PAUSE_BYTES + 60_000);
    const { length } = deaf.peer.texts;
    fill(stage, talker, PAUSE_BYTES);
    expect(deaf.peer.texts).toHaveLength(length);
    expect(deaf.read().byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[F1] a reader that catches up does not see its own events of a frame that still gathers", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, 2 * PAUSE_BYTES);
    const shown = () => (deaf.read().mine.lab as number[]).length;
    const folded = () =>
      (deaf.read().slices.lab as LabState).dealt.find(([user]) => user === "deaf")?.[1] ?? 0;
    for (let n = 0; n < 3; n++) {
      stage.do(talker, "lab", "urgent");
      stage.do(talker, "lab", "deal", { to: ["deaf"] });
      stage.sendSeen(deaf);
      expect(shown()).toBeLessThanOrEqual(folded());
      stage.advance(10);
    }
    expect(deaf.read().seq).toBe(reader.read().seq);
    expect([shown(), folded()]).toEqual([3, 3]);
  });

  it("[F1] a reader that catches up gets no checksum of a frame that still gathers", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    fill(stage, talker, 2 * PAUSE_BYTES);
    stage.verify(deaf);
    stage.advance(100);
    expect(deaf.read().checksums).toEqual([]);
    for (let n = 0; n < 3; n++) {
      stage.do(talker, "lab", "urgent");
      stage.do(talker, "lab", "add", { n: 1 });
      stage.sendSeen(deaf);
      stage.advance(10);
    }
    expect(deaf.read().checksums).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("[F6] a repeated `seen` does not count later answers as read", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    const { seq } = deaf.read();
    const bytes = { deaf: deaf.peer.bytes, reader: reader.peer.bytes };
    stage.say(talker, "which the deaf one never tells to have read");
    stage.advance(1_000);
    for (let n = 0; n < 150; n++) {
      for (const tab of [deaf, reader]) stage.do(tab, "lab", "echo", { text: "x".repeat(10_000) });
      stage.send(deaf, { t: "seen", seq });
      stage.advance(10);
    }
    expect(deaf.read().byes).toEqual([expect.objectContaining({ code: 4408 })]);
    expect(deaf.peer.bytes - bytes.deaf).toBeLessThanOrEqual(2 * PAUSE_BYTES + 20_000);
    expect(reader.read().byes).toEqual([]);
    expect(reader.peer.bytes - bytes.reader).toBeGreaterThan(1_500_000);
    stage.expectNoViolations();
  });

  it("[F6] a `seen` below an earlier one counts nothing as read, and no answers either", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    stage.say(talker, "which it has read");
    stage.advance(1_000);
    stage.sendSeen(deaf);
    const { seq } = deaf.read();
    const { bytes } = deaf.peer;
    for (let n = 0; n < 150; n++) {
      stage.do(deaf, "lab", "echo", { text: "x".repeat(10_000) });
      stage.send(deaf, { t: "seen", seq: seq - 1 });
      stage.advance(10);
    }
    expect(deaf.read().byes).toEqual([expect.objectContaining({ code: 4408 })]);
    expect(deaf.peer.bytes - bytes).toBeLessThanOrEqual(2 * PAUSE_BYTES + 20_000);
    stage.expectNoViolations();
  });

  it("[F6] a reader whose network failed continues by its one `seen`, after any number of answers in between", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    stage.sendSeen(deaf);
    const before = deaf.peer.bytes;
    const received = () => deaf.peer.bytes - before;
    let first: number | undefined;
    const exchange = (action: string, data = {}) => {
      stage.do(talker, "lab", "add", { n: 1 });
      stage.advance(10);
      stage.do(deaf, "lab", action, data);
      stage.advance(10);
      if (first === undefined && received() >= SEEN_EVERY_BYTES) first = deaf.newestSeq;
    };
    for (let n = 0; n < 66; n++) exchange("nothing");
    while (received() < 2 * SEEN_EVERY_BYTES - 20_000) exchange("echo", { text: "x".repeat(14_000) });
    while (received() < 2 * SEEN_EVERY_BYTES - 1_000) exchange("echo", { text: "x".repeat(500) });
    fillOnce(stage, talker, 40_000);
    const receivedBefore = received();
    // It has read all of that: the bytes after its `seen` are fewer than those that require the next one.
    stage.send(deaf, { t: "seen", seq: first });
    stage.advance(10);
    expect(received()).toBeGreaterThan(receivedBefore + 30_000);
    stage.advance(PAUSED_MS + 1_000);
    expect(deaf.read().byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[F6] a reader that returns to a room of many signals continues: the signals meanwhile were not sent to it", async () => {
    const { stage, talker, reader } = await openRoomWithReaders();
    stage.leave(reader);
    for (let event = 0; event < 4; event++) {
      stage.say(talker, `line ${event}`);
      for (let n = 0; n < 2_500; n++) {
        stage.signal(talker, "lab", "point", { x: n });
        stage.advance(6);
      }
    }
    const back = stage.rejoin(reader);
    stage.deaf.add(back);
    stage.advance(100);
    expect(back.read().events.filter(({ f }) => f === "chat")).toHaveLength(4);
    stage.say(talker, "live");
    stage.advance(PAUSED_MS + 1_000);
    expect(back.read().events.at(-1)).toMatchObject({ d: { text: "live" } });
    expect(back.read().byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[F6] a reader continues by its `seen`, from its cursor and without a gap, and is live again", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, 4 * PAUSE_BYTES);
    for (let n = 0; n < 10 && deaf.read().seq < reader.read().seq; n++) {
      const bytes = deaf.peer.bytes;
      stage.sendSeen(deaf);
      expect(deaf.peer.bytes - bytes).toBeLessThanOrEqual(PAUSE_BYTES + 60_000);
      expect(deaf.peer.bytes).toBeGreaterThan(bytes);
      fillOnce(stage, talker, 10_000);
    }
    stage.say(talker, "live");
    stage.advance(100);
    expect(deaf.read().events.at(-1)).toMatchObject({ d: { text: "live" } });
    stage.verify(deaf);
    expect(deaf.read().checksums).toHaveLength(1);
    stage.expectNoViolations();
  });

  it("[F6] a reader catches up while a frame gathers: uncommitted events do not count as missing", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, PAUSE_BYTES + 100_000);
    stage.say(talker, "opens the window");
    stage.say(talker, "gathers");
    for (let n = 0; n < 5; n++) stage.sendSeen(deaf);
    expect(deaf.read().byes).toEqual([]);
    expect(deaf.seq).toBe(reader.read().seq);
    stage.advance(10);
    expect(deaf.read().events.at(-1)).toMatchObject({ d: { text: "gathers" } });
    stage.expectNoViolations();
  });

  it("[F6] a `seen` from the middle of a frame or with nonsense skips no number", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, 3 * PAUSE_BYTES);
    for (let n = 0; n < 200 && deaf.read().seq < reader.read().seq; n++) {
      const { random } = stage.runtime;
      stage.send(deaf, {
        t: "seen",
        seq: random.pick([
          0,
          deaf.read().seq,
          random.below(deaf.seq + 1),
          deaf.seq + random.below(1_000),
          2 ** 50,
        ]),
      });
    }
    expect(deaf.seq).toBe(reader.seq);
    stage.verify(deaf);
    stage.expectNoViolations();
  });

  it("[F6] a reader is closed after 30 s without reading, with a time to come back, in a busy room", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, 2 * PAUSE_BYTES);
    for (let n = 0; n < 29; n++) {
      stage.advance(900);
      fillOnce(stage, talker, 1_000);
      fillOnce(stage, talker, 1_000);
    }
    expect(deaf.read().byes).toEqual([]);
    // A busy room checks its sockets once in 20 s.
    for (let n = 0; n < 25; n++) {
      stage.advance(900);
      stage.say(talker, "a");
      stage.say(talker, "b");
    }
    expect(deaf.read().byes.map(({ retryAfterMs }) => (retryAfterMs ?? 0) > 0)).toEqual([true]);
    expect(reader.read().byes).toEqual([]);
    stage.rejoin(deaf);
    stage.advance(100);
    for (let n = 0; n < 5; n++) stage.sendSeen(deaf);
    stage.verify(deaf);
    expect(deaf.read().seq).toBe(reader.read().seq);
    stage.expectNoViolations();
  });

  it("[F6] a reader is closed within a minute in a room that has become quiet too", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    fill(stage, talker, 2 * PAUSE_BYTES);
    stage.advance(2 * PAUSED_MS);
    expect(deaf.read().byes).toHaveLength(1);
  });

  it("[F6] a reader is closed within a minute in a room with the pace of a talk too", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    fill(stage, talker, 2 * PAUSE_BYTES);
    for (let n = 0; n < 30; n++) {
      stage.advance(2_000);
      stage.say(talker, `line ${n}`);
    }
    expect(deaf.read().byes).toHaveLength(1);
  });

  it("[F6] a reader is not closed while it reads, however slowly", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    fill(stage, talker, 6 * PAUSE_BYTES);
    for (let n = 0; n < 4; n++) {
      for (let second = 0; second < 25; second++) {
        stage.advance(900);
        fillOnce(stage, talker, 500);
        fillOnce(stage, talker, 500);
      }
      stage.sendSeen(deaf);
    }
    expect(deaf.read().byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[F6] a ping or a request of a paused reader does not close it: unsent data does not count as unread", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, 4 * PAUSE_BYTES);
    stage.send(deaf, "ping");
    stage.send(deaf, { t: "clock", t0: 1 });
    expect(deaf.read().byes).toEqual([]);
    for (let n = 0; n < 10 && deaf.read().seq < reader.read().seq; n++) stage.sendSeen(deaf);
    expect(deaf.seq).toBe(reader.seq);
    stage.expectNoViolations();
  });

  it("[F6] an old `seen` that is repeated counts nothing as read that recovery has dropped since", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    const { seq } = deaf.read();
    const { bytes } = deaf.peer;
    for (let n = 0; n < 6; n++) {
      fill(stage, talker, PAUSE_BYTES / 3);
      stage.advance(settings.recoveryMs + 1_000);
      stage.send(deaf, { t: "seen", seq });
    }
    expect(deaf.peer.bytes - bytes).toBeLessThan(PAUSE_BYTES + 60_000);
  });

  it("[F6] a slow reader costs the others nothing: they get every event and signal", async () => {
    const { stage, talker, reader } = await openRoomWithReaders();
    for (let n = 0; n < 200; n++) stage.deaf.add(stage.join(`d${n}`, { keepsLastOnly: true }));
    stage.advance(1_000);
    for (let n = 0; n < 80; n++) {
      fillOnce(stage, talker, 20_000);
      stage.signal(talker, "lab", "point", { x: n });
      stage.advance(10);
    }
    expect(reader.read().signals).toHaveLength(80);
    expect(reader.seq).toBe(stage.room.summary(stage.now).seq);
    stage.expectNoViolations();
  });

  it("[F6] a reader that sends requests and never reads the answers is closed as well", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    for (let n = 0; n < 400 && deaf.peer.closes.length === 0; n++) {
      stage.do(deaf, "lab", "echo", { text: "x".repeat(5_000) });
      stage.advance(6);
    }
    expect(deaf.read().byes).toHaveLength(1);
    expect(deaf.peer.bytes).toBeLessThan(3 * PAUSE_BYTES);
    expect(talker.read().byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[F6] a paused reader stays at its cursor while its room sleeps, and the next instance continues it", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, 2 * PAUSE_BYTES);
    const { length } = deaf.peer.texts;
    await stage.sleep();
    fillOnce(stage, talker, 20_000);
    expect(deaf.peer.texts).toHaveLength(length);
    for (let n = 0; n < 10 && deaf.read().seq < reader.read().seq; n++) stage.sendSeen(deaf);
    expect(deaf.seq).toBe(reader.seq);
    stage.say(talker, "live");
    stage.advance(100);
    expect(deaf.read().seq).toBe(reader.read().seq);
    stage.expectNoViolations();
  });

  it("[W4] a reader whose frames have left recovery is closed, to come back for a snapshot", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, PAUSE_BYTES + 100_000);
    for (let n = 0; n < 180; n++) fillOnce(stage, talker, 50_000);
    stage.sendSeen(deaf);
    expect(deaf.read().byes).toHaveLength(1);
    stage.rejoin(deaf);
    stage.advance(100);
    expect(deaf.read().welcomes.at(-1)).toMatchObject({ resumed: false });
    expect(deaf.seq).toBe(reader.read().seq);
    stage.expectNoViolations();
  });
});

describe("a reader that claims to have read and has not", () => {
  it("[F6] the reader gets a mark before it may be paused, and its claims count no more without the mark once it has repeated one", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, SEEN_EVERY_BYTES + 40_000);
    expect(deaf.peer.mark).toMatch(/^[0-9a-f]{8}$/);
    stage.prove(deaf);
    const before = deaf.peer.bytes;
    for (let n = 0; n < 60; n++) {
      fillOnce(stage, talker, 40_000);
      stage.send(deaf, { t: "seen", seq: 2 ** 50 });
      stage.send(deaf, { t: "seen", seq: 2 ** 50, m: "00000000" });
    }
    expect(deaf.peer.bytes - before).toBeLessThan(2 * PAUSE_BYTES + 60_000);
    expect(reader.read().seq).toBe(stage.room.summary(stage.now).seq);
    // The mark alone continues an honest reader, from its cursor.
    for (let n = 0; n < 20 && deaf.read().seq < reader.read().seq; n++) stage.prove(deaf);
    expect(deaf.seq).toBe(reader.seq);
    stage.expectNoViolations();
  });

  it("[F6] the reader is closed 30 s after its pause, with any claims meanwhile", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    fill(stage, talker, SEEN_EVERY_BYTES + 40_000);
    stage.prove(deaf);
    fill(stage, talker, 3 * PAUSE_BYTES);
    for (let n = 0; n < 60; n++) {
      stage.advance(1_000);
      stage.send(deaf, { t: "seen", seq: 2 ** 50 });
    }
    expect(deaf.read().byes).toMatchObject([{ code: 4408 }]);
    expect(deaf.peer.bytes).toBeLessThan(3 * PAUSE_BYTES);
  });

  it("[F6] a reader that never repeated a mark is trusted up to a bound, over all its user's sockets", async () => {
    const stage = await RoomStage.open();
    const talker = stage.join("talker");
    const liars = Array.from({ length: 60 }, (_, n) =>
      stage.join("liar", { tab: `t${n}`, keepsLastOnly: true }),
    );
    for (const liar of liars) stage.deaf.add(liar);
    stage.advance(1_000);
    for (let n = 0; n < 60; n++) {
      fillOnce(stage, talker, 40_000);
      for (const liar of liars) stage.send(liar, { t: "seen", seq: 2 ** 50 });
    }
    const bytes = liars.reduce((sum, { peer }) => sum + peer.bytes, 0);
    // Each reader may leave a pause's worth unread; the trust beyond that has one bound for all of the user's sockets.
    expect(bytes).toBeLessThan(60 * (2 * PAUSE_BYTES) + MAX_UNPROVEN_BYTES);
    stage.expectNoViolations();
  });

  it("[F6] an older client is not treated as a liar: its `seen` continues it for megabytes", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    for (let n = 0; n < 150; n++) {
      fillOnce(stage, talker, 40_000);
      if (n % 4 === 3) stage.sendSeen(deaf);
    }
    stage.sendSeen(deaf);
    expect(deaf.peer.bytes).toBeGreaterThan(5_000_000);
    expect(deaf.read().seq).toBe(reader.read().seq);
    expect(deaf.byes).toEqual([]);
    stage.expectNoViolations();
  });

  it("[F7] of a client of before is never paused or closed at an ordinary pace, with four tabs as with one", async () => {
    const stage = await RoomStage.open();
    const talker = stage.join("talker");
    const tabs = Array.from({ length: 4 }, (_, n) =>
      stage.join("old", { tab: `t${n}`, keepsLastOnly: true }),
    );
    stage.advance(1_000);
    for (const tab of tabs) stage.deaf.add(tab);
    // 12 MiB to all of them together, in twelve minutes.
    for (let n = 0; n < 72; n++) {
      fillOnce(stage, talker, 43_000);
      stage.advance(10_000);
      for (const tab of tabs) stage.sendSeen(tab);
    }
    const bytes = tabs.reduce((sum, { peer }) => sum + peer.bytes, 0);
    expect(bytes).toBeGreaterThan(1.4 * MAX_UNPROVEN_BYTES);
    expect(tabs.flatMap((tab) => tab.read().byes)).toEqual([]);
    for (const tab of tabs) expect(tab.newestSeq).toBe(stage.room.summary(stage.now).seq);
    stage.expectNoViolations();
  });

  it("[F7] of a client of before is closed at once when its allowance is used up, and comes back soon without a gap", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    let before = 0;
    for (let n = 0; n < 260 && deaf.peer.closes.length === 0; n++) {
      before = deaf.peer.bytes;
      fillOnce(stage, talker, 40_000);
      stage.sendSeen(deaf);
    }
    expect(before).toBeGreaterThan(MAX_UNPROVEN_BYTES - 100_000);
    const [bye] = deaf.read().byes;
    expect(bye).toMatchObject({ code: 4408 });
    expect(bye?.retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect(bye?.retryAfterMs).toBeLessThanOrEqual(2_000);
    stage.rejoin(deaf);
    fillOnce(stage, talker, 40_000);
    expect(deaf.read().welcomes.at(-1)).toMatchObject({ resumed: true });
    expect(deaf.read().seq).toBe(reader.read().seq);
    stage.expectNoViolations();
  });

  it("[F6] the reader gains nothing from a sleeping room, and its mark survives the sleep", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    fill(stage, talker, SEEN_EVERY_BYTES + 40_000);
    stage.prove(deaf);
    const before = deaf.peer.bytes;
    for (let n = 0; n < 30; n++) {
      fill(stage, talker, 100_000);
      stage.send(deaf, { t: "seen", seq: 2 ** 50 });
      stage.advance(500);
      await stage.sleep();
      stage.send(deaf, { t: "seen", seq: 2 ** 50 });
    }
    expect(deaf.peer.bytes - before).toBeLessThan(2 * PAUSE_BYTES + 2 * SEEN_EVERY_BYTES);
    for (let n = 0; n < 20 && deaf.read().seq < reader.read().seq; n++) stage.prove(deaf);
    expect(deaf.seq).toBe(reader.seq);
    stage.expectNoViolations();
  });

  it("[F7] proves by a mark of before its room slept only what came before that mark", async () => {
    const { stage, talker, deaf } = await openRoomWithReaders();
    fill(stage, talker, SEEN_EVERY_BYTES + 40_000);
    stage.prove(deaf);
    fill(stage, talker, SEEN_EVERY_BYTES + 40_000);
    stage.sendSeen(deaf);
    fill(stage, talker, PAUSE_BYTES - SEEN_EVERY_BYTES);
    stage.advance(500);
    await stage.sleep();
    stage.prove(deaf);
    const before = deaf.peer.bytes;
    for (let n = 0; n < 60; n++) {
      fillOnce(stage, talker, 20_000);
      stage.send(deaf, { t: "seen", seq: 2 ** 50 });
    }
    // Of a pause's worth that is believed, more than half was sent before it repeated the mark.
    expect(deaf.peer.bytes - before).toBeLessThan(1.7 * PAUSE_BYTES);
    stage.expectNoViolations();
  });

  it("[F6] a reader of answers gets a mark as well", async () => {
    const { stage, deaf } = await openRoomWithReaders();
    const before = deaf.peer.bytes;
    for (let n = 0; n < 30; n++) {
      stage.do(deaf, "lab", "echo", { text: "x".repeat(10_000) });
      stage.advance(10);
    }
    stage.prove(deaf);
    for (let n = 0; n < 250 && deaf.peer.closes.length === 0; n++) {
      stage.do(deaf, "lab", "echo", { text: "x".repeat(10_000) });
      stage.send(deaf, { t: "seen", seq: 2 ** 50 });
      stage.advance(10);
    }
    expect(deaf.peer.bytes - before).toBeLessThan(4 * PAUSE_BYTES);
    expect(deaf.read().byes).toMatchObject([{ code: 4408 }]);
  });
});

describe("a socket whose send throws", () => {
  it("the socket affects no other user", async () => {
    const { stage, talker, reader, deaf } = await openRoomWithReaders();
    deaf.peer.state = "closing";
    stage.say(talker, "on");
    stage.advance(100);
    expect(reader.read().events.at(-1)).toMatchObject({ d: { text: "on" } });
    stage.turn(() => stage.room.left(deaf.peer.id, deaf.peer.note, stage.now));
    stage.advance(10_000);
    expect(reader.read().events.at(-1)).toMatchObject({ n: "left" });
    stage.expectNoViolations();
  });
});
