import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import { canonical } from "./reference-checksum";
import { eventually } from "./waiting";
import type { Data, Json } from "./wire";

/** Who one is, in a room: guests, tokens, tabs. */
export function describeJoining(stage: PlatformStage): void {
  describe("joining", () => {
    it("[T5] a bare partysocket joins as a guest and stays the same guest over its own reconnects", async () => {
      const client = stage.joinBare(stage.makeRoomName("bare"));
      const first = await client.waitForWelcome();
      expect(first.you.user).toMatch(/^guest-/);
      expect(first.you.role).toBe("player");
      expect(first.you.token, "its own token, to be the same elsewhere").toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
      expect(first.v).toBe(1);

      client.socket.reconnect();
      const second = await client.waitFor(() => client.welcomes[1], "a second welcome");
      expect(second.you.user).toBe(first.you.user);
      expect(second.you.conn, "a connection's id is its own").not.toBe(first.you.conn);
    });

    it("[T5] a bare partysocket that the room closed comes back as the same guest", async () => {
      const client = stage.joinBare(stage.makeRoomName("bare"));
      const first = await client.waitForWelcome();
      client.send(
        JSON.stringify({ t: "do", id: "big", f: "chat", a: "say", d: { text: "x".repeat(20_000) } }),
      );
      expect((await client.waitForBye()).code).toBe(4413);
      const second = await client.waitFor(() => client.welcomes[1], "a second welcome", 20_000);
      expect(second.you.user).toBe(first.you.user);
    }, 30_000);

    it("[T7] a guest's token, or a renewed one, makes the same guest in another tab", async () => {
      const room = stage.makeRoomName("guest");
      const bare = stage.joinBare(room);
      const { you } = await bare.waitForWelcome();
      const byToken = await stage.joinAsGuest(room, { token: String(you.token) });
      expect(byToken.you.user).toBe(you.user);

      const renewed = await stage.fetch("/auth/guest", {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${you.token}` },
        body: JSON.stringify({ name: "Gus" }),
      });
      expect(renewed.status).toBe(200);
      expect(renewed.body).toMatchObject({ user: you.user, name: "Gus" });
      stage.tokens.add(String(renewed.body.token));
    });

    it("[T7] POST /auth/guest makes a guest with a name, who joins under it", async () => {
      const made = await stage.fetch("/auth/guest", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: "Gina" }),
      });
      expect(made.status).toBe(200);
      expect(made.body.user).toMatch(/^guest-/);
      expect(new Date(made.body.expiresAt as string | number).getTime()).toBeGreaterThan(Date.now());
      stage.tokens.add(String(made.body.token));
      const client = await stage.joinAsGuest(stage.makeRoomName("guest"), { token: String(made.body.token) });
      expect(client.you).toMatchObject({ user: made.body.user, name: "Gina", role: "player" });
    });

    it("[T5] the name in the query is the guest's; a tab name under 20 characters makes a fresh guest each time", async () => {
      const room = stage.makeRoomName("guest");
      const named = await stage.joinAsGuest(room, { name: "Ada", tab: "short" });
      const again = await stage.joinAsGuest(room, { name: "Ada", tab: "short" });
      expect(named.you.name).toBe("Ada");
      expect(again.you.user).not.toBe(named.you.user);
      const long = await stage.joinAsGuest(room, { tab: "a tab name of 20 characters and more" });
      const longAgain = await stage.joinAsGuest(room, { tab: "a tab name of 20 characters and more" });
      expect(longAgain.you.user).toBe(long.you.user);
    });

    it("[T1] [W1] a token names its user, and a new member's own `joined` is in the state of the welcome", async () => {
      const room = stage.makeRoomName("token");
      const token = await stage.mintToken({ sub: "ann", name: "Ann Åberg" });
      const client = await stage.joinAsGuest(room, { token });
      const welcome = await client.waitForWelcome();
      expect(welcome.room).toEqual({ kind: "main", id: room });
      expect(welcome.you).toMatchObject({ user: "ann", name: "Ann Åberg", role: "player" });
      expect(welcome.you.token, "only a bare guest is given one").toBeUndefined();
      expect(welcome.resumed).toBe(false);
      expect(welcome.seq).toBe(1);
      const presence = welcome.state?.presence as { members: Data; count: number };
      expect(presence.count).toBe(1);
      expect(presence.members.ann).toMatchObject({ name: "Ann Åberg", role: "player" });
      expect(welcome.state?.chat).toEqual({ messages: [] });
    });

    it("[T1] a token that ends in the year 2286 opens a room like any other", async () => {
      const expiresIn = 9_999_999_999 - Math.floor(Date.now() / 1000);
      const token = await stage.mintToken({ sub: "eve" }, { expiresIn });
      const client = await stage.joinAsGuest(stage.makeRoomName("far"), { token });
      expect((await client.waitForWelcome()).you.user).toBe("eve");
      expect(client.welcomes).toHaveLength(1);
    });

    it("[T3] a host leads the rooms that the token names and has no role elsewhere", async () => {
      const room = stage.makeRoomName("led");
      const host = await stage.joinAsHost(room);
      expect(host.you.role).toBe("host");
      const elsewhere = stage.makeRoomName("elsewhere");
      const refused = stage.join({
        room: elsewhere,
        token: await stage.mintToken({ sub: "hana", role: "host", rooms: [`main/${room}`] }),
      });
      expect((await refused.waitForBye()).code).toBe(4403);
      const wide = await stage.joinAsMember(elsewhere, "wida", {
        claims: { role: "host", rooms: ["main/*"] },
      });
      expect(wide.you.role).toBe("host");
    });

    it("[P1] others see who joins and, after the grace, who left", async () => {
      const room = stage.makeRoomName("leaving");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob");
      const joined = await ann.waitFor(() => ann.events.find((event) => event.n === "joined"), "a joined");
      expect(joined).toMatchObject({
        f: "presence",
        d: { user: "bob", name: "bob", role: "player" },
        seq: 2,
      });
      bob.close();
      const left = await ann.waitFor(() => ann.events.find((event) => event.n === "left"), "a left");
      expect(left).toMatchObject({ f: "presence", d: { user: "bob" } });
      expect(ann.slices.presence).toMatchObject({ count: 1 });
    });

    it("[P1] a second tab counts once, and closing it sends no `left`", async () => {
      const room = stage.makeRoomName("tabs");
      const watch = await stage.joinAsMember(room, "watch");
      const one = await stage.joinAsMember(room, "ann");
      const two = await stage.joinAsMember(room, "ann");
      expect(one.you.conn).not.toBe(two.you.conn);
      expect((await two.waitForWelcome()).state?.presence).toMatchObject({ count: 2 });
      expect((await stage.getRoom(room)).body).toMatchObject({ users: 2, connections: 3 });

      one.close();
      await eventually(
        async () => (await stage.getRoom(room)).body.connections === 2,
        "one connection fewer",
      );
      const said = await two.expectEvent(two.say("still here"));
      await watch.waitForSeq(said.seq);
      two.close();
      await watch.waitFor(() => watch.events.find((event) => event.n === "left"), "a left");
      const changes = watch.events.filter((event) => event.f === "presence").map((event) => event.n);
      expect(changes, "one join and one leave").toEqual(["joined", "left"]);
    });

    it("[P1] a user who is back within the grace never left", async () => {
      const room = stage.makeRoomName("grace");
      const ann = await stage.joinAsMember(room, "ann");
      const bob = await stage.joinAsMember(room, "bob", {
        tab: "the tab of bob, 20 characters",
        resume: true,
      });
      bob.socket.reconnect();
      await bob.waitFor(() => bob.welcomes[1], "a second welcome");
      const cyd = await stage.joinAsMember(room, "cyd");
      cyd.close();
      await ann.waitFor(() => ann.events.find((event) => event.n === "left"), "cyd's left");
      expect(ann.events.map((event) => [event.n, event.d.user])).toEqual([
        ["joined", "bob"],
        ["joined", "cyd"],
        ["left", "cyd"],
      ]);
    });

    it("[T8] [A5] a newer socket of the same user and tab replaces the older, resumes, and sends no `joined` or `left`", async () => {
      const room = stage.makeRoomName("renew");
      const tab = "one and the same tab of ann";
      const watch = await stage.joinAsMember(room, "watch");
      const old = stage.openRaw({
        room,
        query: `_pk=${encodeURIComponent(tab)}&token=${await stage.mintToken({ sub: "ann" })}`,
      });
      const { epoch, seq } = await old.waitForWelcome();
      const fresh = await stage.joinAsMember(room, "ann", { tab, from: { epoch, since: seq } });
      expect((await fresh.waitForWelcome()).resumed).toBe(true);
      expect((await old.waitForBye()).code).toBe(4409);
      const said = await watch.expectEvent(watch.say("a line"));
      expect(said.seq, "nothing happened in between").toBe(seq + 1);
      expect((await stage.getRoom(room)).body).toMatchObject({ users: 2, connections: 2 });
    });

    it("[T8] the room closes a connection whose token has ended with 4401", async () => {
      const room = stage.makeRoomName("ended");
      const token = await stage.mintToken({ sub: "ann" }, { expiresIn: 2 });
      const client = stage.openRaw({ room, query: `_pk=ann&token=${token}` });
      await client.waitForWelcome();
      expect((await client.waitForBye(15_000)).code).toBe(4401);
    }, 20_000);

    it("a socket that closes is answered at once", async () => {
      const room = stage.makeRoomName("close");
      const silent = stage.openRaw({ room, query: "_pk=silent" });
      const talking = stage.openRaw({ room, query: "_pk=talking" });
      await Promise.all([silent.waitForWelcome(), talking.waitForWelcome()]);
      await talking.expectEvent(talking.say("goodbye"));
      for (const client of [silent, talking]) {
        client.close();
        const close = await client.waitFor(() => client.closes[0], "the other side's close", 3000);
        expect(close.code, "not cut off").not.toBe(1006);
      }
    });

    it("[E1] the close that follows a bye carries its code", async () => {
      const client = stage.openRaw({ room: stage.makeRoomName("close"), query: "_pk=someone" });
      await client.waitForWelcome();
      client.send("x".repeat(17_000));
      const bye = await client.waitForBye();
      const close = await client.waitFor(() => client.closes[0], "the close");
      expect(close.code).toBe(bye.code);
    });

    it("[T1] names of built-in object properties are names like others", async () => {
      const room = stage.makeRoomName("names");
      const names = [
        "__proto__",
        "constructor",
        "toString",
        "hasOwnProperty",
        "💥",
        "a b/c?d",
        "x".repeat(128),
      ];
      for (const name of names) {
        const member = await stage.joinAsMember(room, name, { claims: { name: "N" } });
        expect(member.you.user).toBe(name);
        await member.expectEvent(member.say(`by ${name}`, "__proto__"));
      }
      const late = await stage.joinAsMember(room, "late");
      const { members, count } = late.slices.presence as { members: { [user: string]: Json }; count: number };
      expect(Object.keys(members).sort()).toEqual([...names, "late"].sort());
      expect(count).toBe(names.length + 1);
      const { sums, own } = await late.verify();
      expect(own).toEqual(sums);
      expect(canonical(late.slices.chat as Json)).toContain('"by __proto__"');
    });

    it("[A1] [A2] the edge closes a socket with an unknown version, kind or id, and says why", async () => {
      const room = stage.makeRoomName("address");
      for (const [query, kind, id, codes] of [
        ["v=2", "main", room, [4400]],
        ["v=one", "main", room, [4400]],
        ["v=1", "main", "a%20b", [4400, 4404]],
        ["v=1", "main", "x".repeat(65), [4400, 4404]],
        ["v=1", "main", "%F0%9F%92%A5", [4400, 4404]],
      ] as const) {
        const client = stage.openRaw({ kind, room: id, query: `_pk=someone&${query}` });
        expect(codes, `${kind}/${id}?${query}`).toContain((await client.waitForBye()).code);
      }
      const { unknownKindReachesEdge } = stage.platform.capabilities;
      // Where the platform answers by itself, what it makes of an object's own names is none of our doing.
      const kinds = unknownKindReachesEdge
        ? ["nosuch", "Main", "__proto__", "constructor"]
        : ["nosuch", "Main"];
      for (const kind of kinds) {
        const client = stage.openRaw({ kind, room, query: "_pk=someone" });
        await client.waitFor(() => client.byes[0] ?? client.closes[0], "a refusal");
        expect(client.byes[0]?.code ?? client.status, kind).toBe(unknownKindReachesEdge ? 4404 : 404);
        expect((await stage.fetch(`/parties/${kind}/${room}`)).status, kind).toBe(404);
      }
      expect((await stage.getRoom(room)).status, "and nothing has come of it").toBe(404);
      const fine = stage.openRaw({ room, query: "_pk=someone&v=1&unknown=parameter" });
      expect((await fine.waitForWelcome()).v).toBe(1);
    });

    it("compression is agreed upon where the platform declares it", async () => {
      const room = stage.makeRoomName("deflate");
      const client = stage.openRaw({ room, query: "_pk=someone", options: { perMessageDeflate: true } });
      await client.waitForWelcome();
      expect(client.socket.extensions.includes("permessage-deflate")).toBe(
        stage.platform.capabilities.compression,
      );
      const said = await client.expectEvent(client.say("squeezed ".repeat(40)));
      expect(said.d.text).toBe("squeezed ".repeat(40));
    });
  });
}

/** Where guests are off. */
export function describeWithoutGuests(stage: PlatformStage): void {
  describe("without guests", () => {
    it("[T5] a bare partysocket is refused, and no guest is made", async () => {
      const room = stage.makeRoomName("bare");
      const bare = stage.openRaw({ room, query: "_pk=a-tab-name-of-some-length" });
      expect((await bare.waitForBye()).code).toBe(4401);
      const made = await stage.fetch("/auth/guest", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: "Gina" }),
      });
      expect(made.status).toBeGreaterThanOrEqual(400);
      expect(made.status).toBeLessThan(500);
      expect(made.body).toMatchObject({ code: expect.any(String), message: expect.any(String) });
      expect((await stage.getRoom(room)).status).toBe(404);
      expect((await stage.joinAsMember(room, "ann")).you.user).toBe("ann");
    });
  });
}
