import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { LiveTop } from "../../src/protocol/live";
import { CuttingProxy } from "../support/cutting-proxy";
import { LiveListener } from "../support/live-listener";
import { cloudflare, partykit } from "../support/platforms";
import { freePort } from "../support/ports";
import { OPEN_ENV, PlatformStage } from "./platform-stage";
import { freshSeed, randomFrom } from "./random";
import { eventually, pause } from "./waiting";

const LISTENERS = 200;
const PLAYERS = 20;
/** Every listener is cut off about once in the time of the test. */
const CUTS = 150;
const AWARDS = 120;
const AWARD_EVERY_MS = 60;
/** An object that has nothing to do is taken out of memory after some ten seconds. */
const SLEEP_WAIT_MS = 15_000;

/** Rooms of both platforms feed one board, which the worker streams live. */
describe("live boards", () => {
  const far = new PlatformStage(partykit);
  const near = new PlatformStage(cloudflare);
  const both = [far, near];
  let admin = "";
  let actions = 0;

  beforeAll(async () => {
    const ports = { rooms: await freePort(), worker: await freePort() };
    const shared = {
      ...OPEN_ENV,
      LIVE_LIMIT: "0",
      BATCH_SECRET: "a secret that both sides of this suite sign with",
      ROOMS_URL: `http://127.0.0.1:${ports.rooms}`,
      SCOREBOARD_URL: `http://127.0.0.1:${ports.worker}`,
      FLUSH_MS: "300",
    };
    await near.start(shared, ports.worker);
    await far.start(shared, ports.rooms);
    admin = await near.mintToken({ sub: "ada", role: "admin" });
  }, 180_000);
  afterAll(() => Promise.all(both.map((stage) => stage.stop())), 30_000);
  afterEach(() => {
    expect(both.flatMap((stage) => stage.closeClients())).toEqual([]);
  });

  const award = async (stage: PlatformStage, room: string, user: string, points: number) => {
    actions += 1;
    const action = { id: `award-${actions}`, f: "scores", a: "award", d: { user, points } };
    expect(await stage.postAction(room, action, admin)).toMatchObject({ status: 200 });
  };
  const fresh = async (board: string): Promise<LiveTop> => {
    const { body } = await near.fetch(`/v1/boards/${board}?limit=100`);
    const { version, updatedAt, entries } = body as unknown as LiveTop;
    return { version, updatedAt, entries };
  };
  const counted = async (sample: string) => {
    const { text } = await near.fetch("/metrics");
    const line = text.split("\n").find((one) => one.startsWith(`${sample} `));
    return Number(line?.slice(sample.length));
  };
  const looks = () => counted('tallyroom_database_calls_total{for="live",outcome="ok"}');
  const awoke = (board: string) => near.log.split(`restored board ${board}\n`).length - 1;

  const seed = freshSeed();
  it.each(both.map((stage) => [stage.platform.name, stage] as const))(
    `[V2] [V3] [V6] ${LISTENERS} listeners to rooms on %s, cut off ${CUTS} times, end on the board as it is read; without listeners the object sleeps (seed ${seed})`,
    async (name, stage) => {
      const random = randomFrom(seed);
      const proxy = await new CuttingProxy({ port: near.server.port, random }).start();
      const room = stage.makeRoomName("live");
      const board = `main:${room}`;
      const users = Array.from({ length: PLAYERS }, (_, at) => `${name}-player-${at}`);
      await Promise.all(users.map((user) => stage.joinAsMember(room, user)));
      await award(stage, room, users[0] as string, 1);
      await eventually(async () => (await fresh(board)).version > 0, "the board");
      const listeners = Array.from(
        { length: LISTENERS },
        () => new LiveListener(`http://${proxy.host}/v1/boards/${board}/live`),
      );
      try {
        await eventually(() => listeners.every(({ top }) => top), "everybody's first board", 30_000);
        expect(await counted("tallyroom_live_listeners")).toBeGreaterThanOrEqual(LISTENERS);

        let isOver = false;
        const cutting = (async () => {
          let cuts = 0;
          for (; !isOver; cuts += 1) {
            proxy.cutAny();
            await pause((AWARDS * AWARD_EVERY_MS) / CUTS);
          }
          return cuts;
        })();
        for (let at = 0; at < AWARDS; at += 1) {
          // Every listener once, and then random ones.
          await award(stage, room, users[at] ?? random.pick(users), 1 + random.below(50));
          await pause(AWARD_EVERY_MS);
        }
        isOver = true;
        const cuts = await cutting;
        expect(cuts).toBeGreaterThanOrEqual(CUTS / 2);

        await pause(1_000);
        const last = await fresh(board);
        expect(last.entries.length).toBe(PLAYERS);
        await eventually(
          () => listeners.every(({ top }) => JSON.stringify(top) === JSON.stringify(last)),
          "all on the board as it is read",
          20_000,
        );
        expect(listeners.flatMap(({ violations: faults }) => faults)).toEqual([]);
        expect(listeners.flatMap(({ rejectedStatuses: refusals }) => refusals)).toEqual([]);
        const sum = (of: (one: LiveListener) => number) => listeners.reduce((all, one) => all + of(one), 0);
        console.log(
          `${name}: ${LISTENERS} listeners came ${sum(({ connectCount: came }) => came)} times over ${cuts} cuts, heard ${sum(({ received: heard }) => heard.board)} boards and ${sum(({ received: heard }) => heard.change)} changes, ended on version ${last.version}`,
        );
        expect(sum(({ connectCount: came }) => came)).toBeGreaterThan(LISTENERS + cuts / 2);
        expect(
          sum(({ received: heard }) => heard.change),
          "resumed, and not told all of it again",
        ).toBeGreaterThan(sum(({ received: heard }) => heard.board));
      } finally {
        for (const one of listeners) one.leave();
        await proxy.stop();
      }

      // Writes to listeners that left are how it learns that they did.
      await eventually(
        async () => {
          await award(stage, room, users[0] as string, 1);
          return (await counted("tallyroom_live_listeners")) === 0;
        },
        "nobody listens any more",
        60_000,
      );
      const { version } = await fresh(board);
      const before = { looks: await looks(), awoke: awoke(`${board} all`) };
      expect(before.awoke).toBe(1);
      for (let at = 0; at < 5; at += 1) {
        await award(stage, room, users[1] as string, 1);
        await pause(500);
      }
      await eventually(async () => (await fresh(board)).version > version + 2, "what others award meanwhile");
      expect(await looks(), "without listeners it makes no query, though points are awarded").toBe(
        before.looks,
      );
      await pause(SLEEP_WAIT_MS);
      expect(await looks()).toBe(before.looks);
      const late = new LiveListener(`${near.server.http}/v1/boards/${board}/live`);
      try {
        await eventually(() => late.top, "the board, once more");
        expect(late.top).toEqual(await fresh(board));
        expect(awoke(`${board} all`), "it had left memory, and came to life for this").toBe(2);
      } finally {
        late.leave();
      }
    },
    180_000,
  );

  it.each([
    ["nothing/live", 404],
    [`main:nobody-was-there-${process.pid}/live`, 404],
    ["main/live?period=year", 400],
    ["main/live?period=day:2026-01-05", 400],
    ["main/live?limit=5", 400],
    ["main/live?period=day&period=week", 400],
  ])("[V1] %s is %s, and no stream", async (path, status) => {
    const answer = await near.fetch(`/v1/boards/${path}`);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code: expect.any(String), message: expect.stringMatching(/\.$/) });
  });
});
