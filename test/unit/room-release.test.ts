import { describe, expect, it } from "vitest";
import { SNAPSHOT_EVERY_FRAMES } from "../../src/protocol/limits";
import type { LabState } from "../support/room-features";
import { labKind, RoomStage } from "../support/room-stage";
import type { RoomTab } from "../support/room-tab";

describe("another release of a feature", () => {
  async function aged(): Promise<{ stage: RoomStage; ann: RoomTab }> {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(100);
    for (let n = 0; n < SNAPSHOT_EVERY_FRAMES + 20; n++) {
      stage.do(ann, "lab", "add", { n: 1 });
      stage.advance(10);
    }
    ann.read();
    return { stage, ann };
  }
  const migrate = (old: unknown, from: string): LabState => ({
    ...(old as LabState),
    total: 10_000,
    rang: [`from ${from}`],
  });

  it("the feature gets the stored state of the older release once, and reduces what came later", async () => {
    const { stage, ann } = await aged();
    const inSnapshot = JSON.parse(
      stage.runtime
        .keys("s/")
        .map((key) => stage.runtime.value(key))
        .join(""),
    ).slices.lab.s.total;
    const total = (ann.slices.lab as LabState).total;
    stage.kind = labKind({ version: "2", migrate });
    await stage.crash();
    for (let n = 0; n < 3; n++) {
      const bob = stage.join("bob", { tab: `b${n}` });
      stage.advance(100);
      expect(bob.read().slices.lab).toMatchObject({ total: 10_000 + total - inSnapshot, rang: ["from 1"] });
      expect(bob.welcomes[0]?.features.lab).toBe("2");
      stage.verify(bob);
      expect(bob.violations).toEqual([]);
      await stage.crash();
    }
  });

  it("[W4] every user gets a new snapshot once: a client that used older code does not resume", async () => {
    const { stage, ann } = await aged();
    const before = ann.seq;
    stage.kind = labKind({ version: "2", migrate });
    await stage.crash();
    const again = stage.join("ann", { tab: "same", epoch: ann.epoch ?? "", since: before });
    stage.advance(100);
    expect(again.read().welcomes[0]).toMatchObject({ resumed: false });
    stage.say(again, "on");
    stage.advance(100);
    const { seq, epoch } = again.read();
    const middle = stage.join("bob", { epoch: epoch ?? "", since: before - 3 });
    stage.advance(100);
    expect(middle.read().welcomes[0]).toMatchObject({ resumed: false });
    await stage.crash();
    const later = stage.join("ann", { tab: "later", epoch: epoch ?? "", since: seq });
    stage.advance(100);
    expect(later.read().welcomes[0]).toMatchObject({ resumed: true });
    expect(stage.runtime.reports).toEqual([]);
  });

  it("[W4] a socket older than the release gets no gap: it continues, or is asked to come back", async () => {
    const { stage, ann } = await aged();
    stage.kind = labKind({ version: "2", migrate });
    await stage.sleep();
    if (ann.peer.state !== "open") stage.rejoin(ann);
    stage.say(ann, "on");
    stage.advance(100);
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "on" } });
    expect(ann.violations).toEqual([]);
  });

  it("[W4] a client that is up to date since resumes, after any quiet time", async () => {
    const { stage, ann } = await aged();
    stage.kind = labKind({ version: "2", migrate });
    await stage.sleep();
    const first = stage.join("ann", { tab: "same", epoch: ann.epoch ?? "", since: ann.seq });
    stage.advance(100);
    expect(first.read().welcomes[0]).toMatchObject({ resumed: false });
    stage.leave(first);
    const second = stage.join("ann", { tab: "same", epoch: ann.epoch ?? "", since: first.seq });
    stage.advance(100);
    expect(second.read().welcomes[0]).toMatchObject({ resumed: true });
  });

  it("[W4] a release without a migration uses the state as it is, and the same release resumes as before", async () => {
    const { stage, ann } = await aged();
    await stage.crash();
    stage.rejoin(ann);
    stage.advance(100);
    expect(ann.read().welcomes.at(-1)).toMatchObject({ resumed: true });
    stage.kind = labKind({ version: "2" });
    await stage.crash();
    const bob = stage.join("bob");
    stage.advance(100);
    expect(bob.read().slices.lab).toEqual(ann.slices.lab);
    stage.expectNoViolations();
  });
});
