import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMonotonicClock } from "../../src/client/browser/monotonic-clock";
import { OptimisticStates } from "../../src/client/session/optimistic";
import { Pacer } from "../../src/client/session/pacer";
import { OutgoingSignals } from "../../src/client/session/signals";
import { SyncedClock } from "../../src/client/session/synced-clock";
import { NEVER } from "../../src/client/session/time";
import { RoomStage } from "../support/room-stage";
import { advance, SessionClient, toFeatureTable } from "../support/session-client";

const CHECK_MS = 400_000;

describe("checksums", () => {
  it("the client compares checksums in the background while something happens, and not in a quiet room", async () => {
    const stage = await RoomStage.open();
    const [ann, bob] = [new SessionClient(stage, "ann").start(), new SessionClient(stage, "bob").start()];
    for (let n = 0; n < 20; n++) {
      bob.say("Hello");
      advance(stage, [ann, bob], 20_000);
    }
    const compared = ann.verifications.length;
    expect(compared).toBeGreaterThanOrEqual(2);
    expect(
      ann.verifications.every(({ features, differing }) => features.length === 3 && differing.length === 0),
    ).toBe(true);
    advance(stage, [ann, bob], CHECK_MS);
    const settled = ann.verifications.length;
    expect(settled).toBeLessThanOrEqual(compared + 1);
    advance(stage, [ann, bob], CHECK_MS);
    expect(ann.verifications).toHaveLength(settled);
  });

  it("different checksums fetch the state again, silently and at most once a minute", async () => {
    const stage = await RoomStage.open();
    const states = toFeatureTable(stage.kind);
    const { chat, ...others } = states as Record<string, NonNullable<(typeof states)[string]>>;
    let lies = 0;
    const impure = { ...chat, reduce: () => ({ messages: [{ lie: ++lies }] }) } as NonNullable<typeof chat>;
    const ann = new SessionClient(stage, "ann", { features: { ...others, chat: impure } }).start();
    const bob = new SessionClient(stage, "bob").start();
    const freshAt: number[] = [];
    for (let n = 0; n < 300; n++) {
      bob.say("Hello");
      ann.session.verify(ann.now);
      const before = ann.freshCount;
      advance(stage, [ann, bob], 2_000);
      expect(ann.session.connection).toEqual({ is: "live" });
      if (ann.freshCount > before) freshAt.push(stage.now);
    }
    expect(ann.verifications.filter(({ differing }) => differing.includes("chat")).length).toBeGreaterThan(
      10,
    );
    expect(freshAt.length).toBeGreaterThanOrEqual(8);
    const gaps = freshAt.slice(1).map((at, index) => at - (freshAt[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(58_000);
    expect(bob.events.filter(({ n }) => n === "left")).toEqual([]);
  });

  it("the client does not compare with a room of another version, but says so and continues", async () => {
    const stage = await RoomStage.open();
    const states = toFeatureTable(stage.kind);
    const old = {
      ...states.chat,
      version: "older",
      reduce: (state: unknown) => state,
    } as (typeof states)["chat"];
    const ann = new SessionClient(stage, "ann", { features: { ...states, chat: old as never } }).start();
    expect(ann.session.outdated).toBe(true);
    ann.say("Hello");
    ann.session.verify(ann.now);
    advance(stage, [ann], 1_000);
    expect(ann.verifications).toMatchObject([{ features: ["presence", "lab"], differing: [] }]);
    expect(ann.freshCount).toBe(1);
  });

  it("a feature that the client does not have makes it outdated and nothing worse", async () => {
    const stage = await RoomStage.open();
    const { lab: _, ...known } = toFeatureTable(stage.kind);
    const ann = new SessionClient(stage, "ann", { features: known }).start();
    ann.do("lab", "add", { n: 1 });
    ann.session.verify(ann.now);
    advance(stage, [ann], 1_000);
    expect(ann.session.outdated).toBe(true);
    expect(Object.keys(ann.session.states)).toEqual(["presence", "chat"]);
    expect(ann.verifications).toMatchObject([{ features: ["presence", "chat"], differing: [] }]);
  });

  it("a reducer that throws is reported, keeps its state, and gets it again from the room", async () => {
    const stage = await RoomStage.open();
    const states = toFeatureTable(stage.kind);
    let throws = true;
    const sore = {
      ...states.lab,
      reduce: (state: never, event: never) => {
        if (throws) throw new Error("What is that?");
        return states.lab?.reduce(state, event);
      },
    } as NonNullable<(typeof states)["lab"]>;
    const ann = new SessionClient(stage, "ann", { features: { ...states, lab: sore } }).start();
    const id = ann.do("lab", "urgent");
    ann.deliverUp();
    ann.deliverDown(1);
    throws = false;
    advance(stage, [ann], 5_000);
    expect(ann.outcomeCode(id)).toBe("event");
    expect(ann.problems).toEqual(["The reducer of lab failed"]);
    expect(ann.session.states.lab).toMatchObject({ total: 1 });
    expect(ann.session.connection).toEqual({ is: "live" });
  });
});

describe("private slices", () => {
  it("a private slice belongs to one user, is live, and returns after a break", async () => {
    const stage = await RoomStage.open();
    const [ann, bob] = [new SessionClient(stage, "ann").start(), new SessionClient(stage, "bob").start()];
    advance(stage, [ann, bob], 100);
    bob.do("lab", "deal", { to: ["ann"] });
    advance(stage, [ann, bob], 200);
    const cards = ann.session.mine.lab;
    expect(cards).toEqual([expect.any(Number)]);
    expect(bob.session.mine.lab).toEqual([]);
    ann.cut();
    bob.do("lab", "deal", { to: ["ann"] });
    advance(stage, [ann, bob], 20_000);
    expect(ann.session.mine.lab).toEqual([...(cards as number[]), expect.any(Number)]);
  });
});

describe("the room's clock", () => {
  it("the clock's error never exceeds its stated bound, on slow and uneven networks", () => {
    const delay = fc.double({ min: 0, max: 2_000, noNaN: true });
    const probe = fc.record({
      there: delay,
      back: delay,
      thinks: fc.double({ min: 0, max: 50, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(probe, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: -1e9, max: 1e9 }),
        (probes, offset) => {
          const clock = new SyncedClock();
          let now = 1e12;
          for (const { there, back, thinks } of probes) {
            const t0 = now;
            const t1 = t0 + there + offset;
            const t2 = t1 + thinks;
            now = t0 + there + thinks + back;
            clock.addProbe({ t0, t1, t2 }, now);
            // Doubles of this size have steps of a tenth of a microsecond.
            expect(Math.abs(clock.roomTime(now) - (now + offset))).toBeLessThanOrEqual(clock.errorMs + 0.01);
            now += 100;
          }
          const best = Math.min(...probes.map(({ there, back }) => (there + back) / 2));
          expect(clock.errorMs).toBeLessThanOrEqual(best + 10);
        },
      ),
    );
  });

  it("the clock is known from the welcome on, and better after a few probes", async () => {
    const stage = await RoomStage.open();
    const ann = new SessionClient(stage, "ann", { isSkewedMs: -7_000_000 }).start();
    expect(ann.session.clock.roomTime(ann.now)).toBe(stage.now);
    advance(stage, [ann], 4_000);
    const probes = ann.sent.filter(({ text }) => text.includes('"clock"')).length;
    expect(probes).toBe(5);
    // A sleeping room is never asked for its time.
    advance(stage, [ann], 3_000_000);
    expect(ann.sent.filter(({ text }) => text.includes('"clock"'))).toHaveLength(probes);
    expect(ann.session.clock.errorMs).toBe(0);
  });

  it("the clock ignores invalid answers", () => {
    const clock = new SyncedClock();
    clock.addProbe({ t0: 2_000, t1: 5, t2: 6 }, 1_000);
    clock.addProbe({ t0: 0, t1: 0, t2: 5_000 }, 1_000);
    expect(clock.errorMs).toBe(NEVER);
  });
});

describe("the client's own clock", () => {
  it("the clock never goes back, keeps the machine's pace, and counts the time that the machine slept", () => {
    const times = { wall: 1_000_000, start: 0 };
    const now = createMonotonicClock(
      () => times.wall,
      () => times.start,
    );
    const later = (wall: number, start: number) => {
      times.wall += wall;
      times.start += start;
      return now();
    };
    expect(later(100, 100)).toBe(1_000_100);
    expect(later(-3_600_000, 100)).toBe(1_000_200);
    expect(later(140, 100)).toBe(1_000_300);
    expect(later(600_000, 5)).toBe(1_600_300);
    expect(later(100, 100)).toBe(1_600_400);
  });
});

describe("signals", () => {
  it("[F5] signals reach the others, and are dropped while the room is empty", async () => {
    const stage = await RoomStage.open();
    const [ann, bob] = [new SessionClient(stage, "ann").start(), new SessionClient(stage, "bob").start()];
    advance(stage, [ann, bob], 100);
    bob.session.signal("lab", "point", { x: 1 }, bob.now);
    advance(stage, [ann, bob], 200);
    bob.cut();
    bob.session.signal("lab", "point", { x: 2 }, bob.now);
    advance(stage, [ann, bob], 30_000);
    expect(ann.signals).toEqual([{ f: "lab", n: "point", d: { x: 1 }, by: "bob" }]);
  });

  it("[L1] signals keep within their rate: the newest wins and the last is sent", async () => {
    const stage = await RoomStage.open();
    const [ann, bob] = [new SessionClient(stage, "ann").start(), new SessionClient(stage, "bob").start()];
    advance(stage, [ann, bob], 100);
    for (let x = 0; x < 50; x++) {
      bob.session.signal("lab", "rare", { x }, bob.now);
      advance(stage, [ann, bob], 100);
    }
    advance(stage, [ann, bob], 10_000);
    expect(ann.signals.map(({ d }) => d)).toEqual([{ x: 0 }, { x: 49 }]);
    expect(bob.outcomes.size).toBe(0);
  });

  it("[L1] [L2] streamed signals never exceed their rule or the connection's, and no action waits behind them", async () => {
    const stage = await RoomStage.open({ settings: { actionRate: { count: 50, perMs: 1_000 } } });
    const ann = new SessionClient(stage, "ann").start();
    advance(stage, [ann], 5_000);
    const actionIds: string[] = [];
    const waits: number[] = [];
    const from = stage.now;
    for (let n = 0; n < 2_000; n++) {
      ann.session.signal("lab", "point", { x: n }, ann.now);
      if (n % 100 === 50) actionIds.push(ann.do("lab", "nothing"));
      const before = actionIds.filter((id) => ann.outcome(id) === undefined).length;
      waits.push(before);
      advance(stage, [ann], 5);
    }
    expect(actionIds.map((id) => ann.outcomeCode(id))).toEqual(actionIds.map(() => "answer"));
    // A round of this loop is 5 ms, so no action was in flight for more than 60.
    expect(waits.filter((count) => count > 0).length).toBeLessThanOrEqual(actionIds.length * 12);
    const sent = ann.sent.filter(({ text }) => text.includes('"sig"')).map(({ at }) => at);
    expect(sent.length).toBeGreaterThan(((stage.now - from) / 1_000) * 25);
    for (const at of sent)
      expect(sent.filter((other) => other > at - 1_000 && other <= at).length).toBeLessThanOrEqual(30);
    const { texts } = stage.tabs[0]?.peer ?? { texts: [] };
    expect(texts.filter((text) => text.includes('"nack"'))).toEqual([]);
  });

  it("signals without a rule are sent at once", () => {
    const signals = new OutgoingSignals();
    for (let x = 0; x < 5; x++) {
      signals.offer("lab.point", String(x), undefined);
      expect(signals.take(0)).toBe(String(x));
    }
    expect(signals.nextAt()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a pacer", () => {
  it("the pacer never lets more through in any window than the rule allows", () => {
    const step = fc.record({
      after: fc.integer({ min: 0, max: 400 }),
      tries: fc.integer({ min: 0, max: 20 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step, { maxLength: 60 }), (count, steps) => {
        const pacer = new Pacer();
        pacer.setRate({ count, perMs: 1_000 });
        const sent: number[] = [];
        let now = 0;
        for (const { after, tries } of steps) {
          now += after;
          for (let n = 0; n < tries && pacer.waitMs(now) === 0; n++) {
            pacer.countSent(now);
            sent.push(now);
          }
        }
        for (const at of sent)
          expect(sent.filter((other) => other > at - 1_000 && other <= at).length).toBeLessThanOrEqual(count);
      }),
    );
  });
});

describe("the user's own actions, shown ahead", () => {
  it("the actions show at once, give way to the real events without a flicker, and disappear if they are rejected", async () => {
    const stage = await RoomStage.open();
    const [ann, bob] = [new SessionClient(stage, "ann").start(), new SessionClient(stage, "bob").start()];
    advance(stage, [ann, bob], 100);
    const failures: unknown[] = [];
    const optimistic = new OptimisticStates(
      ann.session.slices,
      {
        chat: { say: (d, { name }) => ({ n: "said", d: { name, text: (d as { text: string }).text } }) },
        lab: {
          add: (d) => [{ n: "added", d }],
          small: () => {
            throw new Error("Who knows?");
          },
        },
      },
      (_, error) => failures.push(error),
    );
    const texts = () => {
      const { chat } = optimistic.compute(ann.session.pending, ann.session.you, ann.session.seq) as {
        chat: { messages: { text: string }[] };
      };
      return chat.messages.map(({ text }) => text);
    };
    bob.say("One");
    ann.say("Two");
    ann.say("Three");
    expect(texts()).toEqual(["Two", "Three"]);
    advance(stage, [bob], 0);
    expect(texts()).toEqual(["Two", "Three"]);
    bob.deliverAll();
    // Message by message, the user's own action appears in every state, once.
    for (let n = 0; n < 10; n++) {
      ann.deliverUp();
      stage.advance(50);
      ann.deliverDown(1);
      expect(texts().filter((text) => text !== "One")).toEqual(["Two", "Three"]);
    }
    expect(ann.session.pending).toEqual([]);
    expect(texts()).toEqual(["One", "Two", "Three"]);

    const state = () => optimistic.compute(ann.session.pending, ann.session.you, ann.session.seq);
    const settled = state();
    expect(settled).toBe(ann.session.states);
    ann.do("lab", "add", { n: 5 });
    expect(state()).toMatchObject({ lab: { total: 5 } });
    expect(state().chat).toBe(settled.chat);
    expect(state()).toBe(state());
    ann.do("lab", "refused");
    ann.do("lab", "small", { text: "x" });
    expect(state()).toMatchObject({ lab: { total: 5 } });
    expect(failures).toHaveLength(1);
    advance(stage, [ann, bob], 500);
    expect(state()).toBe(ann.session.states);
  });
});
