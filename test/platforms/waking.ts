import { beforeAll, describe, expect, it } from "vitest";
import type { PartyClient, RawClient } from "./sockets";
import type { Stage } from "./stage";
import { eventually, pause } from "./waiting";

/**
 * A grace longer than sleep takes to come, so that its alarm finds nobody awake; a short recovery time shows that being up
 * to date needs none.
 */
export const SLEEPY = { LEAVE_GRACE_MS: "13000", RECOVERY_MS: "1000" };

/** Both runtimes evict an idle object after some ten seconds; nothing tells from outside when, and looking would wake it. */
const SLEEP_MS = 14_000;

/** What a server prints comes a moment after what it sends. */
const LOG_MS = 1000;

interface Asleep {
  room: string;
  ann: PartyClient;
  bob: PartyClient;
  restores: number;
}

export interface Dormitory {
  alarm: { room: string; epoch: string; since: number; restores: number };
  twice: { room: string; epoch: string };
  cut: { ann: PartyClient; bare: PartyClient; guest: string; killedAt: number };
  asleep: Map<string, Asleep>;
  quietSince: number;
}

const tab = (user: string) => `the one tab of ${user}, 20 characters`;

/** A room that a kill cut off, one that its last member has left to its alarm, and some in which everybody sits still. */
export async function fallAsleep(stage: Stage): Promise<Dormitory> {
  const cut = stage.room("cut");
  const ann = await stage.member(cut, "ann", { tab: tab("ann"), resume: true });
  // On plain sockets: partysocket would be back by itself.
  const plain = async (room: string, user: string) => {
    const client = stage.raw({ room, query: `_pk=plain&token=${await stage.token({ sub: user })}` });
    await client.welcome();
    await client.done(client.say("before the night"));
    return client;
  };
  await plain(cut, "bob");
  const bare = stage.bare(cut);
  const guest = (await bare.welcome()).you.user;
  const first = await plain(stage.room("twice"), "ann");
  const killedAt = Date.now();
  await stage.kill();
  const twice = roomOf(first);
  await stage.restart();
  await ann.until(() => ann.welcomes[1], "ann is back", 30_000);

  const last = await plain(stage.room("alarm"), "bob");
  const asleep = new Map<string, Asleep>();
  for (const about of ["message", "ping", "request", "two", "closing", "replaced", "away"]) {
    asleep.set(about, await lullabied(stage, about));
  }
  last.close();
  asleep.get("away")?.bob.close();
  await pause(LOG_MS);
  for (const one of asleep.values()) {
    one.restores = stage.restored(one.room);
  }
  const alarm = roomOf(last);
  return {
    alarm: { ...alarm, since: last.seq, restores: stage.restored(alarm.room) },
    twice,
    cut: { ann, bare, guest, killedAt },
    asleep,
    quietSince: Date.now(),
  };
}

function roomOf(client: RawClient): { room: string; epoch: string } {
  const [welcome] = client.welcomes;
  if (!welcome) {
    throw new Error("nobody has been let in");
  }
  return { room: welcome.room.id, epoch: welcome.epoch };
}

/** Two who said something and then sit still. */
async function lullabied(stage: Stage, about: string): Promise<Asleep> {
  const room = stage.room(about);
  const ann = await stage.member(room, "ann", { tab: tab("ann"), resume: true });
  const bob = await stage.member(room, "bob", { tab: tab("bob"), resume: true });
  await ann.done(ann.say("before sleep", "an id from before"));
  await bob.reached(ann.seq);
  return { room, ann, bob, restores: 0 };
}

