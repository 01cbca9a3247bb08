import { describe, expect, it } from "vitest";
import { RESEND_MS } from "../../src/protocol/limits";
import { freshSeed } from "../platforms/random";
import { expectOutcomesTrue, mergeHistories, type SettledAction } from "../support/consistent-history";
import { labKind } from "../support/room-stage";
import type { SimulatedClient } from "../support/simulated-client";
import { SimulatedRoom } from "../support/simulated-room";
import type { BreakTimes } from "../support/simulated-socket";

/** The full runs take more than a minute (`npm run test:recovery`). Otherwise a few show that it works. */
const isFullRun = process.env.RECOVERY === "whole";
/** Seeds that once failed or are worth keeping, and a new one each time. */
const SEEDS = [...(isFullRun ? [1, 20_261_120, 77, 31_337, 4_711] : [20_261_120]), freshSeed()];
const CUTS = isFullRun ? 500 : 100;
const MINUTE_MS = 60_000;

/** Either side may learn of a cut soon, late or (half-open) never by itself. */
function drawBreakTimes(room: SimulatedRoom): BreakTimes {
  const after = () =>
    room.random.pick([0, 5, 300, 3_000, Number.POSITIVE_INFINITY]) * (0.5 + room.random.next());
  return { hereAfterMs: after(), thereAfterMs: after() };
}

/** Every client is connected and up to date, and every comparison with the room succeeds. */
function expectRecovered(room: SimulatedRoom, clients: readonly SimulatedClient[] = room.clients): void {
  const all = () => {
    const { seq } = room;
    return clients.every(({ session }) => session.isCaughtUp && session.seq === seq);
  };
  expect(room.waitUntil(all, 5 * MINUTE_MS), `everybody is back (seed ${room.world.seed})`).toBe(true);
  for (const client of clients) {
    const { checked } = client;
    client.verify();
    expect(
      room.runUntil(() => client.checked > checked, MINUTE_MS),
      `${client.user} compared`,
    ).toBe(true);
    expect(client.differed, `${client.user} differs (seed ${room.world.seed})`).toBe(0);
    expect(client.problems).toEqual([]);
  }
  expect(room.world.reports.map(({ error }) => String(error))).toEqual([]);
}

function toSettledAction(client: SimulatedClient, id: string, text: string): SettledAction {
  const outcomes = client.outcomes.get(id) ?? [];
  expect(outcomes, `${client.user}'s ${id} settled once`).toHaveLength(1);
  const [outcome] = outcomes;
  if (outcome?.is === "event")
    return { user: client.user, id, text, outcome: { is: "done", seq: outcome.event.seq } };
  if (outcome?.is === "answer") {
    const { seq } = outcome;
    return { user: client.user, id, text, outcome: { is: "done", ...(seq === undefined ? {} : { seq }) } };
  }
  const isUnknown = outcome?.refusal.code === "unknown_outcome";
  return { user: client.user, id, text, outcome: { is: isUnknown ? "unknown" : "refused" } };
}

function mergeClientHistories(clients: readonly SimulatedClient[]) {
  return mergeHistories(clients.map(({ user, tab, events }) => ({ who: `${user} (${tab})`, events })));
}

