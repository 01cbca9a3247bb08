import { beforeAll, describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import type { PartyClient, RawClient } from "./sockets";
import { eventually, pause } from "./waiting";

/**
 * A grace longer than sleep takes to come, so that its alarm has to wake the room; a short recovery time shows that being up
 * to date needs none.
 */
export const SLEEP_ENV = { LEAVE_GRACE_MS: "13000", RECOVERY_MS: "1000" };

/** Both runtimes evict an idle object after some ten seconds; the moment is not visible outside, and a request would wake it. */
const SLEEP_MS = 14_000;

/** What a server prints comes a moment after what it sends. */
const LOG_MS = 1000;

interface SleepingRoom {
  room: string;
  ann: PartyClient;
  bob: PartyClient;
  restoreCount: number;
}

export interface SleepingRooms {
  alarm: { room: string; epoch: string; since: number; restores: number };
  twice: { room: string; epoch: string };
  cut: { ann: PartyClient; bare: PartyClient; guest: string; killedAt: number };
  rooms: Map<string, SleepingRoom>;
  quietSince: number;
}

const toTabName = (user: string) => `the one tab of ${user}, 20 characters`;

/** A room that a kill cut off, one that its last member has left to its alarm, and some in which all users are idle. */
export async function prepareSleepingRooms(stage: PlatformStage): Promise<SleepingRooms> {
  const cut = stage.makeRoomName("cut");
  const ann = await stage.joinAsMember(cut, "ann", { tab: toTabName("ann"), resume: true });
  // On plain sockets: partysocket would be back by itself.
  const plain = async (room: string, user: string) => {
    const client = stage.openRaw({ room, query: `_pk=plain&token=${await stage.mintToken({ sub: user })}` });
    await client.waitForWelcome();
    await client.expectEvent(client.say("before the night"));
    return client;
  };
  await plain(cut, "bob");
  const bare = stage.joinBare(cut);
  const guest = (await bare.waitForWelcome()).you.user;
  const first = await plain(stage.makeRoomName("twice"), "ann");
  const killedAt = Date.now();
  await stage.kill();
  const twice = readRoom(first);
  await stage.restart();
  await ann.waitFor(() => ann.welcomes[1], "ann is back", 30_000);

  const last = await plain(stage.makeRoomName("alarm"), "bob");
  const asleep = new Map<string, SleepingRoom>();
  for (const about of ["message", "ping", "request", "two", "closing", "replaced", "away"]) {
    asleep.set(about, await makeQuietRoom(stage, about));
  }
  last.close();
  asleep.get("away")?.bob.close();
  await pause(LOG_MS);
  for (const one of asleep.values()) {
    one.restoreCount = stage.countRestores(one.room);
  }
  const alarm = readRoom(last);
  return {
    alarm: { ...alarm, since: last.seq, restores: stage.countRestores(alarm.room) },
    twice,
    cut: { ann, bare, guest, killedAt },
    rooms: asleep,
    quietSince: Date.now(),
  };
}

function readRoom(client: RawClient): { room: string; epoch: string } {
  const [welcome] = client.welcomes;
  if (!welcome) {
    throw new Error("no client has been welcomed");
  }
  return { room: welcome.room.id, epoch: welcome.epoch };
}

/** Two users who sent something and then idle. */
async function makeQuietRoom(stage: PlatformStage, about: string): Promise<SleepingRoom> {
  const room = stage.makeRoomName(about);
  const ann = await stage.joinAsMember(room, "ann", { tab: toTabName("ann"), resume: true });
  const bob = await stage.joinAsMember(room, "bob", { tab: toTabName("bob"), resume: true });
  await ann.expectEvent(ann.say("before sleep", "an id from before"));
  await bob.waitForSeq(ann.seq);
  return { room, ann, bob, restoreCount: 0 };
}

/** Right after the restart: a room without a request since. */
export function describeFirstWake(stage: PlatformStage, getRooms: () => SleepingRooms): void {
  describe("waking up", () => {
    it("[W1] the first connections, made at once, see one restored room", async () => {
      const { room, epoch } = getRooms().twice;
      const before = stage.countRestores(room);
      const five = await Promise.all(["a", "b", "c", "d", "e"].map((user) => stage.joinAsMember(room, user)));
      expect(five.map((one) => one.epoch)).toEqual(five.map(() => epoch));
      const last = Math.max(...five.map((one) => one.seq));
      await Promise.all(five.map((one) => one.waitForSeq(last)));
      const said = await Promise.all(five.map((one) => one.expectEvent(one.say(`by ${one.you.user}`))));
      expect(new Set(said.map((event) => event.seq)).size).toBe(5);
      await Promise.all(five.map((one) => one.waitForSeq(Math.max(...said.map((event) => event.seq)))));
      for (const one of five) {
        expect(one.slices).toEqual(five[0]?.slices);
      }
      expect(await countRestoresSince(stage, room, before)).toBe(1);
    });
  });
}

/** Rooms that were not in memory: woken by an alarm, by a socket, by a request, by two at once. */
export function describeWaking(stage: PlatformStage, getRooms: () => SleepingRooms): void {
  describe("waking", () => {
    async function afterSleep(about: string, untouched = true): Promise<SleepingRoom> {
      const { rooms: asleep, quietSince } = getRooms();
      await pause(quietSince + SLEEP_MS - Date.now());
      const slept = asleep.get(about);
      if (!slept) {
        throw new Error(`no room was put to sleep under ${about}`);
      }
      if (untouched) {
        expect(stage.countRestores(slept.room), "no request has woken it").toBe(slept.restoreCount);
      }
      return slept;
    }

    // Its grace takes its time, which the tests in between use.
    beforeAll(async () => {
      const { bob } = await afterSleep("closing");
      bob.close();
    });

    it("[F1] a room woken by its alarm serves sockets and requests afterwards", async () => {
      const { room, epoch, since, restores } = getRooms().alarm;
      await eventually(() => stage.countRestores(room) > restores, "woken by its alarm", 30_000);
      const token = await stage.mintToken({ sub: "hana", role: "host", rooms: [`main/${room}`] });
      const [summary, ann, cyd, posted] = await Promise.all([
        stage.getRoom(room),
        stage.joinAsMember(room, "ann"),
        stage.joinAsMember(room, "cyd"),
        stage.postAction(room, { id: "p", f: "chat", a: "say", d: { text: "from outside" } }, token),
      ]);
      expect(summary.body).toMatchObject({ kind: "main", id: room, epoch });
      expect([ann.epoch, cyd.epoch]).toEqual([epoch, epoch]);
      expect(posted.status).toBe(200);
      expect(Number(posted.body.seq), "bob's left came first").toBeGreaterThan(since + 1);
      const said = await cyd.expectEvent(cyd.say("good morning"));
      await ann.waitForSeq(said.seq);
      expect(ann.slices).toEqual(cyd.slices);
      expect(cyd.slices.presence).toMatchObject({ count: 2, members: { ann: {}, cyd: {} } });
      const { messages } = cyd.slices.chat as { messages: { text: string }[] };
      expect(messages.map(({ text }) => text)).toEqual(["before the night", "from outside", "good morning"]);
    }, 60_000);

    it("[F1] [O1] an idle room with open sockets sleeps, and answers the next message as if it had not", async () => {
      const { room, ann, bob, restoreCount: restores } = await afterSleep("message");
      const said = await ann.expectEvent(ann.say("after sleep"));
      await bob.waitForSeq(said.seq);
      expect(bob.events.at(-1)).toMatchObject({ by: "ann", d: { text: "after sleep" } });
      expect(await ann.say("before sleep", "an id from before")).toMatchObject({ kind: "ack" });
      bob.send({ t: "sig", f: "chat", n: "typing", d: {} });
      await ann.waitFor(() => ann.signals.find((signal) => signal.by === "bob"), "bob's typing");
      for (const one of [ann, bob]) {
        const { sums, own } = await one.verify();
        expect(own).toEqual(sums);
      }
      const late = await stage.joinAsMember(room, "late");
      expect(late.slices.presence).toMatchObject({ count: 3, members: { ann: {}, bob: {}, late: {} } });
      expect((await stage.getRoom(room)).body).toMatchObject({ users: 3, connections: 3 });
      expect(ann.welcomes, "and no socket was lost").toHaveLength(1);
      expect(await countRestoresSince(stage, room, restores), "it did sleep, and woke once").toBe(1);
      expect(ann.events.filter((event) => event.n === "left")).toEqual([]);
    }, 40_000);

    it("[M2] a sleeping room answers a `ping`, and is not woken where the platform answers it", async () => {
      const { room, ann, restoreCount: restores } = await afterSleep("ping");
      ann.send("ping");
      await ann.waitFor(() => ann.pongCount === 1, "a pong");
      expect(await countRestoresSince(stage, room, restores)).toBe(
        stage.platform.capabilities.automaticPong ? 0 : 1,
      );
      await ann.expectEvent(ann.say("awake"));
      expect(await countRestoresSince(stage, room, restores), "it did sleep").toBe(1);
    }, 40_000);

    it("[H] a request to a sleeping room is answered as if it had not slept", async () => {
      const { room, ann, bob, restoreCount: restores } = await afterSleep("request");
      const before = ann.seq;
      const { body } = await stage.getRoom(room);
      expect(body).toMatchObject({ id: room, epoch: ann.epoch, seq: ann.seq, users: 2, connections: 2 });
      expect(await countRestoresSince(stage, room, restores), "it did sleep").toBe(1);
      const token = await stage.mintToken({ sub: "hana", role: "host", rooms: [`main/${room}`] });
      const posted = await stage.postAction(
        room,
        { id: "p", f: "chat", a: "say", d: { text: "knock" } },
        token,
      );
      expect(posted.body).toEqual({ seq: before + 1 });
      await Promise.all([
        ann.waitForSeq(before + 1),
        bob.waitFor(() => bob.events.some((event) => event.d.text === "knock"), "it"),
      ]);
    }, 40_000);

    it("[W1] the first connections to a sleeping room, made at once, see it and its members", async () => {
      const { room, ann, bob, restoreCount: restores } = await afterSleep("two");
      const [cyd, dan] = await Promise.all([
        stage.joinAsMember(room, "cyd"),
        stage.joinAsMember(room, "dan"),
      ]);
      const said = await cyd.expectEvent(cyd.say("hello sleepers"));
      for (const one of [ann, bob, dan]) {
        await one.waitForSeq(said.seq);
        expect(one.slices).toEqual(cyd.slices);
      }
      expect(await countRestoresSince(stage, room, restores), "it did sleep, and woke once").toBe(1);
    }, 40_000);

    it("[P1] a member who disconnects while the room sleeps is reported as left after the grace", async () => {
      const { ann } = await afterSleep("closing", false);
      const left = await ann.waitFor(
        () => ann.events.find((event) => event.n === "left"),
        "bob's left",
        30_000,
      );
      expect(left.d).toEqual({ user: "bob" });
    }, 40_000);

    it("[A5] a newer socket of the same tab replaces one that slept", async () => {
      const { room, ann, bob } = await afterSleep("replaced");
      const newer = stage.openRaw({
        room,
        query: `_pk=${encodeURIComponent(toTabName("ann"))}&token=${await stage.mintToken({ sub: "ann" })}`,
      });
      await newer.waitForWelcome();
      expect((await ann.waitForBye()).code).toBe(4409);
      const said = await newer.expectEvent(newer.say("it is me"));
      await bob.waitForSeq(said.seq);
      expect(bob.events.map((event) => event.n)).not.toContain("left");
      expect((await stage.getRoom(room)).body).toMatchObject({ users: 2, connections: 2 });
    }, 40_000);

    it("[W4] a client that is up to date resumes after any quiet time", async () => {
      const { room, ann } = getRooms().rooms.get("away") as SleepingRoom;
      // Bob's leaving is the last that happened.
      await ann.waitFor(() => ann.events.at(-1)?.n === "left", "bob's left", 30_000);
      const back = stage.join({
        room,
        token: await stage.mintToken({ sub: "ann" }),
        from: { epoch: String(ann.epoch), since: ann.seq, slices: ann.slices },
      });
      expect(await back.waitForWelcome()).toMatchObject({ resumed: true, seq: ann.seq });
    }, 40_000);

    it("[P1] [T5] a member who was not back in time after a kill is reported as left, and one who was is not", async () => {
      const { ann, bare, guest, killedAt } = getRooms().cut;
      const left = await ann.waitFor(
        () => ann.events.find((event) => event.n === "left"),
        "bob's left",
        60_000,
      );
      expect(left.d).toEqual({ user: "bob" });
      expect(left.at - killedAt, "longer than partysocket's longest pause and a slow start").toBeGreaterThan(
        20_000,
      );
      expect(
        bare.welcomes.map(({ you }) => you.user),
        "the same guest, back by itself",
      ).toEqual([guest, guest]);
      const { members } = ann.slices.presence as { members: object };
      expect(Object.keys(members).sort()).toEqual(["ann", guest]);
      expect(ann.events.filter((event) => event.n === "left")).toHaveLength(1);
      expect(ann.events.filter((event) => event.n === "joined").map((event) => event.d.user)).toEqual([
        "bob",
        guest,
      ]);
    }, 90_000);
  });
}

/** How often it came to life since then, by what the server prints. */
async function countRestoresSince(stage: PlatformStage, room: string, before: number): Promise<number> {
  await pause(LOG_MS);
  return stage.countRestores(room) - before;
}
