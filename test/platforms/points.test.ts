import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PROJECT } from "../../scripts/project.mjs";
import { SIGNATURE_HEADER, signCall } from "../../src/edge/signed-calls/signed-call";
import { MAX_POINTS } from "../../src/protocol/limits";
import { CuttingProxy } from "../support/cutting-proxy";
import { queryLocalDatabase } from "../support/local-database";
import { cloudflare, partykit } from "../support/platforms";
import { freePort } from "../support/ports";
import { OPEN_ENV, PlatformStage } from "./platform-stage";
import { randomFrom } from "./random";
import { AUTH_SECRET } from "./tokens";
import { eventually, pause } from "./waiting";

const BATCH_SECRET = "a secret that both sides of this suite sign with";
const FLUSH_MS = 2_000;
const GRACE_MS = 500;

/** Rooms on PartyKit whose worker is behind a proxy, and rooms in that worker: every point goes to one database. */
describe("points on their way to the boards", () => {
  const far = new PlatformStage(partykit);
  const near = new PlatformStage(cloudflare);
  let proxy: CuttingProxy;
  let admin = "";

  beforeAll(async () => {
    const ports = { rooms: await freePort(), worker: await freePort() };
    proxy = await new CuttingProxy({ port: ports.worker, random: randomFrom(1) }).start();
    const shared = {
      ...OPEN_ENV,
      BATCH_SECRET,
      ROOMS_URL: `http://127.0.0.1:${ports.rooms}`,
      SCOREBOARD_URL: `http://${proxy.host}`,
      FLUSH_MS: `${FLUSH_MS}`,
      LEAVE_GRACE_MS: `${GRACE_MS}`,
      IDLE_MS: "4000",
      BOARD_TTL_MS: "1",
    };
    await near.start(shared, ports.worker);
    await far.start(shared, ports.rooms);
    admin = await near.mintToken({ sub: "ada", role: "admin" });
  }, 180_000);
  afterAll(async () => {
    await Promise.all([far.stop(), near.stop()]);
    await proxy.stop();
  }, 30_000);
  afterEach(() => {
    proxy.isRefusing = false;
    expect([far, near].flatMap((stage) => stage.closeClients())).toEqual([]);
  });

  let ids = 0;
  const award = (stage: PlatformStage, room: string, user: string, points: number, token = admin) => {
    ids += 1;
    return stage.postAction(room, { id: `${ids}`, f: "scores", a: "award", d: { user, points } }, token);
  };
  const onBoard = async (user: string, board = "main"): Promise<number | undefined> => {
    const { status, body } = await near.fetch(`/v1/boards/${board}/users/${user}`);
    return status === 200 ? Number(body.points) : undefined;
  };
  const reaches = (user: string, points: number, board = "main", ms = 30_000) =>
    eventually(async () => (await onBoard(user, board)) === points, `${user} to have ${points}`, ms);
  const send = async (batch: object, secret = BATCH_SECRET) => {
    const body = JSON.stringify(batch);
    const signature = await signCall({ method: "POST", path: "/v1/batches", body }, secret, Date.now());
    return near.fetch("/v1/batches", { method: "POST", body, headers: { [SIGNATURE_HEADER]: signature } });
  };

  describe.each([
    ["PartyKit", far],
    ["Cloudflare", near],
  ])("%s", (name, stage) => {
    const person = (who: string) => `${who}-${name}-${process.pid}`;

    it("[K4] a player banned between scoring and flush gets nothing, the others do, and the room learns of it, though the first answer was lost", async () => {
      const [ann, bob] = [person("ann"), person("bob")];
      const room = stage.makeRoomName("banned");
      const host = await stage.joinAsHost(room);
      for (const user of [ann, bob]) await stage.joinAsMember(room, user);
      const lost = stage === far ? loseFirstAnswer(ann) : Promise.resolve();
      for (const user of [ann, bob]) expect((await award(stage, room, user, 5)).status).toBe(200);
      const banned = await near.fetch(`/v1/bans/${bob}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${admin}` },
        body: "{}",
      });
      expect(banned.status).toBe(200);
      await lost;
      await reaches(ann, 5);
      const told = await host.waitFor(
        () => host.events.find(({ n }) => n === "refused"),
        "who was refused",
        40_000,
      );
      expect(told.d).toEqual({ users: [bob], count: 1 });
      await near.fetch(`/v1/bans/${bob}`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${admin}` },
      });
      await pause(FLUSH_MS);
      expect(await onBoard(bob)).toBeUndefined();
      expect(host.events.filter(({ n }) => n === "refused")).toHaveLength(1);
    });

    it("[K7] [B8] a room that is cleaned up and opened again has a receipt of its own epoch, so its batches do not collide", async () => {
      const ann = person("again");
      const room = stage.makeRoomName("again");
      const epochs = new Set<string | undefined>();
      for (let life = 1; life <= 2; life += 1) {
        const host = await stage.joinAsHost(room, ann);
        epochs.add(host.epoch);
        expect((await award(stage, room, ann, 10 ** life)).status).toBe(200);
        host.close();
        await eventually(
          async () => (await stage.getRoom(room)).status === 404,
          "the room to be gone",
          60_000,
        );
      }
      await reaches(ann, 110);
      await reaches(ann, 110, `main:${room}`);
      expect(epochs.size).toBe(2);
      const receipts = await queryLocalDatabase<{ epoch: string; n: number; closed_at: number | null }>(
        near.server,
        `select epoch, n, closed_at from receipts where room = 'main/${room}'`,
      );
      expect(new Set(receipts.map(({ epoch }) => epoch))).toEqual(epochs);
      expect(receipts.map(({ n, closed_at }) => [n, closed_at !== null])).toEqual(
        [1, 2].map(() => [2, true]),
      );
    });

    it("[B5] [T3] a host of one room and a guest who opened one put no points on a board that is not theirs", async () => {
      const [ann, room, other] = [person("thief"), stage.makeRoomName("mine"), stage.makeRoomName("theirs")];
      const host = await stage.joinAsHost(room, ann);
      await stage.joinAsHost(other, person("owner"));
      const token = await stage.mintToken({ sub: ann, role: "host", rooms: [`main/${room}`] });
      expect((await award(stage, other, ann, 1_000, token)).status).toBe(403);
      const intruder = stage.join({ room: other, token });
      expect((await intruder.waitForBye()).code).toBe(4403);
      for (const board of [`main:${other}`, "quiz", "__proto__", "constructor", "main:", ""]) {
        const nack = await host.expectNack(host.do("scores", "award", { user: ann, points: 1_000, board }));
        expect(nack.code, board).toBe("bad_data");
      }
      const player = await stage.joinAsMember(other, person("player"));
      const refused = await player.expectNack(
        player.do("scores", "award", { user: player.you.user, points: 5 }),
      );
      expect(refused.code).toBe("not_allowed");

      const guests = stage.makeRoomName("guests");
      const guest = await stage.joinAsGuest(guests, { name: "Gus" });
      const refusedGuest = await guest.expectNack(
        guest.do("scores", "award", { user: guest.you.user, points: 7 }),
      );
      expect(refusedGuest.code).toBe("not_allowed");
      for (const user of [ann, person("player"), guest.you.user]) {
        expect(await onBoard(user), user).toBeUndefined();
        expect(await onBoard(user, `main:${other}`), user).toBeUndefined();
      }
    });

    it("[K6] a host who comes to a guest's room before anybody has scored makes it feed the kind's board", async () => {
      const room = stage.makeRoomName("guests");
      const guest = await stage.joinAsGuest(room, { name: "Gus" });
      const owner = await stage.joinAsHost(room, person("late"));
      for (const user of [guest.you.user, owner.you.user]) {
        await owner.expectEvent(owner.do("scores", "award", { user, points: 7 }));
        await reaches(user, 7, `main:${room}`);
        await reaches(user, 7);
      }
    });

    it("[R1] a closing room still delivers its points, and a user who joins at the same moment gets a new room", async () => {
      const ann = person("closing");
      const room = stage.makeRoomName("closing");
      let sum = 0;
      for (let time = 1; time <= 2; time += 1) {
        const host = stage.join({
          room,
          token: await stage.mintToken({ sub: ann, role: "host", rooms: [`main/${room}`] }),
          resume: true,
        });
        await host.waitFor(() => host.welcomes.length > 0 || undefined, "a welcome", 30_000);
        expect((await award(stage, room, ann, 3)).status).toBe(200);
        sum += 3;
        const closes = stage.fetch(`/parties/main/${room}`, {
          method: "DELETE",
          headers: { authorization: `Bearer ${admin}` },
        });
        const comes = stage.join({ room, token: await stage.mintToken({ sub: `${ann}-2` }) });
        await comes.waitFor(() => comes.welcomes.length + comes.byes.length > 0 || undefined, "an answer");
        expect((await closes).status).toBe(200);
        host.close();
        comes.close();
        await eventually(
          async () => (await stage.getRoom(room)).status === 404,
          "the room to be gone",
          30_000,
        );
      }
      await reaches(ann, sum);
      await pause(FLUSH_MS);
      expect(await onBoard(ann)).toBe(sum);
    });
  });

  it("[B7] one poisoned entry among 200 becomes a dead letter, shows in /health, and is corrected and applied once by `npm run dead-letters`", async () => {
    const at = Date.now();
    const names = Array.from({ length: 200 }, (_, n) => `poison-${process.pid}-${n}`);
    const entry = (user: string, points: number) => ({
      board: "main",
      user,
      name: user,
      points,
      firstAt: at,
      lastAt: at,
      seq: 1,
    });
    const [poisoned = ""] = names.slice(77);
    const envelope = { v: 1, room: "main/poisoned", epoch: "poison" };
    const warnings = async () => (await near.fetch("/health")).body;
    expect(await warnings()).toMatchObject({ ok: true, aside: 0, warnings: [] });
    await send({ ...envelope, n: 1, entries: [entry(poisoned, MAX_POINTS - 10)] });
    const batch = { ...envelope, n: 2, entries: names.map((user, n) => entry(user, n + 1)) };
    expect((await send(batch)).body).toEqual({ applied: true, refused: [] });
    expect((await send(batch)).body).toMatchObject({ applied: false, reason: "duplicate" });
    expect(await onBoard(names[199] as string)).toBe(200);
    expect(await onBoard(poisoned)).toBe(MAX_POINTS - 10);
    await eventually(async () => (await warnings()).aside === 1, "/health to say so", 20_000);
    expect(await warnings()).toMatchObject({
      ok: true,
      warnings: [expect.stringContaining("npm run dead-letters")],
    });

    const list = await aside();
    expect(list.out).toMatch(/^\d+\tmain\/poisoned\twaits\t.*2\^53/);
    const [id = ""] = list.out.split("\t");
    expect((await aside(id)).out).toContain(`"user": "${poisoned}"`);
    for (const wrong of [
      [id, "--apply", "--set", "5"],
      [id, "--apply", "--set", "{"],
      [id, "--apply", "--set", "{}"],
      [id, "--set", '{"points":5}'],
      ["--apply"],
      ["nonsense"],
      [id, id],
      ["--no-such-flag"],
      [id, "--url", "http://127.0.0.1:9"],
      [id, "--apply"],
    ]) {
      const { code, err } = await aside(...wrong);
      expect([code, / at .*\.mjs:/.test(err)], wrong.join(" ")).toEqual([1, false]);
      expect(err.length, wrong.join(" ")).toBeGreaterThan(10);
    }
    expect(await onBoard(poisoned)).toBe(MAX_POINTS - 10);
    const both = await Promise.all([1, 2, 3].map(() => aside(id, "--apply", "--set", '{"points":5}')));
    expect(both.filter(({ code }) => code === 0)).toHaveLength(1);
    expect((await aside(id, "--apply", "--set", '{"points":5}')).err).toContain("applied already");
    await reaches(poisoned, MAX_POINTS - 5);
    expect((await aside()).out).toContain("Nothing is set aside.");
    expect((await aside("--all")).out).toContain("applied");
    await eventually(async () => (await warnings()).aside === 0, "/health to say so", 20_000);
    expect((await send({ ...envelope, n: 3, entries: [entry(names[0] as string, 1)] })).body).toMatchObject({
      applied: true,
    });
  });

  it("[S2] a forged batch adds no points", async () => {
    const at = Date.now();
    const user = `forger-${process.pid}`;
    const entries = [{ board: "main", user, name: user, points: 9, firstAt: at, lastAt: at, seq: 1 }];
    const batch = { v: 1, room: "main/forged", epoch: "forged", n: 1, entries };
    expect((await send(batch, "somebody else's secret")).status).toBe(401);
    expect((await near.fetch("/v1/batches", { method: "POST", body: JSON.stringify(batch) })).status).toBe(
      401,
    );
    const headers = { authorization: `Bearer ${admin}` };
    const asAdmin = await near.fetch("/v1/batches", { method: "POST", body: JSON.stringify(batch), headers });
    expect(asAdmin.status).toBe(401);
    expect(await onBoard(user)).toBeUndefined();
  });

  describe("points of rooms that sleep", () => {
    /** Longer than it takes an idle room to be evicted: its alarm has to bring it to life. */
    const SLEEPY = { FLUSH_MS: "14000", IDLE_MS: "60000" };

    beforeAll(async () => {
      await near.restart({ env: SLEEPY });
      await far.restart({ env: SLEEPY });
    }, 120_000);

    it("[K1] [R2] [R4] sleeping rooms send points when they are due; with the worker away a hundred rooms keep theirs and their timers, and once it is back all arrive without a burst", async () => {
      const users = Array.from({ length: 100 }, (_, n) => `crowd-${process.pid}-${n}`);
      const rooms = users.map(() => far.makeRoomName("away"));
      const members = await Promise.all(rooms.map((room, n) => far.joinAsMember(room, users[n] as string)));
      const [first = ""] = rooms;
      const witness = await far.joinAsMember(first, "witness");
      const sleeper = `sleeper-${process.pid}`;
      const asleep = near.makeRoomName("asleep");
      await near.joinAsMember(asleep, sleeper);
      expect((await award(near, asleep, sleeper, 1)).status).toBe(200);

      proxy.isRefusing = true;
      for (const line of proxy.connections) line.destroy();
      const round = () => Promise.all(rooms.map((room, n) => award(far, room, users[n] as string, 1)));
      await round();
      await reaches(sleeper, 1);
      expect(near.countRestores(asleep)).toBeGreaterThan(1);
      const woken = () => rooms.filter((room) => far.countRestores(room) > 1).length;
      await eventually(() => woken() > 90, "rooms to be woken by what they owe", 20_000);
      // A batch is in flight in vain: later points wait.
      let awards = 1;
      for (; awards < 5; awards += 1) {
        await round();
        await pause(1_500);
      }
      const leavesAt = performance.now();
      members[0]?.close();
      await witness.waitFor(
        () => witness.events.some(({ n }) => n === "left") || undefined,
        "the leaving",
        5_000,
      );
      expect(performance.now() - leavesAt).toBeLessThan(GRACE_MS + 1_500);

      const triesAway = proxy.connectedAt.length;
      for (const member of members) member.close();
      proxy.isRefusing = false;
      const back = performance.now();
      await Promise.all(users.map((user) => reaches(user, awards, "main", 60_000)));
      const tries = proxy.connectedAt.filter((at) => at > back).map((at) => Math.floor((at - back) / 1_000));
      const busiest = Math.max(...tries.map((second) => tries.filter((other) => other === second).length));
      console.log(
        `100 rooms, ${woken()} of which had slept: ${triesAway} tries while the worker was away, ${tries.length} after, at most ${busiest} in a second`,
      );
      // A room has two effects: its points, and its presence.
      expect(triesAway).toBeLessThan(100 * 2 * 12);
      expect(busiest).toBeLessThan(130);
    });
  });

  /** The batch is applied, and its answer is held back until it is given up. */
  async function loseFirstAnswer(user: string): Promise<void> {
    const isWarned = () => far.log.includes("scores/batch will be tried again");
    proxy.isRefusing = true;
    for (const line of proxy.connections) line.destroy();
    await eventually(isWarned, "a batch that was sent in vain");
    const deafen = setInterval(() => {
      for (const line of proxy.connections) line.stall("down");
    }, 1);
    try {
      proxy.isRefusing = false;
      await eventually(async () => (await onBoard(user)) !== undefined, "the batch to be taken", 20_000);
    } finally {
      clearInterval(deafen);
    }
    const before = proxy.connectedAt.length;
    for (const line of proxy.connections) line.destroy();
    await eventually(() => proxy.connectedAt.length > before, "the batch to be sent again");
  }

  async function aside(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const env = { ...process.env, AUTH_SECRET, SCOREBOARD_URL: near.server.http };
    try {
      const run = promisify(execFile)(process.execPath, ["scripts/dead-letters.mjs", ...args], {
        cwd: PROJECT,
        env,
      });
      const { stdout, stderr } = await run;
      return { code: 0, out: stdout, err: stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, out: stdout, err: stderr };
    }
  }
});