describe("an action sent just before a cut", () => {
  it.each(SEEDS)(
    "[O1] the action is done once and its promise says so, 1,000 times over, with crashes and sleep among them (seed %i)",
    async (seed) => {
      const room = await SimulatedRoom.open({ seed });
      const ann = room.join({ user: "ann" });
      const bob = room.join({ user: "bob" });
      room.run(2_000);
      const said: [SimulatedClient, string, string][] = [];
      for (let round = 0; round < 1_000; round++) {
        const sender = room.random.pick([ann, bob]);
        room.runUntil(() => sender.session.isCaughtUp, MINUTE_MS);
        const text = `line ${round}`;
        const id = sender.say(text);
        said.push([sender, id, text]);
        // The cut comes before the action is sent, on its way, while its frame gathers, or with the answer on its way back.
        room.run(room.random.next() * 90);
        if (round % 40 === 39) {
          room.die(room.random.below(500));
          room.run(room.random.below(3_000));
          await room.rise();
        } else sender.socket?.break(drawBreakTimes(room));
        expect(
          room.runUntil(() => sender.outcome(id) !== undefined, 2 * MINUTE_MS),
          `${id} settled`,
        ).toBe(true);
        if (round % 25 === 24) {
          room.run(11_000);
          await room.sleep();
        }
      }
      expectRecovered(room);
      const history = mergeClientHistories(room.clients);
      const all = said.map(([client, id, text]) => toSettledAction(client, id, text));
      expectOutcomesTrue(all, history);
      expect(
        all.every(({ outcome }) => outcome.is === "done"),
        "no outcome is unknown",
      ).toBe(true);
      expect([...history.values()].filter(({ n }) => n === "said")).toHaveLength(1_000);
      expect([ann.fresh, bob.fresh]).toEqual([1, 1]);
    },
    60_000,
  );

  it("[O1] the action settles with its event even if it had an answer too, live or from a replay", async () => {
    const room = await SimulatedRoom.open({ seed: 5 });
    const ann = room.join({ user: "ann" });
    room.run(2_000);
    const live = ann.do("lab", "both", {});
    room.run(1_000);
    expect(ann.outcome(live)).toMatchObject({ is: "event", event: { n: "added", op: live } });
    for (let wait = 0; wait < 80; wait += 2) {
      const cut = ann.do("lab", "both", {});
      const answered = ann.do("lab", "echo", { text: `said ${wait}` });
      room.run(wait);
      ann.socket?.break({ hereAfterMs: 10, thereAfterMs: 10 });
      expect(room.runUntil(() => ann.outcomes.has(cut) && ann.outcomes.has(answered), MINUTE_MS)).toBe(true);
      expect([...(ann.outcomes.get(cut) ?? [])]).toMatchObject([
        { is: "event", event: { n: "added", op: cut } },
      ]);
      // An action that only answers has no event in a replay, so the client asks for its answer again.
      expect([...(ann.outcomes.get(answered) ?? [])]).toEqual([{ is: "answer", d: `said ${wait}` }]);
      room.runUntil(() => ann.session.isCaughtUp, MINUTE_MS);
    }
    expectRecovered(room);
  });

  it("[O1] the action is reported as done even if so many are asked about that the connection exceeds its rate", async () => {
    const room = await SimulatedRoom.open({ seed: 6, settings: { actionRate: { count: 10, perMs: 1_000 } } });
    const ann = room.join({ user: "ann" });
    room.run(5_000);
    for (let round = 0; round < 10; round++) {
      const ids = Array.from({ length: 30 }, (_, n) => ann.say(`${round} ${n}`));
      room.run(room.random.below(3_000));
      ann.socket?.break({ hereAfterMs: 0, thereAfterMs: 0 });
      room.runUntil(() => ids.every((id) => ann.outcome(id)), MINUTE_MS);
      expect(ids.map((id) => ann.outcome(id)?.is)).toEqual(ids.map(() => "event"));
    }
    expectRecovered(room);
    const lines = ann.events.filter(({ n }) => n === "said").map(({ d }) => (d as { text: string }).text);
    const wanted = Array.from({ length: 300 }, (_, n) => `${Math.floor(n / 30)} ${n % 30}`);
    expect([...lines].sort()).toEqual([...wanted].sort());
  });
});