/** Right after the restart: a room that nobody has touched since. */
export function wakingUp(stage: Stage, dormitory: () => Dormitory): void {
  describe("waking up", () => {
    it("[W1] first connections at once see one restored room", async () => {
      const { room, epoch } = dormitory().twice;
      const before = stage.restored(room);
      const five = await Promise.all(["a", "b", "c", "d", "e"].map((user) => stage.member(room, user)));
      expect(five.map((one) => one.epoch)).toEqual(five.map(() => epoch));
      const last = Math.max(...five.map((one) => one.seq));
      await Promise.all(five.map((one) => one.reached(last)));
      const said = await Promise.all(five.map((one) => one.done(one.say(`by ${one.you.user}`))));
      expect(new Set(said.map((event) => event.seq)).size).toBe(5);
      await Promise.all(five.map((one) => one.reached(Math.max(...said.map((event) => event.seq)))));
      for (const one of five) {
        expect(one.slices).toEqual(five[0]?.slices);
      }
      expect(await restoredSince(stage, room, before)).toBe(1);
    });
  });
}

/** Rooms that were not in memory: woken by an alarm, by a socket, by a request, by two at once. */
export function waking(stage: Stage, dormitory: () => Dormitory): void {
  describe("waking", () => {
    async function afterSleep(about: string, untouched = true): Promise<Asleep> {
      const { asleep, quietSince } = dormitory();
      await pause(quietSince + SLEEP_MS - Date.now());
      const slept = asleep.get(about);
      if (!slept) {
        throw new Error(`nobody was put to sleep under ${about}`);
      }
      if (untouched) {
        expect(stage.restored(slept.room), "nobody has woken it").toBe(slept.restores);
      }
      return slept;
    }

    // Its grace takes its time, which the stories in between have a use for.
    beforeAll(async () => {
      const { bob } = await afterSleep("closing");
      bob.close();
    });

    it("[F1] a room woken by its alarm serves sockets and requests afterwards", async () => {
      const { room, epoch, since, restores } = dormitory().alarm;
      await eventually(() => stage.restored(room) > restores, "woken by its alarm", 30_000);
      const token = await stage.token({ sub: "hana", role: "host", rooms: [`main/${room}`] });
      const [summary, ann, cyd, posted] = await Promise.all([
        stage.get(room),
        stage.member(room, "ann"),
        stage.member(room, "cyd"),
        stage.post(room, { id: "p", f: "chat", a: "say", d: { text: "from outside" } }, token),
      ]);
      expect(summary.body).toMatchObject({ kind: "main", id: room, epoch });
      expect([ann.epoch, cyd.epoch]).toEqual([epoch, epoch]);
      expect(posted.status).toBe(200);
      expect(Number(posted.body.seq), "bob's left came first").toBeGreaterThan(since + 1);
      const said = await cyd.done(cyd.say("good morning"));
      await ann.reached(said.seq);
      expect(ann.slices).toEqual(cyd.slices);
      expect(cyd.slices.presence).toMatchObject({ count: 2, members: { ann: {}, cyd: {} } });
      const { messages } = cyd.slices.chat as { messages: { text: string }[] };
      expect(messages.map(({ text }) => text)).toEqual(["before the night", "from outside", "good morning"]);
    }, 60_000);

    it("[F1] [O1] an idle room with open sockets sleeps, and answers the next message as if it had not", async () => {
      const { room, ann, bob, restores } = await afterSleep("message");
      const said = await ann.done(ann.say("after sleep"));
      await bob.reached(said.seq);
      expect(bob.events.at(-1)).toMatchObject({ by: "ann", d: { text: "after sleep" } });
      expect(await ann.say("before sleep", "an id from before")).toMatchObject({ kind: "ack" });
      bob.send({ t: "sig", f: "chat", n: "typing", d: {} });
      await ann.until(() => ann.signals.find((signal) => signal.by === "bob"), "bob's typing");
      for (const one of [ann, bob]) {
        const { sums, own } = await one.verify();
        expect(own).toEqual(sums);
      }
      const late = await stage.member(room, "late");
      expect(late.slices.presence).toMatchObject({ count: 3, members: { ann: {}, bob: {}, late: {} } });
      expect((await stage.get(room)).body).toMatchObject({ users: 3, connections: 3 });
      expect(ann.welcomes, "and no socket was lost").toHaveLength(1);
      expect(await restoredSince(stage, room, restores), "it did sleep, and woke once").toBe(1);
      expect(ann.events.filter((event) => event.n === "left")).toEqual([]);
    }, 40_000);

    it("[M2] a `ping` is answered in sleep, and wakes nobody where the platform answers it", async () => {
      const { room, ann, restores } = await afterSleep("ping");
      ann.send("ping");
      await ann.until(() => ann.pongs === 1, "a pong");
      expect(await restoredSince(stage, room, restores)).toBe(stage.platform.can.automaticPong ? 0 : 1);
      await ann.done(ann.say("awake"));
      expect(await restoredSince(stage, room, restores), "it did sleep").toBe(1);
    }, 40_000);

    it("[H] a request to a sleeping room is answered as if it had not slept", async () => {
      const { room, ann, bob, restores } = await afterSleep("request");
      const before = ann.seq;
      const { body } = await stage.get(room);
      expect(body).toMatchObject({ id: room, epoch: ann.epoch, seq: ann.seq, users: 2, connections: 2 });
      expect(await restoredSince(stage, room, restores), "it did sleep").toBe(1);
      const token = await stage.token({ sub: "hana", role: "host", rooms: [`main/${room}`] });
      const posted = await stage.post(room, { id: "p", f: "chat", a: "say", d: { text: "knock" } }, token);
      expect(posted.body).toEqual({ seq: before + 1 });
      await Promise.all([
        ann.reached(before + 1),
        bob.until(() => bob.events.some((event) => event.d.text === "knock"), "it"),
      ]);
    }, 40_000);

    it("[W1] first connections at once to a sleeping room see it, and those who slept in it", async () => {
      const { room, ann, bob, restores } = await afterSleep("two");
      const [cyd, dan] = await Promise.all([stage.member(room, "cyd"), stage.member(room, "dan")]);
      const said = await cyd.done(cyd.say("hello sleepers"));
      for (const one of [ann, bob, dan]) {
        await one.reached(said.seq);
        expect(one.slices).toEqual(cyd.slices);
      }
      expect(await restoredSince(stage, room, restores), "it did sleep, and woke once").toBe(1);
    }, 40_000);

    it("[P1] who goes while the room sleeps is said to have left after the grace", async () => {
      const { ann } = await afterSleep("closing", false);
      const left = await ann.until(
        () => ann.events.find((event) => event.n === "left"),
        "bob's left",
        30_000,
      );
      expect(left.d).toEqual({ user: "bob" });
    }, 40_000);

    it("[A5] a newer socket of the same tab replaces one that slept", async () => {
      const { room, ann, bob } = await afterSleep("replaced");
      const newer = stage.raw({
        room,
        query: `_pk=${encodeURIComponent(tab("ann"))}&token=${await stage.token({ sub: "ann" })}`,
      });
      await newer.welcome();
      expect((await ann.bye()).code).toBe(4409);
      const said = await newer.done(newer.say("it is me"));
      await bob.reached(said.seq);
      expect(bob.events.map((event) => event.n)).not.toContain("left");
      expect((await stage.get(room)).body).toMatchObject({ users: 2, connections: 2 });
    }, 40_000);

    it("[W4] being up to date resumes, however long it was quiet", async () => {
      const { room, ann } = dormitory().asleep.get("away") as Asleep;
      // Bob's leaving is the last that happened.
      await ann.until(() => ann.events.at(-1)?.n === "left", "bob's left", 30_000);
      const back = stage.join({
        room,
        token: await stage.token({ sub: "ann" }),
        from: { epoch: String(ann.epoch), since: ann.seq, slices: ann.slices },
      });
      expect(await back.welcome()).toMatchObject({ resumed: true, seq: ann.seq });
    }, 40_000);

    it("[P1] [T5] who was not back in time after a kill is said to have left, and who was is not", async () => {
      const { ann, bare, guest, killedAt } = dormitory().cut;
      const left = await ann.until(
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
async function restoredSince(stage: Stage, room: string, before: number): Promise<number> {
  await pause(LOG_MS);
  return stage.restored(room) - before;
}
