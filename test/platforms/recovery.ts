import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { expectOutcomesTrue, mergeHistories } from "../support/consistent-history";
import { CuttingProxy, cuts } from "../support/cutting-proxy";
import { maxInWindow } from "../support/max-in-window";
import { LibraryClient } from "./library-client";
import type { PlatformStage } from "./platform-stage";
import { freshSeed, type Random, randomFrom } from "./random";
import { eventually, pause } from "./waiting";

/** The full run takes minutes: `npm run test:recovery`. */
const isFullRun = process.env.RECOVERY === "whole";
const CUTS = isFullRun ? 500 : 100;
const CUT_ACTIONS = isFullRun ? 1_000 : 100;
/** A run that once went wrong, or that is worth keeping; and a new one. */
const SEEDS = isFullRun ? [20_261_120, 77, freshSeed()] : [freshSeed()];
/** Longer than a silence ever takes to be noticed, on a machine that has other work. */
const LONG_MS = 60_000;
const GRACE_MS = 1_500;
/** The first probes are out after three seconds, and nothing more keeps the room awake: it is evicted ten after that. */
const ASLEEP_MS = 17_000;

/** A grace that can be waited for. */
export const SHORT_GRACE_ENV = { LEAVE_GRACE_MS: String(GRACE_MS) };