describe("an action that may not be sent again", () => {
  it("[O2] an action that is too old is not sent again, and its outcome is unknown, whether it was done or not", async () => {
    for (const reached of [true, false]) {
      const room = await SimulatedRoom.open({ seed: 7 });
      const ann = room.join({ user: "ann" });
      const bob = room.join({ user: "bob" });
      room.run(2_000);
      const id = ann.say("late");
      room.run(reached ? 200 : 0);
      if (reached) expect(ann.outcome(id)).toMatchObject({ is: "event" });
      const unheard = ann.say("unheard");
      if (reached) {
        // The action arrives, and its answer does not.
        room.runUntil(() => bob.events.some(({ op }) => op === unheard), 200);
      }
      ann.socket?.break({ hereAfterMs: 0, thereAfterMs: 0 });
      room.die();
      room.run(RESEND_MS / 2 + 1_000);
      await room.rise();
      room.run(MINUTE_MS);
      if (ann.outcome(unheard)?.is !== "event") {
        expect(ann.outcomes.get(unheard)).toMatchObject([
          { is: "refused", refusal: { code: "unknown_outcome" } },
        ]);
      }
      expectRecovered(room);
      const history = mergeClientHistories([bob]);
      expectOutcomesTrue([toSettledAction(ann, unheard, "unheard")], history);
    }
  });

  it("[O2] an action of the room's previous epoch is not sent again, and its outcome is unknown", async () => {
    const room = await SimulatedRoom.open({ seed: 8, settings: { idleMs: 20_000, leaveGraceMs: 1_000 } });
    const ann = room.join({ user: "ann" });
    room.run(2_000);
    const id = ann.say("of an earlier epoch");
    room.run(1);
    const { epoch } = ann.session;
    room.forget();
    ann.socket?.break({ hereAfterMs: 0, thereAfterMs: 0 });
    await room.rise();
    room.run(30_000);
    expect(ann.session.epoch).not.toBe(epoch);
    expect(ann.outcomes.get(id)).toMatchObject([{ is: "refused", refusal: { code: "unknown_outcome" } }]);
    expect(ann.fresh).toBe(2);
    expectRecovered(room);
    expect(ann.events.some(({ op }) => op === id)).toBe(false);
  });
});

describe("the same operation ids", () => {
  it("[O1] the ids of two users never conflict, nor do those of a host over HTTP", async () => {
    const room = await SimulatedRoom.open({ seed: 9 });
    const ann = room.join({ user: "ann", prefix: "same" });
    const bob = room.join({ user: "bob", prefix: "same" });
    room.run(2_000);
    const all: SettledAction[] = [];
    for (let round = 0; round < 200; round++) {
      const ids = [ann.say(`ann's ${round}`), bob.say(`bob's ${round}`)];
      expect(ids[0]).toBe(ids[1]);
      room.turn((simulated, now) => {
        const action = { id: ids[0] as string, f: "chat", a: "say", d: { text: `the room's ${round}` } };
        expect(simulated.act(action, { user: "ann", name: "ann", role: "host" }, now)).toMatchObject({
          ok: true,
        });
      });
      room.run(room.random.below(60));
      if (room.random.below(3) === 0) ann.socket?.break(drawBreakTimes(room));
      if (room.random.below(3) === 0) bob.socket?.break(drawBreakTimes(room));
      const isSettled = () => [ann, bob].every((one) => one.outcome(ids[0] as string) !== undefined);
      expect(room.runUntil(isSettled, 2 * MINUTE_MS)).toBe(true);
      all.push(
        toSettledAction(ann, ids[0] as string, `ann's ${round}`),
        toSettledAction(bob, ids[0] as string, `bob's ${round}`),
      );
    }
    expectRecovered(room);
    expectOutcomesTrue(all, mergeClientHistories(room.clients));
    expect(all.every(({ outcome }) => outcome.is === "done")).toBe(true);
  });
});

