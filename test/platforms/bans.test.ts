import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { cloudflare, partykit } from "../support/platforms";
import { freePort } from "../support/ports";
import { OPEN_ENV, PlatformStage } from "./platform-stage";
import { pause } from "./waiting";

/** The longest time from the answer of a ban everywhere to the last connection's `bye`. */
const REACHES_WITHIN_MS = 5_000;
/** Many times what the suite's partysocket waits before it tries again. */
const LOOP_MS = 1_500;

/** Rooms on PartyKit, rooms on Cloudflare, and one worker that keeps the bans of both: as `npm run dev` starts them. */
describe("two platforms that share a worker", () => {
  const far = new PlatformStage(partykit);
  const near = new PlatformStage(cloudflare);
  const both = [far, near];
  let admin = "";

  beforeAll(async () => {
    const ports = { rooms: await freePort(), worker: await freePort() };
    const shared = {
      ...OPEN_ENV,
      BATCH_SECRET: "a secret that both sides of this suite sign with",
      ROOMS_URL: `http://127.0.0.1:${ports.rooms}`,
      SCOREBOARD_URL: `http://127.0.0.1:${ports.worker}`,
      LEAVE_GRACE_MS: "1000",
    };
    await near.start(shared, ports.worker);
    await far.start(shared, ports.rooms);
    admin = await near.mintToken({ sub: "ada", role: "admin" });
  }, 180_000);
  afterAll(() => Promise.all(both.map((stage) => stage.stop())), 30_000);
  afterEach(() => {
    expect(
      both.flatMap((stage) => stage.closeClients()),
      "what clients had to complain of",
    ).toEqual([]);
  });

  const ban = (user: string, body: object = {}) =>
    near.fetch(`/v1/bans/${user}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${admin}` },
      body: JSON.stringify(body),
    });
  const lift = (user: string) =>
    near.fetch(`/v1/bans/${user}`, { method: "DELETE", headers: { authorization: `Bearer ${admin}` } });
  /** Joins, or is refused with a reason. */
  const tries = async (stage: PlatformStage, room: string, user: string, known?: string) => {
    const token = known ?? (await stage.mintToken({ sub: user, name: user }));
    const client = stage.join({ room, token, resume: true });
    return client.waitFor(
      () => client.byes[0]?.code ?? (client.welcomes[0] ? "welcome" : undefined),
      "an answer",
    );
  };

  /** How often a token was known already. */
  const hitsOf = async (stage: PlatformStage) => {
    const { tokens } = (await stage.fetch("/health")).body as { tokens: { hits: number } };
    return tokens.hits;
  };

  it("[D5] a ban everywhere closes all connections of a user within 5 s and keeps them out until it is lifted", async () => {
    const rooms = [near.makeRoomName("ban"), near.makeRoomName("ban")];
    const token = await near.mintToken({ sub: "bob", name: "bob" });
    const open = await Promise.all(
      both.flatMap((stage) => rooms.map((room) => stage.joinAsMember(room, "bob", { resume: true, token }))),
    );
    const bystander = await far.joinAsMember(rooms[0] as string, "ann");
    expect(await ban("bob", { reason: "cheating" })).toMatchObject({ status: 200 });
    const answeredAt = Date.now();
    const byes = await Promise.all(open.map((client) => client.waitForBye(REACHES_WITHIN_MS)));
    expect(byes.map(({ code }) => code)).toEqual([4403, 4403, 4403, 4403]);
    expect(byes.every(({ reason }) => reason === "You are banned: cheating")).toBe(true);
    expect(Date.now() - answeredAt).toBeLessThan(REACHES_WITHIN_MS);

    const elsewhere = near.makeRoomName("ban");
    for (const stage of both) {
      for (const room of [...rooms, elsewhere]) expect(await tries(stage, room, "bob"), room).toBe(4403);
      // The very token that was found good a moment ago: the token cache must not let it in.
      const before = await hitsOf(stage);
      for (const room of [...rooms, elsewhere]) expect(await tries(stage, room, "bob", token)).toBe(4403);
      expect(await hitsOf(stage)).toBe(before + 3);
    }
    await pause(LOOP_MS);
    for (const client of open) {
      expect(client.byes, "a client that follows `bye` does not come back by itself").toHaveLength(1);
      expect(client.welcomes).toHaveLength(1);
    }
    await bystander.waitFor(
      () => bystander.events.some(({ n, d }) => n === "left" && d.user === "bob"),
      "bob's leaving",
    );

    expect(await lift("bob")).toMatchObject({ status: 200 });
    for (const stage of both) {
      for (const room of [...rooms, elsewhere]) expect(await tries(stage, room, "bob"), room).toBe("welcome");
    }
  });

  for (const stage of both) {
    describe(stage.platform.name, () => {
      it("[D5] a ban in a room holds after the room was closed and opened again, and in no other room", async () => {
        const room = stage.makeRoomName("ban");
        const host = await stage.joinAsHost(room);
        await host.expectEvent(
          host.do("moderation", "ban", { user: "dora", scope: "room", reason: "enough" }),
        );
        expect(await tries(stage, room, "dora")).toBe(4403);
        const { epoch } = host;
        // Closing waits for the room's pending effects, and so does a join under its name.
        const token = await stage.mintToken({ sub: "hana", role: "host", rooms: [`main/${room}`] });
        const closed = await stage.fetch(`/parties/main/${room}`, {
          method: "DELETE",
          headers: { authorization: `Bearer ${token}` },
        });
        expect(closed.status).toBe(200);
        await host.waitForBye();
        const again = stage.join({ room, token, resume: true });
        await again.waitFor(() => again.welcomes.at(-1)?.epoch, "a welcome in the new room");
        expect(again.epoch).not.toBe(epoch);
        expect(await tries(stage, room, "dora")).toBe(4403);
        expect(await tries(stage, stage.makeRoomName("ban"), "dora")).toBe("welcome");
        await again.expectEvent(again.do("moderation", "unban", { user: "dora" }));
        await again.waitFor(() => again.events.some(({ n }) => n === "unbanned"), "the end of the ban");
        let came: unknown;
        for (let time = 0; time < 20 && came !== "welcome"; time += 1) {
          came = await tries(stage, room, "dora");
          await pause(100);
        }
        expect(came, "as soon as the database knows").toBe("welcome");
      });

      it("[D2] [D1] a kicked user stays out and does not reconnect in a loop; the refusal tells a muted user how long", async () => {
        const room = stage.makeRoomName("kick");
        const host = await stage.joinAsHost(room);
        const heedful = await stage.joinAsMember(room, "bob", { resume: true });
        const heedless = stage.joinBare(room);
        await heedless.waitForWelcome();
        await host.expectEvent(host.do("moderation", "mute", { user: "bob", forMs: 60_000 }));
        const muted = await heedful.expectNack(heedful.say("hello?"));
        expect(muted.code).toBe("muted");
        expect(muted.retryAfterMs).toBeGreaterThan(58_000);
        expect(muted.retryAfterMs).toBeLessThanOrEqual(60_000);
        await host.expectEvent(host.do("moderation", "kick", { user: "bob" }));
        await host.expectEvent(host.do("moderation", "kick", { user: heedless.you.user }));
        expect((await heedful.waitForBye()).code).toBe(4403);
        expect((await heedless.waitForBye()).code).toBe(4403);
        expect(await tries(stage, room, "bob")).toBe(4403);
        await pause(LOOP_MS);
        expect(heedful.byes).toHaveLength(1);
        expect(heedful.closes, "it has closed its side, once").toHaveLength(1);
        expect(heedless.welcomes, "a client that comes back all the same is not let in").toHaveLength(1);
        const { body } = await stage.getRoom(room);
        expect(body).toMatchObject({ users: 1, connections: 1 });
      });

      it("[N1] [N2] [N3] the room masks words, tells names that look alike apart, and marks guests", async () => {
        const room = stage.makeRoomName("names");
        const ann = await stage.joinAsMember(room, "ann", { claims: { name: "Ann" } });
        const other = await stage.joinAsMember(room, "other", { claims: { name: "\u0410nn" } });
        const guest = await stage.joinAsGuest(room, {
          name: "Ａｎｎ\u202e",
          tab: "a-guest-who-would-be-ann-too",
        });
        expect([ann.you.name, other.you.name, guest.you.name]).toEqual(["Ann", "\u0410nn (2)", "Ａｎｎ (3)"]);
        const said = await other.expectEvent(other.say("well, ѕһіт, and s\u200bh\u0336it"));
        expect(said.d).toEqual({ name: "\u0410nn (2)", text: "well, ****, and ******" });
        await ann.waitForSeq(said.seq);
        const presence = ann.slices.presence as { members: Record<string, { guest?: boolean }> };
        expect(presence.members[guest.you.user]?.guest).toBe(true);
        expect(presence.members.other).not.toHaveProperty("guest");
      });

      it("[T8] [E1] a client whose token has ended does not reconnect in a loop", async () => {
        const room = stage.makeRoomName("end");
        const token = await stage.mintToken({ sub: "eva" }, { expiresIn: 3 });
        const eva = stage.join({ room, token, resume: true });
        await eva.waitForWelcome();
        expect((await eva.waitForBye()).code).toBe(4401);
        await pause(LOOP_MS);
        expect(eva.byes).toHaveLength(1);
        expect(eva.welcomes).toHaveLength(1);
      });

      it("[D4] a user cannot ban an equal, and only an admin bans everywhere, which holds on the other platform too", async () => {
        const room = stage.makeRoomName("rank");
        const host = await stage.joinAsHost(room);
        await stage.joinAsHost(room, "otto");
        expect((await host.expectNack(host.do("moderation", "kick", { user: "otto" }))).code).toBe(
          "not_allowed",
        );
        const everywhere = { user: `fay-${stage.platform.name}`, scope: "everywhere" };
        expect((await host.expectNack(host.do("moderation", "ban", everywhere))).code).toBe("not_allowed");
        const other = both.find((each) => each !== stage) as PlatformStage;
        const fay = await other.joinAsMember(other.makeRoomName("rank"), everywhere.user, { resume: true });
        const ada = await stage.joinAsMember(room, "ada", { claims: { role: "admin" } });
        await ada.expectEvent(ada.do("moderation", "ban", everywhere));
        expect((await fay.waitForBye(REACHES_WITHIN_MS)).code).toBe(4403);
        expect(await lift(everywhere.user)).toMatchObject({ status: 200 });
        await ada.expectEvent(ada.do("moderation", "kick", { user: "otto" }));
        const otto = await stage.mintToken({ sub: "otto", role: "host", rooms: [`main/${room}`] });
        const said = await stage.postAction(
          room,
          { id: "1", f: "chat", a: "say", d: { text: "still here" } },
          otto,
        );
        expect(said).toMatchObject({ status: 403, body: { code: "not_allowed" } });
        const closes = { method: "DELETE", headers: { authorization: `Bearer ${otto}` } };
        expect(await stage.fetch(`/parties/main/${room}`, closes)).toMatchObject({ status: 403 });
        expect((await stage.getRoom(room)).status, "the kicked close no room").toBe(200);
      });
    });
  }

  it("[D5] with the worker away the last known answer applies, and no other user is kept out", async () => {
    const room = far.makeRoomName("away");
    await ban("gil");
    expect(await tries(far, room, "gil")).toBe(4403);
    const ann = await far.joinAsMember(room, "ann");
    await near.kill();
    expect(await tries(far, room, "gil")).toBe(4403);
    expect(await tries(far, room, "hugo")).toBe("welcome");
    await ann.expectEvent(ann.say("we go on"));
  });
});
