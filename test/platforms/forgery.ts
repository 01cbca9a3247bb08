import { describe, expect, it } from "vitest";
import type { PlatformStage } from "./platform-stage";
import { readFilesUnder } from "./stored-bytes";
import { mintUnsignedToken } from "./tokens";
import { eventually, pause } from "./waiting";

/** A runtime's own message about a socket that was cut off, which no code of ours sees. */
const IGNORED_LOG = /Network connection lost|disconnected: worker_do_not_log/;

/** A client that claims another identity is refused, or harmless. */
export function describeForgeries(stage: PlatformStage): void {
  const root = { user: "root", name: "Root", role: "admin" };
  const hello = Buffer.from(
    JSON.stringify({
      ...root,
      conn: "forged-forged-16",
      guest: false,
      expiresAt: Date.now() + 1e9,
      tab: "forged-tab-is-16",
    }),
  ).toString("base64url");
  const FORGED = {
    "x-tallyroom-hello": hello,
    "x-tallyroom-caller": hello,
    "x-tallyroom-user": "root",
    "x-tallyroom-role": "admin",
    "x-partykit-props": JSON.stringify(root),
    "x-partykit-room": "another-room",
    "x-partykit-namespace": "another",
    "x-partykit-jurisdiction": "eu",
    "x-partykit-meta": hello,
    "x-party-connection-id": "forged",
    "cf-connecting-ip": "203.0.113.9",
    "x-forwarded-for": "203.0.113.9",
  };

  describe("forging", () => {
    it("[A5] two users who claim one connection id are two connections", async () => {
      const room = stage.makeRoomName("claim");
      const tab = "one id that both of them claim";
      const ann = await stage.joinAsMember(room, "ann", { tab });
      const mallory = await stage.joinAsMember(room, "mallory", { tab });
      expect(mallory.you.user).toBe("mallory");
      expect(mallory.you.conn).not.toBe(ann.you.conn);
      expect([ann.you.conn, mallory.you.conn]).not.toContain(tab);
      const said = await ann.expectEvent(ann.say("still ann"));
      expect(said.by).toBe("ann");
      await mallory.waitForSeq(said.seq);
      expect((await mallory.expectEvent(mallory.say("I am ann"))).by).toBe("mallory");
      expect(ann.byes).toEqual([]);
      expect((await stage.getRoom(room)).body).toMatchObject({ users: 2, connections: 2 });
    });

    it("[A5] a connection's id, once known, cannot be claimed", async () => {
      const room = stage.makeRoomName("claim");
      const ann = await stage.joinAsMember(room, "ann");
      const mallory = stage.openRaw({
        room,
        query: `_pk=${encodeURIComponent(ann.you.conn)}&id=${encodeURIComponent(ann.you.conn)}&token=${await stage.mintToken({ sub: "mallory" })}`,
      });
      expect((await mallory.waitForWelcome()).you).toMatchObject({ user: "mallory", role: "player" });
      expect(mallory.you.conn).not.toBe(ann.you.conn);
      const said = await ann.expectEvent(ann.say("mine"));
      await mallory.waitForSeq(said.seq);
      expect(ann.byes).toEqual([]);
    });

    it("[A5] sixty sockets with one `_pk` at once leave one connection per user, and a room that works", async () => {
      const room = stage.makeRoomName("claim");
      const watch = await stage.joinAsMember(room, "watch");
      const token = await stage.mintToken({ sub: "ann" });
      const many = Array.from({ length: 60 }, () =>
        stage.openRaw({ room, query: `_pk=the-very-same-tab-of-ann&token=${token}` }),
      );
      await Promise.all(many.map((one) => one.waitFor(() => one.messages[0], "a first message")));
      await eventually(() => many.filter((one) => one.byes.length === 0).length === 1, "one is left");
      expect(many.flatMap((one) => one.byes.map((bye) => bye.code)).every((code) => code === 4409)).toBe(
        true,
      );
      const [rest] = many.filter((one) => one.byes.length === 0);
      expect((await rest?.expectEvent(rest.say("the last")))?.by).toBe("ann");
      await watch.waitFor(() => watch.events.some((event) => event.n === "said"), "it");
      expect((await stage.getRoom(room)).body).toMatchObject({ users: 2, connections: 2 });
      expect(watch.events.filter((event) => event.n === "joined")).toHaveLength(1);
    });

    it("[A6] forged identity headers on a socket change nothing: with a token, without one, with an invalid one", async () => {
      const room = stage.makeRoomName("forged");
      const ann = stage.openRaw({
        room,
        query: `_pk=ann&token=${await stage.mintToken({ sub: "ann", name: "Ann" })}`,
        headers: FORGED,
      });
      const welcome = await ann.waitForWelcome();
      expect(welcome.you).toMatchObject({ user: "ann", name: "Ann", role: "player" });
      expect(welcome.you.conn).not.toBe("forged-forged-16");
      expect(welcome.room).toEqual({ kind: "main", id: room });
      const guest = stage.openRaw({ room, query: "_pk=some-guest-with-a-long-tab-name", headers: FORGED });
      expect((await guest.waitForWelcome()).you).toMatchObject({
        user: expect.stringMatching(/^guest-/),
        role: "player",
      });
      const bad = stage.openRaw({ room, query: "_pk=bad&token=bad", headers: FORGED });
      expect((await bad.waitForBye()).code).toBe(4401);
      for (const [header, value] of Object.entries(FORGED)) {
        const alone = stage.openRaw({
          room,
          query: "_pk=some-guest-with-a-long-tab-name",
          headers: { [header]: value },
        });
        expect((await alone.waitForWelcome()).you.user, header).toBe(guest.you.user);
      }
      expect((await stage.getRoom("another-room")).status).toBe(404);
    });

    it("[A6] forged identity headers on requests change nothing", async () => {
      const room = stage.makeRoomName("forged");
      const ann = await stage.joinAsMember(room, "ann");
      const action = { id: "forged", f: "chat", a: "say", d: { text: "by root" } };
      expect((await stage.postAction(room, action, undefined, FORGED)).status).toBe(401);
      expect(
        (await stage.postAction(room, action, await stage.mintToken({ sub: "ann" }), FORGED)).status,
      ).toBe(403);
      const summary = await stage.getRoom(room, { headers: FORGED });
      expect(summary.body).toMatchObject({ id: room, seq: 1 });
      const nowhere = stage.makeRoomName("nowhere");
      expect((await stage.getRoom(nowhere, { headers: FORGED })).status).toBe(404);
      expect((await stage.postAction(nowhere, action, undefined, FORGED)).status).toBe(401);
      expect((await stage.getRoom(nowhere)).status).toBe(404);
      expect((await ann.expectEvent(ann.say("next"))).seq).toBe(2);
    });

    it("[A6] parameters in the query cannot stand for what the edge has established", async () => {
      const room = stage.makeRoomName("forged");
      const query = new URLSearchParams({
        _pk: "some guest with a long tab name",
        user: "root",
        sub: "root",
        role: "admin",
        hello,
        "x-tallyroom-hello": hello,
        conn: "forged",
      });
      const guest = stage.openRaw({ room, query: String(query) });
      expect((await guest.waitForWelcome()).you).toMatchObject({
        user: expect.stringMatching(/^guest-/),
        role: "player",
      });
    });

    it("[T2] [T6] the edge refuses invalid tokens before it calls the room", async () => {
      const key = "another secret, which is also 32 bytes long and more";
      const ann = { sub: "ann", name: "Ann" };
      const good = await stage.mintToken(ann);
      const [header, payload, signature] = good.split(".");
      const admin = Buffer.from(JSON.stringify({ sub: "root", role: "admin", exp: 4e9 })).toString(
        "base64url",
      );
      const cases: Record<string, [string, number[]]> = {
        "another key": [await stage.mintToken(ann, { secret: key }), [4401]],
        "another algorithm": [await stage.mintToken(ann, { alg: "HS512", secret: `${key}${key}` }), [4401]],
        "HS384 with our key": [await stage.mintToken(ann, { alg: "HS384" }), [4401]],
        "alg none": [mintUnsignedToken({ ...ann, role: "admin" }), [4401]],
        "alg none with a signature": [`${mintUnsignedToken(ann)}${signature}`, [4401]],
        expired: [await stage.mintToken(ann, { expiresIn: -10 }), [4401]],
        "without exp": [await stage.mintToken(ann, { expiresIn: null }), [4401]],
        "for another room": [await stage.mintToken({ ...ann, rooms: ["main/other"] }), [4403]],
        "for another kind": [await stage.mintToken({ ...ann, rooms: ["quiz/*"] }), [4403]],
        "for no room": [await stage.mintToken({ ...ann, rooms: [] }), [4403, 4401]],
        "a host of no room": [await stage.mintToken({ ...ann, role: "host" }), [4401, 4403]],
        "an unknown role": [await stage.mintToken({ ...ann, role: "god" }), [4401]],
        "nobody's": [await stage.mintToken({ name: "Ann" }), [4401]],
        "an empty user": [await stage.mintToken({ sub: "" }), [4401]],
        "a user of 129 characters": [await stage.mintToken({ sub: "x".repeat(129) }), [4401]],
        "a user with a control character": [await stage.mintToken({ sub: "a\u0007b" }), [4401]],
        "a user with U+0000": [await stage.mintToken({ sub: "a\u0000b" }), [4401]],
        "a name of 41 characters": [await stage.mintToken({ sub: "ann", name: "x".repeat(41) }), [4401]],
        "a guest's name for a user": [await stage.mintToken({ sub: "guest-of-honour" }), [4401]],
        "payload exchanged": [`${header}.${admin}.${signature}`, [4401]],
        "signature cut": [`${header}.${payload}.${signature?.slice(0, -4)}`, [4401]],
        "two parts": [`${header}.${payload}`, [4401]],
        empty: ["", [4401]],
        blank: [" ", [4401]],
        garbage: ["garbage", [4401]],
        dots: ["..", [4401]],
        "a long one": ["x".repeat(7000), [4400, 4401]],
      };
      const refused = new Map<string, string>();
      for (const [what, [token, codes]] of Object.entries(cases)) {
        const room = stage.makeRoomName("refused");
        const client = stage.openRaw({
          room,
          query: `_pk=some-tab-of-the-forger&token=${encodeURIComponent(token)}`,
        });
        const bye = await client.waitForBye();
        expect(codes, `${what}: ${JSON.stringify(bye)}`).toContain(bye.code);
        expect(client.messages, "nothing but the bye").toHaveLength(1);
        if (token.length < 4000 && token.trim() !== "") {
          const posted = await stage.postAction(
            room,
            { id: "x", f: "chat", a: "say", d: { text: "x" } },
            token,
          );
          expect([401, 403], `${what}: ${posted.status} ${posted.text}`).toContain(posted.status);
        }
        refused.set(room, what);
      }
      await pause(1000);
      for (const [room, what] of refused) {
        expect(stage.countRestores(room), `${what}: wakes nobody`).toBe(0);
        expect((await stage.getRoom(room)).status, `${what}: the room is as it was, none`).toBe(404);
      }
    }, 30_000);
  });
}