describe("recovery", () => {
  it.each(SEEDS)(
    "[W3] 20 clients get the room's events once and in order through hundreds of cuts under chatter (seed %i)",
    async (seed) => {
      const room = await SimulatedRoom.open({ seed });
      const clients = Array.from({ length: 20 }, (_, n) => room.join({ user: `user-${n}` }));
      room.run(3_000);
      const said: [SimulatedClient, string, string][] = [];
      const speak = (client: SimulatedClient, n: number): void => {
        const text = `${client.user} says ${n}`;
        said.push([client, client.say(text), text]);
        if (cut < CUTS) room.at(room.now + 200 + room.random.below(2_500), () => speak(client, n + 1));
      };
      let cut = 0;
      for (const client of clients) speak(client, 0);
      while (cut < CUTS) {
        room.run(room.random.below(400));
        const whole = clients.filter(({ socket }) => socket && !socket.isBroken);
        if (whole.length === 0) continue;
        room.random.pick(whole).socket?.break(drawBreakTimes(room));
        cut++;
        if (cut % 50 === 0) {
          room.die(1_000);
          room.run(room.random.below(2_000));
          await room.rise();
        }
      }
      room.waitUntil(() => said.every(([client, id]) => client.outcome(id)), 3 * MINUTE_MS);
      expectRecovered(room);
      const history = mergeClientHistories(clients);
      const all = said.map(([client, id, text]) => toSettledAction(client, id, text));
      expectOutcomesTrue(all, history);
      // Some clients were cut off for longer than an action may be resent: their promises say so, truthfully.
      const done = all.filter(({ outcome }) => outcome.is === "done").length;
      expect(done, "nearly all actions are done").toBeGreaterThan(0.8 * all.length);
      expect(
        clients.map(({ fresh }) => fresh),
        "no client needed a second snapshot",
      ).toEqual(clients.map(() => 1));
      // A user who was away for longer than the grace was reported as left, which is the purpose of a grace.
      expect([...history.values()].filter(({ n }) => n === "said").length).toBeGreaterThanOrEqual(done);
    },
    60_000,
  );

  it("[W4] recovery works ten times in a row, and after a quiet time longer than any window", async () => {
    const room = await SimulatedRoom.open({ seed: 10, settings: { recoveryMs: 30_000 } });
    const ann = room.join({ user: "ann" });
    const bob = room.join({ user: "bob" });
    room.run(2_000);
    for (let round = 0; round < 10; round++) {
      ann.socket?.break({ hereAfterMs: 500, thereAfterMs: 500 });
      for (let n = 0; n < round; n++) bob.say(`${round} ${n}`);
      room.run(2_000);
      expect(room.runUntil(() => ann.session.isCaughtUp, 20_000)).toBe(true);
    }
    expect(ann.openedAt).toHaveLength(11);
    for (const quietMs of [MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS]) {
      room.run(quietMs);
      await room.sleep();
      room.run(quietMs);
      ann.socket?.break({ hereAfterMs: 0, thereAfterMs: 0 });
      room.run(5_000);
    }
    expectRecovered(room);
    expect([ann.fresh, bob.fresh]).toEqual([1, 1]);
    mergeClientHistories([ann, bob]);
  });

  it("[W4] recovery from beyond the window is one snapshot, and no gap", async () => {
    const room = await SimulatedRoom.open({
      seed: 11,
      settings: { recoveryMs: 2_000, leaveGraceMs: MINUTE_MS },
    });
    const bob = room.join({ user: "bob" });
    const ann = room.join({ user: "ann" });
    room.run(2_000);
    for (let round = 0; round < 5; round++) {
      ann.socket?.break({ hereAfterMs: 10_000, thereAfterMs: 0 });
      for (let n = 0; n < 10; n++) {
        bob.say(`${round} ${n}`);
        room.run(700);
      }
      room.run(10_000);
      expect(ann.fresh, `after round ${round}`).toBe(2 + round);
      bob.say("and on");
      room.run(500);
    }
    expectRecovered(room);
    mergeClientHistories([ann, bob]);
  });

  it("[W4] recovery over newer code with another reducer and other events is one snapshot each, in every client state", async () => {
    const room = await SimulatedRoom.open({ seed: 12 });
    const clients = Array.from({ length: 8 }, (_, n) => room.join({ user: `user-${n}` }));
    room.run(3_000);
    for (const [release, slept] of [
      ["2", true],
      ["3", false],
    ] as const) {
      const before = clients.map(({ fresh }) => fresh);
      const ids = clients.map((one) => one.do("lab", "add", { n: 1 }));
      if (!slept) room.run(room.random.below(60));
      else room.run(11_000);
      room.kind = labKind({
        version: release,
        migrate: (old, from) => ({
          ...(old as { total: number; dealt: []; filler: number }),
          rang: [`from ${from}`],
        }),
      });
      if (slept) expect(await room.sleep()).toBe(true);
      else {
        room.die(500);
        room.run(2_000);
        await room.rise();
      }
      room.run(30_000);
      expectRecovered(room);
      expect(clients.map(({ fresh }) => fresh)).toEqual(before.map((count) => count + 1));
      // An action whose event went with the old state gets its number.
      for (const [n, id] of ids.entries()) expect(["event", "answer"]).toContain(clients[n]?.outcome(id)?.is);
      expect(clients.every(({ session }) => session.outdated)).toBe(true);
    }
    const late = room.join({ user: "late" });
    room.run(2_000);
    expect(late.session.states.lab).toMatchObject({ total: 16 });
  });
});

