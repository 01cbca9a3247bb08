import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAUSE_BYTES } from "../../src/protocol/limits";
import { RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

async function openRoomWithHistory(): Promise<{ stage: RoomStage; ann: RoomTab }> {
  const stage = await RoomStage.open();
  const ann = stage.join("ann");
  stage.advance(1_000);
  // Frames of one event, of several, and of one action with many.
  for (let n = 0; n < 12; n++) {
    stage.say(ann, `line ${n}`);
    if (n % 2) stage.say(ann, `more ${n}`);
    if (n % 3 === 0) stage.do(ann, "lab", "many", { count: 4, chars: 10 });
    stage.advance(20);
  }
  ann.read();
  return { stage, ann };
}
const resumeFrom = (stage: RoomStage, ann: RoomTab, since: number, epoch = ann.epoch ?? "") => {
  const tab = stage.join("ann", { tab: `s${since}${epoch}`.slice(0, 16), epoch, since });
  stage.advance(50);
  return tab.read();
};

describe("a client that comes back", () => {
  it("[W3] the client resumes from any number, even in the middle of a frame, with exactly the later events and no state", async () => {
    const { stage, ann } = await openRoomWithHistory();
    for (let since = 0; since < ann.seq; since++) {
      const tab = resumeFrom(stage, ann, since);
      expect(tab.welcomes).toMatchObject([{ resumed: true, seq: ann.seq }]);
      expect(tab.welcomes[0]).not.toHaveProperty("state");
      const missed = ann.events.filter(({ seq }) => seq > since);
      expect(tab.events.map(({ seq }) => seq)).toEqual(
        Array.from({ length: ann.seq - since }, (_, n) => since + 1 + n),
      );
      expect(tab.events.slice(-missed.length)).toEqual(missed);
    }
  });

  it("[W4] a client that is up to date resumes with nothing in between, again and again", async () => {
    const { stage, ann } = await openRoomWithHistory();
    for (let n = 0; n < 5; n++) {
      stage.rejoin(ann);
      stage.advance(1_000);
      expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: true, seq: ann.seq });
      expect(ann.peer.texts).toHaveLength(1);
    }
    stage.expectNoViolations();
  });

  it("[W4] a client that is up to date resumes after any quiet time, even after a restart and after the records were dropped", async () => {
    const { stage, ann } = await openRoomWithHistory();
    stage.advance(10 * 60_000);
    stage.rejoin(ann);
    stage.advance(10);
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: true });
    stage.advance(10 * 60_000);
    await stage.crash();
    stage.rejoin(ann);
    stage.advance(10);
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: true });
    stage.expectNoViolations();
  });

  it("[W4] a client from too far back, from another epoch, from ahead, or from nowhere gets a snapshot", async () => {
    const { stage, ann } = await openRoomWithHistory();
    for (const [since, epoch] of [
      [ann.seq + 1, ann.epoch],
      [2 ** 50, ann.epoch],
      [3, "another"],
      [ann.seq, ""],
      [0, "__proto__"],
    ] as const) {
      const tab = resumeFrom(stage, ann, since, epoch);
      expect(tab.welcomes).toMatchObject([{ resumed: false, seq: ann.seq }]);
      expect(tab.slices.chat).toEqual(ann.slices.chat);
    }
    stage.advance(121_000);
    stage.say(ann, "late");
    stage.advance(100);
    expect(resumeFrom(stage, ann, 3).welcomes).toMatchObject([{ resumed: false }]);
    expect(resumeFrom(stage, ann, ann.read().seq - 1).welcomes).toMatchObject([{ resumed: true }]);
    stage.expectNoViolations();
  });

  it("[W4] a client that returns to a cleaned-up room gets a snapshot of the new one", async () => {
    const { stage, ann } = await openRoomWithHistory();
    stage.leave(ann);
    stage.advance(2_000_000);
    expect(stage.room.isOver).toBe(true);
    await stage.wake();
    stage.rejoin(ann);
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: false, seq: 1 });
  });

  it.each([
    ["a little", 5],
    ["more than a reader may leave unread", 40],
    ["more than 1 MiB", 60],
    ["nearly all that recovery keeps", 340],
  ])(
    "[W3] the client gets its replay before live frames, without a gap, if it missed %s and the room goes on",
    async (_, missed) => {
      const stage = await RoomStage.open();
      const ann = stage.join("ann");
      const bob = stage.join("bob");
      stage.advance(1_000);
      stage.leave(ann);
      for (let n = 0; n < missed; n++) {
        stage.do(bob, "lab", "many", { count: 20, chars: 1_000 });
        stage.advance(10);
      }
      stage.deaf.add(ann);
      stage.rejoin(ann);
      expect(ann.peer.bytes).toBeLessThanOrEqual(PAUSE_BYTES + 60_000);
      for (let n = 0; n < 40; n++) {
        stage.say(bob, `live ${n}`);
        stage.signal(bob, "lab", "point", { x: n });
        stage.advance(10);
        stage.sendSeen(ann);
      }
      expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: true });
      expect(ann.byes).toEqual([]);
      stage.verify(ann);
      expect(ann.read().seq).toBe(bob.read().seq);
      stage.expectNoViolations();
    },
  );

  it("[W3] the client's state equals the room's own, for any missed events and any number of cuts", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2 ** 31),
        fc.array(fc.tuple(fc.nat(5), fc.nat(60)), { minLength: 10, maxLength: 60 }),
        async (seed, steps) => {
          const stage = await RoomStage.open({ seed });
          const talker = stage.join("talker");
          const tabs = [0, 1, 2].map((n) => stage.join("ann", { tab: `t${n}` }));
          for (const [what, n] of steps) {
            const tab = tabs[n % 3] as RoomTab;
            if (what < 2) stage.do(talker, "lab", "many", { count: 1 + (n % 7), chars: n });
            else if (what === 2) stage.say(talker, `${n}`);
            else if (what === 3) stage.leave(tab);
            else if (tab.peer.state !== "open") stage.rejoin(tab);
            else stage.advance(n % 12);
          }
          stage.advance(100);
          for (const tab of tabs) {
            if (tab.peer.state !== "open") stage.rejoin(tab);
            stage.advance(20);
            stage.verify(tab);
            expect(tab.read().checksums).toHaveLength(1);
            expect(tab.welcomes.slice(1).every(({ resumed }) => resumed)).toBe(true);
          }
          stage.expectNoViolations();
        },
      ),
      { numRuns: 60 },
    );
  });
});
