import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { labKind, RoomStage } from "../support/room-stage";
import { advance, SessionClient } from "../support/session-client";

const who = fc.nat({ max: 2 });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      is: fc.constant("act" as const),
      who,
      what: fc.constantFrom("say", "add", "echo", "small", "deal"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant("hear" as const), who, count: fc.nat({ max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant("speak" as const), who, count: fc.nat({ max: 4 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      is: fc.constant("pass" as const),
      ms: fc.constantFrom(1, 40, 300, 5_000, 25_000, 70_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant("cut" as const), who }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("halfOpen" as const), who }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("offline" as const), who }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("newCode" as const) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("newLife" as const) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("verify" as const), who }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe("a client on a network that fails at random", () => {
  it("every client gets every event of the room once and in order, and every promise settles with the truth", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 30 }),
        fc.array(step, { minLength: 5, maxLength: 60 }),
        async (seed, steps) => {
          await playSteps(seed, steps);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  // Seeds that once failed stay here.
  it.each<[number, Step[]]>([])("the promise holds for seed %i", (seed, steps) => playSteps(seed, steps));
});

async function playSteps(seed: number, steps: readonly Step[]): Promise<void> {
  const stage = await RoomStage.open({ seed, settings: { actionRate: { count: 50, perMs: 1_000 } } });
  const visitors = ["ann", "bob", "cleo"].map((user) => new SessionClient(stage, user).start());
  /** This client is never cut: its events are the truth. */
  const witness = new SessionClient(stage, "witness").start();
  const all = [...visitors, witness];
  // The tokens end every minute, and a second socket renews them in any state of the first one.
  for (const visitor of all) visitor.tokenLifeMs = 60_000;
  const actions = new Map<string, { visitor: SessionClient; what: string }>();
  let versions = 1;

  for (const next of steps) {
    const visitor = visitors["who" in next ? next.who : 0] as SessionClient;
    switch (next.is) {
      case "act":
        actions.set(actAs(visitor, next.what), { visitor, what: next.what });
        break;
      case "hear":
        visitor.deliverDown(next.count);
        break;
      case "speak":
        visitor.deliverUp(next.count);
        break;
      case "pass":
        advance(stage, all, next.ms);
        break;
      case "cut":
        visitor.cut();
        break;
      case "halfOpen":
        visitor.halfOpen();
        break;
      case "offline":
        visitor.isOffline = !visitor.isOffline;
        visitor.cut();
        break;
      case "verify":
        visitor.session.verify(visitor.now);
        break;
      case "crash":
        await stage.crash();
        for (const each of all) each.loseServer();
        break;
      case "newLife":
        // The room is cleaned up while it is empty, so that a returning client finds another room of the same name.
        await stage.crash();
        for (const each of all) each.loseServer();
        stage.room.close(stage.now);
        stage.makeDurable();
        await stage.wake();
        break;
      case "newCode":
        versions++;
        stage.kind = labKind({ version: String(versions), migrate: (old) => old as never });
        await stage.sleep().catch(() => stage.crash());
        advance(stage, all, 10);
        break;
    }
  }

  for (const visitor of visitors) visitor.isOffline = false;
  advance(stage, all, 200_000);
  for (const visitor of all) visitor.session.verify(visitor.now);
  advance(stage, all, 5_000);

  const { seq } = stage.room.summary(stage.now);
  const history = new Map(
    witness.events.map((event, index) => [`${witness.epochs[index]} ${event.seq}`, event]),
  );
  for (const visitor of all) {
    expect(visitor.session.connection, visitor.user).toEqual({ is: "live" });
    expect(visitor.session.seq, visitor.user).toBe(seq);
    expectInOrder(visitor);
    visitor.events.forEach((event, index) => {
      const same = history.get(`${visitor.epochs[index]} ${event.seq}`);
      if (same) expect(event).toEqual(same);
    });
    const verdict = visitor.verifications.at(-1);
    expect(verdict?.differing, visitor.user).toEqual([]);
    expect(visitor.problems).toEqual([]);
    expect(visitor.session.slices.checksum("chat")).toBe(witness.session.slices.checksum("chat"));
    expect(visitor.session.slices.checksum("lab")).toBe(witness.session.slices.checksum("lab"));
  }

  const done = new Map<string, number>();
  for (const { op, by } of history.values())
    if (op) done.set(`${by} ${op}`, (done.get(`${by} ${op}`) ?? 0) + 1);
  for (const [id, { visitor, what }] of actions) {
    const outcome = visitor.outcome(id);
    expect(outcome, `${visitor.user} ${id}`).toBeDefined();
    const times = done.get(`${visitor.user} ${id}`) ?? 0;
    expect(times).toBeLessThanOrEqual(1);
    if (outcome?.is === "event") expect(visitor.events).toContainEqual(outcome.event);
    if (outcome?.is === "answer") expect(what === "echo" || outcome.seq !== undefined).toBe(true);
    if (outcome?.is === "refused" && outcome.refusal.code !== "unknown_outcome")
      expect(times, JSON.stringify(outcome)).toBe(0);
  }
  // No client was disconnected because of a protocol error.
  expect(stage.runtime.reports.map(({ error }) => String(error))).toEqual([]);
}

function actAs(visitor: SessionClient, what: "say" | "add" | "echo" | "small" | "deal"): string {
  switch (what) {
    case "say":
      return visitor.say("Hello");
    case "add":
      return visitor.do("lab", "add", { n: 1 });
    case "echo":
      return visitor.do("lab", "echo", { text: "x" });
    case "small":
      return visitor.do("lab", "small", { text: "x" });
    case "deal":
      return visitor.do("lab", "deal", { to: [visitor.user, "bob"] });
  }
}

/** Numbers grow by one within an epoch; only a new snapshot may skip some. */
function expectInOrder({ events, epochs }: SessionClient): void {
  events.forEach((event, index) => {
    const before = events[index - 1];
    if (before && epochs[index] === epochs[index - 1] && event.seq <= before.seq)
      throw new Error(`${event.seq} came after ${before.seq}`);
  });
}