describe("an abandoned handshake that arrives later", () => {
  it("[A5] the late handshake replaces its successor, and keeps no user out", async () => {
    for (const heldBackMs of [15_000, 20_000, 40_000]) {
      const room = await SimulatedRoom.open({ seed: 16 });
      const ann = room.join({ user: "ann" });
      const bob = room.join({ user: "bob" });
      room.run(3_000);
      room.heldBackMs.push(heldBackMs);
      ann.socket?.break({ hereAfterMs: 0, thereAfterMs: 0 });
      const id = ann.say("in between");
      room.run(2 * MINUTE_MS);
      expect(ann.session.connection).toMatchObject({ is: "live" });
      expect(ann.outcome(id)).toMatchObject({ is: "event" });
      expectRecovered(room);
      expect([ann.fresh, bob.fresh]).toEqual([1, 1]);
    }
  });

  it("[A5] the client recognises it as its own even after leaving and joining again", async () => {
    const room = await SimulatedRoom.open({ seed: 18 });
    room.heldBackMs.push(20_000);
    const ann = room.join({ user: "ann" });
    room.run(100);
    ann.leave();
    ann.happen((now) => ann.session.start(now));
    room.run(2 * MINUTE_MS);
    expect(ann.session.connection).toMatchObject({ is: "live" });
  });

  it("[A5] the late handshake does not make two sockets of one tab replace each other for ever", async () => {
    const room = await SimulatedRoom.open({ seed: 17 });
    const one = room.join({ user: "ann", tab: "same" });
    room.run(3_000);
    room.heldBackMs.push(20_000);
    one.socket?.break({ hereAfterMs: 0, thereAfterMs: 0 });
    room.run(2 * MINUTE_MS);
    const two = room.join({ user: "ann", tab: "same" });
    room.run(5 * MINUTE_MS);
    expect(one.session.connection).toMatchObject({ is: "ended", code: 4409 });
    expect(two.session.connection).toMatchObject({ is: "live" });
  });
});

describe("two tabs of one user", () => {
  it("[P1] the tabs count once through any number of cuts, and after both close `left` follows the grace and not earlier", async () => {
    const room = await SimulatedRoom.open({ seed: 15 });
    const eve = room.join({ user: "eve" });
    const [one, two] = [room.join({ user: "ann", tab: "one" }), room.join({ user: "ann", tab: "two" })];
    room.run(3_000);
    expect(room.users).toBe(2);
    const presence = () => eve.events.filter(({ f }) => f === "presence").map(({ n }) => n);
    expect(presence()).toEqual(["joined"]);
    for (let round = 0; round < 20; round++) {
      room.random.pick([one, two]).socket?.break({ hereAfterMs: 0, thereAfterMs: 0 });
      room.run(4_000);
    }
    one.leave();
    room.run(MINUTE_MS);
    expect(presence()).toEqual(["joined"]);
    two.leave();
    room.run(4_900);
    two.happen((now) => two.session.start(now));
    room.run(MINUTE_MS);
    expect(presence()).toEqual(["joined"]);
    two.leave();
    room.run(4_900);
    expect(presence()).toEqual(["joined"]);
    room.run(300);
    expect(presence()).toEqual(["joined", "left"]);
    expectRecovered(room, [eve]);
  });
});
