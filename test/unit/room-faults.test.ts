import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineFeature } from "../../src/room/api/feature";
import { defineKind } from "../../src/room/api/kind";
import { HOUR_MS, labKind, RoomStage, settings } from "../support/room-stage";

const any = { maxBytes: 1_000, rate: { count: 1_000, perMs: 1_000 } };

describe("code that throws before anything is decided", () => {
  const url = z.object({ address: z.string().refine((address) => new URL(address).host !== "") });
  const links = defineFeature({
    name: "links",
    version: "1",
    schema: { actions: { share: url }, events: { shared: url }, signals: { hover: url } },
    shared: { initial: () => 0, reduce: (count: number) => count + 1 },
    actions: {
      share: { ...any, decide: (_, { address }) => ({ events: [{ n: "shared", d: { address } }] }) },
    },
    signals: { hover: any },
  });
  const kind = defineKind({ name: "main", features: [...labKind().features, links] });

  it("the room answers `internal`, logs the error and changes nothing: over a socket, as a signal, over HTTP", async () => {
    const stage = await RoomStage.open({ kind });
    const ann = stage.join("ann");
    stage.advance(100);
    stage.do(ann, "links", "share", { address: "no address" });
    stage.signal(ann, "links", "hover", { address: "no address" });
    expect(ann.read().nacks.map(({ code }) => code)).toEqual(["internal", "internal"]);
    expect(stage.post("hanna", "links", "share", { address: "x" })).toMatchObject({
      rejection: { code: "internal" },
    });
    expect(JSON.stringify(ann.peer.texts)).not.toMatch(/Invalid URL|TypeError/);
    expect(stage.runtime.reports).toHaveLength(3);
    stage.runtime.reports.length = 0;
    stage.do(ann, "links", "share", { address: "https://example.org" });
    stage.advance(100);
    expect(ann.read().events).toHaveLength(1);
    stage.expectNoViolations();
  });
});

describe("a machine's clock that goes back an hour", () => {
  it("[L1] no user is blocked: windows, graces and numbers go on at the room's own time, which is half as fast", async () => {
    const stage = await RoomStage.open({
      settings: { ...settings, rules: { "chat.say": { count: 2, perMs: 10_000 } }, leaveGraceMs: 5_000 },
    });
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    stage.advance(1_000);
    stage.say(ann, "one");
    stage.say(ann, "two");
    stage.advance(100);
    stage.runtime.now -= HOUR_MS;
    stage.say(ann, "three");
    expect(ann.read().nacks.at(-1)?.retryAfterMs).toBeLessThanOrEqual(20_000);
    stage.leave(bob);
    stage.advance(12_000);
    expect(ann.read().events.at(-1)).toMatchObject({ n: "left", d: { user: "bob" } });
    stage.advance(8_000);
    stage.say(ann, "three");
    stage.advance(100);
    expect(ann.read().events.at(-1)).toMatchObject({ d: { text: "three" } });
    const times = ann.events.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it("the room goes on as well if a machine with another clock restores it", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    stage.advance(1_000);
    stage.say(ann, "before");
    stage.advance(100);
    const before = ann.read().events.at(-1)?.at ?? 0;
    stage.makeDurable();
    stage.die();
    stage.runtime.now -= HOUR_MS;
    await stage.wake();
    stage.rejoin(ann);
    stage.advance(2_000);
    stage.say(ann, "after");
    stage.advance(100);
    expect(ann.read().events.at(-1)?.at).toBeGreaterThanOrEqual(before + 1_000);
  });
});

describe("a socket whose other end disappeared silently", () => {
  it("[M2] a sleeping room detects the socket, and its member leaves", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann");
    const bob = stage.join("bob");
    stage.advance(100);
    ann.peer.pongedAt = stage.now;
    await stage.sleep();
    for (let n = 0; n < 3 && bob.read().seq < 3; n++) {
      stage.advance(settings.idleMs);
      await stage.sleep();
    }
    expect(ann.read().byes).toMatchObject([{ code: 4408 }]);
    stage.advance(10_000);
    expect(bob.read().events.at(-1)).toMatchObject({ n: "left", d: { user: "ann" } });
    expect(bob.byes).toEqual([]);
  });
});

describe("a token that ends", () => {
  it("[T8] the token's connection ends at once, even if the alarm is late", async () => {
    const stage = await RoomStage.open();
    const ann = stage.join("ann", { expiresAt: stage.now + 10_000 });
    stage.advance(100);
    // A platform's alarm may be a minute late: here it does not ring at all.
    stage.runtime.now += 10_000;
    stage.say(ann, "still here");
    expect(ann.read().byes).toMatchObject([{ code: 4401 }]);
    expect(stage.room.summary(stage.now).seq).toBe(1);
  });
});