/** Our client and the room, with a network between them that cuts, stalls, half-opens and delays. */
export function describeRecovery(stage: PlatformStage): void {
  let proxy: CuttingProxy;
  let random: Random;
  let clients: LibraryClient[] = [];
  let sleepers: { room: string; people: LibraryClient[]; since: number };

  beforeAll(async () => {
    const room = stage.makeRoomName("asleep");
    const people = ["ann", "bob"].map((user) => new LibraryClient(stage, stage.server.host, room, user));
    await Promise.all(people.map((one) => one.room.joined()));
    await people[0]?.say("good night");
    // Requested now, checksums are not requested while it is quiet.
    for (const one of people) expect(await one.verify()).toEqual([]);
    sleepers = { room, people, since: Date.now() };
  });
  afterAll(() => {
    for (const one of sleepers.people) one.leave();
  });
  afterEach(async () => {
    for (const one of clients) one.leave();
    clients = [];
    await proxy?.stop();
  });

  async function open(seed: number, delayMs = 10): Promise<void> {
    random = randomFrom(seed);
    proxy = await new CuttingProxy({ port: stage.server.port, random, delayMs, halfOpenMs: 400 }).start();
  }
  async function join(room: string, user: string, tab?: string): Promise<LibraryClient> {
    const visitor = new LibraryClient(stage, proxy.host, room, user, tab);
    clients.push(visitor);
    await visitor.room.joined();
    return visitor;
  }
  /** A waiting client's page becomes visible soon, as is usual: otherwise each cut would take longer than the one before. */
  function retryQuickly(visitor: LibraryClient): void {
    visitor.room.on("status", ({ is }) => {
      if (is === "waiting") setTimeout(() => visitor.room.retryNow(), random.below(200));
    });
  }

  /** All clients are at the room's number, with its state, and received its history and no other. */
  async function expectRecovered(room: string, all: readonly LibraryClient[]) {
    const epoch = String(all[0]?.room.position.epoch);
    const historian = await stage.readHistory(room, epoch, await stage.mintToken({ sub: "historian" }));
    const { seq } = historian;
    await eventually(() => all.every((one) => one.isLive && one.seq >= seq), "everybody is back", LONG_MS);
    for (const one of all) {
      expect(await one.verify(), one.user).toEqual([]);
      expect(one.differedCount).toBe(0);
    }
    const story = mergeHistories([
      { who: "the room", events: historian.events },
      ...all.map(({ user, events }) => ({ who: user, events })),
    ]);
    for (const one of all) expectOutcomesTrue(await one.settledActions(), story);
    return story;
  }

  describe("recovery", () => {
    it.each(SEEDS)(
      `[W3] [O1] each of 20 clients receives the room's events once and in order through ${CUTS} cuts under chatter (SEED=%i)`,
      async (seed) => {
        await open(seed, 20);
        const room = stage.makeRoomName("cuts");
        const people = await Promise.all(Array.from({ length: 20 }, (_, n) => join(room, `user-${n}`)));
        for (const one of people) retryQuickly(one);
        let isOn = true;
        const chatter = people.map(async (one) => {
          while (isOn) {
            one.say();
            await pause(40 + random.below(200));
          }
        });
        for (let cut = 0; cut < CUTS; ) {
          await pause(random.below(60));
          const line = random.pick(proxy.connections.length > 0 ? proxy.connections : [undefined]);
          if (!line) continue;
          if (random.below(4) === 0) {
            const way = random.pick(["up", "down"] as const);
            line.stall(way);
            setTimeout(() => line.resume(way), random.below(500));
            continue;
          }
          proxy.cut(line, random.pick(cuts));
          cut += 1;
        }
        isOn = false;
        await Promise.all(chatter);
        const story = await expectRecovered(room, people);
        const promises = (await Promise.all(people.map((one) => one.settledActions()))).flat();
        expect(promises.map(({ outcome }) => outcome.is).filter((is) => is !== "done")).toEqual([]);
        expect([...story.values()].filter(({ n }) => n === "said")).toHaveLength(promises.length);
        expect(people.map(({ room: { counts } }) => counts.fresh)).toEqual(people.map(() => 1));
        expect([...proxy.counts.keys()].sort(), "it was cut in every way").toEqual([...cuts].sort());
      },
      isFullRun ? 300_000 : 90_000,
    );

    it("[W4] one client resumes ten times in a row without a snapshot", async () => {
      await open(freshSeed());
      const room = stage.makeRoomName("ten");
      const ann = await join(room, "ann");
      const bob = new LibraryClient(stage, stage.server.host, room, "bob");
      clients.push(bob);
      await bob.room.joined();
      retryQuickly(ann);
      for (let round = 1; round <= 10; round += 1) {
        const { connections } = ann.room.counts;
        const [line] = proxy.connections;
        if (!line) throw new Error("ann has no connection to be cut");
        proxy.cut(line, cuts[round % cuts.length] ?? "reset");
        await Promise.all([bob.say(), bob.say(), ann.say()]);
        await eventually(
          () => ann.room.counts.connections > connections && ann.isLive,
          `round ${round}`,
          LONG_MS,
        );
        await eventually(() => ann.seq === bob.seq, "ann has it all", LONG_MS);
      }
      expect([ann, bob].map((one) => one.room.counts.fresh)).toEqual([1, 1]);
      expect(bob.room.counts.connections).toBe(1);
      await expectRecovered(room, [ann, bob]);
    }, 90_000);

    it(
      `[O1] an action sent just before a cut is done once and acknowledged, ${CUT_ACTIONS} times over`,
      async () => {
        await open(freshSeed(), 4);
        const room = stage.makeRoomName("cut");
        const people = await Promise.all(Array.from({ length: 10 }, (_, n) => join(room, `user-${n}`)));
        for (const one of people) retryQuickly(one);
        const rounds = CUT_ACTIONS / people.length;
        await Promise.all(
          people.map(async (one) => {
            for (let round = 0; round < rounds; round += 1) {
              await one.room.joined();
              const said = one.say();
              await pause(random.below(16));
              const line = random.pick(proxy.connections.length > 0 ? proxy.connections : [undefined]);
              if (line) proxy.cut(line, random.pick(["reset", "half-open server", "torn"] as const));
              expect((await said).outcome.is).toBe("done");
            }
          }),
        );
        const story = await expectRecovered(room, people);
        expect([...story.values()].filter(({ n }) => n === "said")).toHaveLength(CUT_ACTIONS);
      },
      isFullRun ? 300_000 : 90_000,
    );

    it("[P1] two tabs of one user count once; closing one changes nothing; closing both and returning within the grace changes nothing; after the grace `left` is sent", async () => {
      await open(freshSeed());
      const room = stage.makeRoomName("tabs");
      const eve = await join(room, "eve");
      const [one, two] = [
        await join(room, "ann", "the one tab of ann, long"),
        await join(room, "ann", "the other tab of ann"),
      ];
      const count = async () => Number((await stage.getRoom(room)).body.users);
      const heard = () => eve.events.filter(({ f }) => f === "presence").map(({ n }) => n);
      expect(await count()).toBe(2);
      one.leave();
      await pause(GRACE_MS + 500);
      expect(heard()).toEqual(["joined"]);
      expect(await count()).toBe(2);
      two.leave();
      await pause(GRACE_MS / 4);
      two.room.join();
      await two.room.joined();
      await pause(GRACE_MS + 500);
      expect(heard(), "no event was sent").toEqual(["joined"]);
      const leftAt = Date.now();
      two.leave();
      await eventually(() => heard().length === 2, "ann's leaving", LONG_MS);
      expect(Date.now() - leftAt, "not before the grace").toBeGreaterThanOrEqual(GRACE_MS - 50);
      expect(heard()).toEqual(["joined", "left"]);
      expect(await count()).toBe(1);
    }, 60_000);

    it("[W4] a client resumes after hibernation without noticing it", async () => {
      const { room, people, since } = sleepers;
      await pause(since + ASLEEP_MS - Date.now());
      const restored = stage.countRestores(room);
      const [ann, bob] = people as [LibraryClient, LibraryClient];
      expect((await ann.say("good morning")).outcome.is).toBe("done");
      await eventually(() => stage.countRestores(room) > restored || restored > 1, "it did sleep, and woke");
      await eventually(() => bob.seq === ann.seq, "bob received it");
      expect(people.map((one) => one.room.counts)).toMatchObject([
        { connections: 1, fresh: 1 },
        { connections: 1, fresh: 1 },
      ]);
      expect(await bob.verify()).toEqual([]);
    }, 60_000);

    it("[F1] [P1] clients resume after `kill -9`: no member has left, no client needs a snapshot, and actions sent meanwhile are done once", async () => {
      await open(freshSeed());
      const room = stage.makeRoomName("killed");
      const people = await Promise.all(Array.from({ length: 8 }, (_, n) => join(room, `user-${n}`)));
      const before = people.map((one) => one.say());
      await stage.kill();
      for (const one of people) one.say();
      await stage.restart();
      for (const one of people) retryQuickly(one);
      for (const one of people) one.room.retryNow();
      await Promise.all([...before, ...people.map((one) => one.settledActions())]);
      await pause(GRACE_MS + 500);
      const story = await expectRecovered(room, people);
      expect([...story.values()].filter(({ n }) => n === "said")).toHaveLength(16);
      expect([...story.values()].filter(({ n }) => n === "left")).toEqual([]);
      expect(people.map((one) => one.room.counts.fresh)).toEqual(people.map(() => 1));
    }, 120_000);

    it("[W4] a client resumes after a quiet longer than any window; from beyond the window it gets one snapshot, and no gap", async () => {
      await stage.restart({ env: { RECOVERY_MS: "1500" } });
      await open(freshSeed());
      const room = stage.makeRoomName("window");
      const ann = await join(room, "ann");
      const bob = new LibraryClient(stage, stage.server.host, room, "bob");
      clients.push(bob);
      await bob.room.joined();
      await bob.say();
      await eventually(() => ann.seq === bob.seq, "ann received it");
      retryQuickly(ann);
      await pause(2_000);
      proxy.cutAny(["reset"]);
      await eventually(
        () => ann.room.counts.connections === 2 && ann.isLive,
        "back after the quiet",
        LONG_MS,
      );
      expect(ann.room.counts.fresh, "a client that is up to date resumes after any quiet time").toBe(1);

      proxy.isRefusing = true;
      proxy.cutAny(["reset"]);
      const away = [bob.say(), bob.say()];
      await Promise.all(away);
      await pause(1_700);
      // The newest frame is always there; those before it are dropped when it comes.
      await bob.say();
      proxy.isRefusing = false;
      await eventually(() => ann.seq === bob.seq && ann.isLive, "back from beyond the window", LONG_MS);
      expect(ann.room.counts.fresh, "one snapshot and no more").toBe(2);
      await bob.say();
      await eventually(() => ann.seq === bob.seq, "and on, without a gap");
      mergeHistories([ann, bob].map(({ user, events }) => ({ who: user, events })));
      for (const one of [ann, bob]) expect(await one.verify()).toEqual([]);
    }, 120_000);

    it("[W4] clients of newer code with more events, a changed reducer and its migration get one snapshot each", async () => {
      await open(freshSeed());
      const room = stage.makeRoomName("release");
      const people = await Promise.all(["ann", "bob", "cat"].map((user) => join(room, user)));
      const [ann, bob] = people as [LibraryClient, LibraryClient, LibraryClient];
      for (let n = 0; n < 3; n += 1) await ann.say();
      const { epoch } = ann.room.position;
      await stage.restart({ main: stage.platform.nextReleaseMain });
      for (const one of people) one.room.retryNow();
      for (const one of people) retryQuickly(one);
      await eventually(() => people.every((one) => one.isLive), "everybody is back", LONG_MS);
      expect(
        people.map((one) => one.room.counts.fresh),
        "one snapshot each",
      ).toEqual([2, 2, 2]);
      expect(
        people.every((one) => one.room.status.outdated),
        "and they are told that they are older",
      ).toBe(true);
      expect(ann.room.position.epoch).toBe(epoch);
      const newer = await stage.joinAsMember(room, "dan");
      expect(newer.slices.chat).toMatchObject({ lines: 3 });
      expect(newer.slices).toHaveProperty("wave");
      // An event that older pages do not know.
      await newer.expectEvent(newer.do("wave", "wave", {}));
      // The release's own handler answers the feature's effect.
      const isAnswer = ({ f, n }: { f: string; n: string }) => f === "wave" && n === "answered";
      await eventually(() => newer.events.some(isAnswer), "the wave is answered");
      expect(newer.events.find(isAnswer)?.d).toEqual({ by: `main/${room} {"waves":1} on` });
      expect((await ann.say("still here")).outcome.is).toBe("done");
      await eventually(() => bob.seq === ann.seq, "bob received it");
      expect(bob.room.state.chat.messages.at(-1)).toMatchObject({ text: "still here" });
      proxy.cutAny(["reset"]);
      await eventually(
        () => people.every((one) => one.isLive && one.seq === ann.seq),
        "and resume as ever",
        LONG_MS,
      );
      expect(people.map((one) => one.room.counts.fresh)).toEqual([2, 2, 2]);
      expect(newer.events.map(({ n }) => n)).not.toContain("left");
    }, 120_000);

    it.runIf(isFullRun)(
      "[P1] a restart at 1,000 members makes no `left` and no snapshot, and the busiest 250 ms have at most a tenth of the reconnects",
      async () => {
        await stage.restart({ env: { RECOVERY_MS: "120000", LEAVE_GRACE_MS: "5000", MAX_USERS: "1000" } });
        await open(freshSeed(), 0);
        const room = stage.makeRoomName("thousand");
        const people: LibraryClient[] = [];
        for (let n = 0; n < 1_000; n += 50) {
          people.push(
            ...(await Promise.all(Array.from({ length: 50 }, (_, m) => join(room, `user-${n + m}`)))),
          );
        }
        await pause(3_000);
        const before = people.map(({ connectStartedAt: setOutAt }) => setOutAt.length);
        await stage.kill();
        await stage.restart();
        await eventually(() => people.every((one) => one.isLive), "everybody is back", 2 * LONG_MS);
        const back = people.map(({ connectStartedAt: setOutAt }, n) => {
          expect(setOutAt.length).toBeGreaterThan(before[n] ?? 0);
          return setOutAt.at(-1) ?? 0;
        });
        expect(maxInWindow(back, 250)).toBeLessThanOrEqual(100);
        expect(people.filter((one) => one.room.counts.fresh !== 1)).toEqual([]);
        await pause(5_000);
        expect(people[0]?.events.filter(({ n }) => n === "left")).toEqual([]);
        expect((await stage.getRoom(room)).body).toMatchObject({ users: 1_000, connections: 1_000 });
      },
      400_000,
    );
  });
}
