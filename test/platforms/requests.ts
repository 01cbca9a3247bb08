import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import type { Claims } from "./tokens";
import { eventually, pause } from "./waiting";
import { ERROR_CODES } from "./wire";

/** Rooms over HTTP. */
export function describeRequests(stage: PlatformStage): void {
  describe("requests", () => {
    it("[H] GET of a room that does not exist is 404, and it still does not afterwards", async () => {
      const room = stage.makeRoomName("absent");
      for (let time = 0; time < 3; time += 1) {
        const answer = await stage.getRoom(room);
        expect(answer.status).toBe(404);
        expect(answer.body).toMatchObject({ code: expect.any(String), message: expect.any(String) });
      }
      const first = await stage.joinAsMember(room, "ann");
      expect((await first.waitForWelcome()).seq, "the next user is the first").toBe(1);
    });

    it("[H] GET of a room returns its summary", async () => {
      const room = stage.makeRoomName("summary");
      const startedAt = Date.now();
      const ann = await stage.joinAsMember(room, "ann");
      await stage.joinAsMember(room, "ann");
      await ann.expectEvent(ann.say("hello"));
      const { status, body } = await stage.getRoom(room);
      expect(status).toBe(200);
      expect(body).toMatchObject({
        kind: "main",
        id: room,
        epoch: ann.epoch,
        seq: 2,
        users: 1,
        connections: 2,
      });
      expect(Math.abs(Number(body.createdAt) - startedAt)).toBeLessThan(10_000);
    });

    it("[H4] GET with a host's token lists the members", async () => {
      const room = stage.makeRoomName("members");
      await stage.joinAsMember(room, "ann");
      const { you } = await stage.joinAsGuest(room);
      const token = await stage.mintToken({ sub: "hana", role: "host", rooms: [`main/${room}`] });
      const headers = { Authorization: `Bearer ${token}` };
      const { status, body } = await stage.getRoom(room, { headers });
      expect(status).toBe(200);
      expect(body.members).toMatchObject([
        { user: "ann", role: "player", connections: 1 },
        { user: you.user, role: "player", guest: true, connections: 1 },
      ]);
      expect((await stage.getRoom(room)).body).not.toHaveProperty("members");
    });

    it("[F1] a GET counts what was said a moment ago", async () => {
      const room = stage.makeRoomName("gate");
      const ann = await stage.joinAsMember(room, "ann");
      for (let round = 0; round < 5; round += 1) {
        const said = Array.from({ length: 30 }, (_, line) => ann.expectEvent(ann.say(`${round} ${line}`)));
        const { body } = await stage.getRoom(room);
        await Promise.all(said);
        expect(body.seq).toBeLessThanOrEqual(ann.seq);
        expect((await stage.getRoom(room)).body.seq).toBe(ann.seq);
      }
    });

    it("[H] POST by a host acts in the room's name, and the same id again gives the same answer", async () => {
      const room = stage.makeRoomName("post");
      const ann = await stage.joinAsMember(room, "ann");
      const token = await stage.mintToken({
        sub: "hana",
        name: "Hana",
        role: "host",
        rooms: [`main/${room}`],
      });
      const action = { id: "post-1", f: "chat", a: "say", d: { text: "from outside" } };
      const first = await stage.postAction(room, action, token);
      expect(first.status).toBe(200);
      expect(first.body.seq).toBe(2);
      const event = await ann.waitFor(() => ann.events.find((one) => one.seq === 2), "the event");
      expect(event).toMatchObject({ f: "chat", n: "said", d: { text: "from outside" } });
      expect(event.by, "the room itself").toBeUndefined();
      const again = await Promise.all(Array.from({ length: 5 }, () => stage.postAction(room, action, token)));
      for (const answer of again) {
        expect(answer).toMatchObject({ status: 200, body: first.body });
      }
      const next = await ann.expectEvent(ann.say("after"));
      expect(next.seq).toBe(3);
      const other = await stage.postAction(room, { ...action, d: { text: "other content" } }, token);
      expect(other.status).toBeGreaterThanOrEqual(400);
      expect(other.body.code).toBe("duplicate");
    });

    it("[H] POST by an admin works in any room; a player, a host of another room and a caller without a token are refused", async () => {
      const room = stage.makeRoomName("post");
      const ann = await stage.joinAsMember(room, "ann");
      const action = (id: string) => ({ id, f: "chat", a: "say", d: { text: id } });
      const admin = await stage.mintToken({ sub: "root", role: "admin" });
      expect((await stage.postAction(room, action("by admin"), admin)).status).toBe(200);
      const refused: [string, string | undefined, number[]][] = [
        ["player", await stage.mintToken({ sub: "ann" }), [403]],
        ["guest", String((await stage.joinAsGuest(room)).you.token), [403]],
        [
          "host of another room",
          await stage.mintToken({ sub: "h", role: "host", rooms: ["main/other"] }),
          [401, 403],
        ],
        ["no token", undefined, [401]],
        ["garbage", "garbage", [401]],
      ];
      for (const [who, token, statuses] of refused) {
        const answer = await stage.postAction(room, action(who), token);
        expect(statuses, `${who}: ${answer.text}`).toContain(answer.status);
        expect(answer.body).toMatchObject({ code: expect.any(String), message: expect.any(String) });
      }
      const next = await ann.expectEvent(ann.say("next"));
      expect(ann.events.filter((event) => event.n === "said").map((event) => event.d.text)).toEqual([
        "by admin",
        "next",
      ]);
      expect(next.seq).toBe(ann.seq);
    });

    it("[E2] [H1] an invalid POST is refused with a code, and changes nothing", async () => {
      const room = stage.makeRoomName("post");
      const ann = await stage.joinAsMember(room, "ann");
      const token = await stage.mintToken({ sub: "hana", role: "host", rooms: ["main/*"] });
      const before = ann.seq;
      const bodies: unknown[] = [
        "",
        "{",
        "[]",
        "null",
        "7",
        JSON.stringify("text"),
        { id: "x" },
        { id: "", f: "chat", a: "say", d: { text: "x" } },
        { id: "x".repeat(65), f: "chat", a: "say", d: { text: "x" } },
        { id: "x", f: "__proto__", a: "say", d: { text: "x" } },
        { id: "x", f: "chat", a: "constructor", d: {} },
        { id: "x", f: "chat", a: "say", d: { text: 5 } },
        { id: "x", f: "chat", a: "say", d: [] },
        { id: 5, f: "chat", a: "say", d: { text: "x" } },
        { id: "x", f: "chat", a: "say", d: { text: "x".repeat(20_000) } },
        `{"id":"x","f":"chat","a":"say","d":{"text":"\\ud800"}}`,
        `{"id":"x","f":"chat","a":"say","d":{"text":"a\\u0000"}}`,
        "[".repeat(10_000),
        "x".repeat(200_000),
      ];
      for (const body of bodies) {
        // A server that refuses a body unread may end the connection before its answer is read.
        const answer = await eventually(
          () => stage.postAction(room, body, token).catch(() => undefined),
          "an answer",
        );
        const what = `${JSON.stringify(body).slice(0, 80)} → ${answer.status} ${answer.text.slice(0, 200)}`;
        expect(answer.status, what).toBeGreaterThanOrEqual(400);
        expect(answer.status, what).toBeLessThan(500);
        expect(ERROR_CODES.has(String(answer.body.code)), what).toBe(true);
      }
      expect((await stage.getRoom(room)).body.seq).toBe(before);
    });

    it("[A4] a refused POST to a room that was never opened leaves nothing behind", async () => {
      const room = stage.makeRoomName("unopened");
      const player = await stage.mintToken({ sub: "ann" });
      expect(
        (await stage.postAction(room, { id: "x", f: "chat", a: "say", d: { text: "x" } }, player)).status,
      ).toBe(403);
      expect(stage.countRestores(room), "and wakes no room").toBe(0);
      expect((await stage.getRoom(room)).status).toBe(404);
    });

    it("[H] DELETE by its host closes a room: all members are told, nothing of it stays, and the next user opens a new room", async () => {
      const room = stage.makeRoomName("closed");
      const ann = await stage.joinAsMember(room, "ann");
      await ann.expectEvent(ann.say("a line that must not stay"));
      const close = async (claims: Claims) =>
        stage.fetch(`/parties/main/${room}`, {
          method: "DELETE",
          headers: { authorization: `Bearer ${await stage.mintToken(claims)}` },
        });
      expect((await close({ sub: "ann" })).status).toBe(403);
      expect((await close({ sub: "hana", role: "host", rooms: ["main/other"] })).status).toBe(403);
      expect(ann.byes).toEqual([]);
      const closed = await close({ sub: "hana", role: "host", rooms: [`main/${room}`] });
      expect(closed.status, closed.text).toBeLessThan(300);
      expect((await ann.waitForBye()).code).toBe(4410);
      ann.close();
      expect((await stage.getRoom(room)).status).toBe(404);
      const next = await stage.joinAsMember(room, "bob");
      expect(next.epoch).not.toBe(ann.epoch);
      expect(await next.waitForWelcome()).toMatchObject({ seq: 1, state: { chat: { messages: [] } } });
    });

    it("[H2] an admin drains a room: each member is told a time of their own to come back, and no member has left", async () => {
      const room = stage.makeRoomName("drained");
      const people = await Promise.all(["ann", "bob", "cat"].map((user) => stage.joinAsMember(room, user)));
      const { epoch } = await stage.getRoom(room).then(({ body }) => body);
      const drain = async (claims: Claims, method = "POST", of = room) =>
        stage.fetch(`/parties/main/${of}/drain`, {
          method,
          headers: { authorization: `Bearer ${await stage.mintToken(claims)}` },
        });
      expect((await drain({ sub: "ann" })).status).toBe(403);
      expect((await drain({ sub: "hana", role: "host", rooms: [`main/${room}`] })).status).toBe(403);
      expect((await drain({ sub: "root", role: "admin" }, "GET")).status).toBe(405);
      expect(
        (await drain({ sub: "root", role: "admin" }, "POST", stage.makeRoomName("nobody's"))).status,
      ).toBe(404);
      expect(people.flatMap(({ byes }) => byes)).toEqual([]);

      const drained = await drain({ sub: "root", role: "admin" });
      expect(drained.status, drained.text).toBe(200);
      expect(drained.body).toMatchObject({ connections: 3 });
      const byes = await Promise.all(people.map((person) => person.waitForBye()));
      expect(byes.map(({ code }) => code)).toEqual([1012, 1012, 1012]);
      const times = byes.map(({ retryAfterMs }) => Number(retryAfterMs));
      expect(new Set(times).size).toBe(3);
      for (const time of times) expect(time).toBeGreaterThanOrEqual(Number(drained.body.retryAfterMs));
      for (const person of people) person.close();

      const early = stage.openRaw({
        room,
        query: `_pk=early&token=${await stage.mintToken({ sub: "ann" })}`,
      });
      expect(await early.waitForBye()).toMatchObject({ code: 1012 });
      const action = { id: "x", f: "chat", a: "say", d: { text: "x" } };
      const answer = await stage.postAction(
        room,
        action,
        await stage.mintToken({ sub: "root", role: "admin" }),
      );
      expect([answer.status, answer.body.code]).toEqual([503, "draining"]);

      await pause(Math.max(...times));
      const [late] = await Promise.all(["ann", "bob", "cat"].map((user) => stage.joinAsMember(room, user)));
      expect(late?.epoch).toBe(epoch);
      expect((await stage.getRoom(room)).body.users).toBe(3);
    }, 60_000);

    it("[H] other methods are refused", async () => {
      const room = stage.makeRoomName("methods");
      await stage.joinAsMember(room, "ann");
      for (const method of ["PUT", "PATCH"]) {
        const answer = await stage.fetch(`/parties/main/${room}`, { method, body: "{}" });
        expect([404, 405], `${method} ${answer.text}`).toContain(answer.status);
      }
      await eventually(async () => (await stage.getRoom(room)).status === 200, "the room is there as before");
    });
  });
}