/** Last on a server: what all the tests before it have left behind. */
export function describeLeftovers(stage: PlatformStage): void {
  describe("what is left behind", () => {
    it("the log and the storage hold the messages, and no token", async () => {
      const room = stage.makeRoomName("secrets");
      const marker = `a line that has to be found ${room}`;
      const bare = stage.joinBare(room);
      stage.tokens.add(String((await bare.waitForWelcome()).you.token));
      await bare.expectEvent(bare.say(marker));
      const ann = await stage.joinAsMember(room, "ann");
      await ann.expectEvent(ann.say("and one by token"));
      expect(stage.tokens.size).toBeGreaterThan(1);

      const stored = readFilesUnder(stage.server.dataDir);
      const found = (text: string) =>
        stored.some((bytes) => bytes.includes(text) || bytes.includes(text, 0, "utf16le"));
      expect(found(marker), "the search finds what is stored").toBe(true);
      const { log } = stage;
      for (const token of stage.tokens) {
        for (const part of toTokenParts(token)) {
          expect(log.includes(part), `the log holds a part of ${token}`).toBe(false);
          expect(found(part), `something stored holds a part of ${token}`).toBe(false);
        }
      }
    });

    it("[E2] the log has no uncaught error", () => {
      const bad = stage.log
        .split("\n")
        .filter((line) =>
          /uncaught|unhandled|TypeError|RangeError|SyntaxError|ReferenceError|ZodError|^\s+at /i.test(line),
        );
      expect(bad.filter((line) => !IGNORED_LOG.test(line))).toEqual([]);
    });
  });
}

/** A signature is unique; its parts, since a stored value may be cut at any byte. */
function toTokenParts(token: string): string[] {
  const signature = token.split(".")[2] ?? "";
  return signature.length < 30 ? [] : [signature.slice(0, 14), signature.slice(14, 28), signature.slice(-14)];
}
