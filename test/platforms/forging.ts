import { describe, expect, it } from "vitest";
import type { Stage } from "./stage";
import { bytesUnder } from "./stored-bytes";
import { mintUnsigned } from "./tokens";
import { eventually, pause } from "./waiting";

/** A runtime's own word for a socket that was cut off, which no code of ours sees. */
const NOISE = /Network connection lost|disconnected: worker_do_not_log/;

/** Whoever claims to be somebody else is refused, or is harmless. */
export function forging(stage: Stage): void {
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
      const room = stage.room("claim");
      const tab = "one id that both of them claim";
      const ann = await stage.member(room, "ann", { tab });
      const mallory = await stage.member(room, "mallory", { tab });
      expect(mallory.you.user).toBe("mallory");
      expect(mallory.you.conn).not.toBe(ann.you.conn);
      expect([ann.you.conn, mallory.you.conn]).not.toContain(tab);
      const said = await ann.done(ann.say("still ann"));
      expect(said.by).toBe("ann");
      await mallory.reached(said.seq);
      expect((await mallory.done(mallory.say("I am ann"))).by).toBe("mallory");
      expect(ann.byes).toEqual([]);
      expect((await stage.get(room)).body).toMatchObject({ users: 2, connections: 2 });
    });

    it("[A5] a connection's id, once known, cannot be claimed", async () => {
      const room = stage.room("claim");
      const ann = await stage.member(room, "ann");
      const mallory = stage.raw({
        room,
        query: `_pk=${encodeURIComponent(ann.you.conn)}&id=${encodeURIComponent(ann.you.conn)}&token=${await stage.token({ sub: "mallory" })}`,
      });
      expect((await mallory.welcome()).you).toMatchObject({ user: "mallory", role: "player" });
      expect(mallory.you.conn).not.toBe(ann.you.conn);
      const said = await ann.done(ann.say("mine"));
      await mallory.reached(said.seq);
      expect(ann.byes).toEqual([]);
    });

    it("[A5] sixty sockets with one `_pk` at once leave one connection a user, and a room that works", async () => {
      const room = stage.room("claim");
      const watch = await stage.member(room, "watch");
      const token = await stage.token({ sub: "ann" });
      const many = Array.from({ length: 60 }, () =>
        stage.raw({ room, query: `_pk=the-very-same-tab-of-ann&token=${token}` }),
      );
      await Promise.all(many.map((one) => one.until(() => one.messages[0], "a first message")));
      await eventually(() => many.filter((one) => one.byes.length === 0).length === 1, "one is left");
      expect(many.flatMap((one) => one.byes.map((bye) => bye.code)).every((code) => code === 4409)).toBe(
        true,
      );
      const [rest] = many.filter((one) => one.byes.length === 0);
      expect((await rest?.done(rest.say("the last")))?.by).toBe("ann");
      await watch.until(() => watch.events.some((event) => event.n === "said"), "it");
      expect((await stage.get(room)).body).toMatchObject({ users: 2, connections: 2 });
      expect(watch.events.filter((event) => event.n === "joined")).toHaveLength(1);
    });

    it("[A6] forged identity headers on a socket change nothing: with a token, without one, without a good one", async () => {
      const room = stage.room("forged");
      const ann = stage.raw({
        room,
        query: `_pk=ann&token=${await stage.token({ sub: "ann", name: "Ann" })}`,
        headers: FORGED,
      });
      const welcome = await ann.welcome();
      expect(welcome.you).toMatchObject({ user: "ann", name: "Ann", role: "player" });
      expect(welcome.you.conn).not.toBe("forged-forged-16");
      expect(welcome.room).toEqual({ kind: "main", id: room });
      const guest = stage.raw({ room, query: "_pk=some-guest-with-a-long-tab-name", headers: FORGED });
      expect((await guest.welcome()).you).toMatchObject({
        user: expect.stringMatching(/^guest-/),
        role: "player",
      });
      const bad = stage.raw({ room, query: "_pk=bad&token=bad", headers: FORGED });
      expect((await bad.bye()).code).toBe(4401);
      for (const [header, value] of Object.entries(FORGED)) {
        const alone = stage.raw({
          room,
          query: "_pk=some-guest-with-a-long-tab-name",
          headers: { [header]: value },
        });
        expect((await alone.welcome()).you.user, header).toBe(guest.you.user);
      }
      expect((await stage.get("another-room")).status).toBe(404);
    });

    it("[A6] forged identity headers on requests change nothing", async () => {
      const room = stage.room("forged");
      const ann = await stage.member(room, "ann");
      const action = { id: "forged", f: "chat", a: "say", d: { text: "by root" } };
      expect((await stage.post(room, action, undefined, FORGED)).status).toBe(401);
      expect((await stage.post(room, action, await stage.token({ sub: "ann" }), FORGED)).status).toBe(403);
      const summary = await stage.get(room, { headers: FORGED });
      expect(summary.body).toMatchObject({ id: room, seq: 1 });
      const nowhere = stage.room("nowhere");
      expect((await stage.get(nowhere, { headers: FORGED })).status).toBe(404);
      expect((await stage.post(nowhere, action, undefined, FORGED)).status).toBe(401);
      expect((await stage.get(nowhere)).status).toBe(404);
      expect((await ann.done(ann.say("next"))).seq).toBe(2);
    });

    it("[A6] parameters in the query cannot stand for what the edge has established", async () => {
      const room = stage.room("forged");
      const query = new URLSearchParams({
        _pk: "some guest with a long tab name",
        user: "root",
        sub: "root",
        role: "admin",
        hello,
        "x-tallyroom-hello": hello,
        conn: "forged",
      });
      const guest = stage.raw({ room, query: String(query) });
      expect((await guest.welcome()).you).toMatchObject({
        user: expect.stringMatching(/^guest-/),
        role: "player",
      });
    });

    it("[T2] [T6] tokens that are not good are refused before the room is touched", async () => {
      const key = "another secret, which is also 32 bytes long and more";
      const ann = { sub: "ann", name: "Ann" };
      const good = await stage.token(ann);
      const [header, payload, signature] = good.split(".");
      const admin = Buffer.from(JSON.stringify({ sub: "root", role: "admin", exp: 4e9 })).toString(
        "base64url",
      );
      const cases: Record<string, [string, number[]]> = {
        "another key": [await stage.token(ann, { secret: key }), [4401]],
        "another algorithm": [await stage.token(ann, { alg: "HS512", secret: `${key}${key}` }), [4401]],
        "HS384 with our key": [await stage.token(ann, { alg: "HS384" }), [4401]],
        "alg none": [mintUnsigned({ ...ann, role: "admin" }), [4401]],
        "alg none with a signature": [`${mintUnsigned(ann)}${signature}`, [4401]],
        expired: [await stage.token(ann, { expiresIn: -10 }), [4401]],
        "without exp": [await stage.token(ann, { expiresIn: null }), [4401]],
        "for another room": [await stage.token({ ...ann, rooms: ["main/other"] }), [4403]],
        "for another kind": [await stage.token({ ...ann, rooms: ["quiz/*"] }), [4403]],
        "for no room": [await stage.token({ ...ann, rooms: [] }), [4403, 4401]],
        "a host of no room": [await stage.token({ ...ann, role: "host" }), [4401, 4403]],
        "an unknown role": [await stage.token({ ...ann, role: "god" }), [4401]],
        "nobody's": [await stage.token({ name: "Ann" }), [4401]],
        "an empty user": [await stage.token({ sub: "" }), [4401]],
        "a user of 129 characters": [await stage.token({ sub: "x".repeat(129) }), [4401]],
        "a user with a control character": [await stage.token({ sub: "a\u0007b" }), [4401]],
        "a user with U+0000": [await stage.token({ sub: "a\u0000b" }), [4401]],
        "a name of 41 characters": [await stage.token({ sub: "ann", name: "x".repeat(41) }), [4401]],
        "a guest's name for a user": [await stage.token({ sub: "guest-of-honour" }), [4401]],
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
        const room = stage.room("refused");
        const client = stage.raw({
          room,
          query: `_pk=some-tab-of-the-forger&token=${encodeURIComponent(token)}`,
        });
        const bye = await client.bye();
        expect(codes, `${what}: ${JSON.stringify(bye)}`).toContain(bye.code);
        expect(client.messages, "nothing but the bye").toHaveLength(1);
        if (token.length < 4000 && token.trim() !== "") {
          const posted = await stage.post(room, { id: "x", f: "chat", a: "say", d: { text: "x" } }, token);
          expect([401, 403], `${what}: ${posted.status} ${posted.text}`).toContain(posted.status);
        }
        refused.set(room, what);
      }
      await pause(1000);
      for (const [room, what] of refused) {
        expect(stage.restored(room), `${what}: wakes nobody`).toBe(0);
        expect((await stage.get(room)).status, `${what}: the room is as it was, none`).toBe(404);
      }
    }, 30_000);
  });
}

/** Last on a server: what all the stories before it have left behind. */
export function leavingNothing(stage: Stage): void {
  describe("what is left behind", () => {
    it("no token is found in the log or in anything stored, while what was said is", async () => {
      const room = stage.room("secrets");
      const marker = `a line that has to be found ${room}`;
      const bare = stage.bare(room);
      stage.tokens.add(String((await bare.welcome()).you.token));
      await bare.done(bare.say(marker));
      const ann = await stage.member(room, "ann");
      await ann.done(ann.say("and one by token"));
      expect(stage.tokens.size).toBeGreaterThan(1);

      const stored = bytesUnder(stage.server.dataDir);
      const found = (text: string) =>
        stored.some((bytes) => bytes.includes(text) || bytes.includes(text, 0, "utf16le"));
      expect(found(marker), "the search finds what is stored").toBe(true);
      const { log } = stage;
      for (const token of stage.tokens) {
        for (const part of tellingPartsOf(token)) {
          expect(log.includes(part), `the log holds a part of ${token}`).toBe(false);
          expect(found(part), `something stored holds a part of ${token}`).toBe(false);
        }
      }
    });

    it("[E2] the log tells of no error that nobody caught", () => {
      const bad = stage.log
        .split("\n")
        .filter((line) =>
          /uncaught|unhandled|TypeError|RangeError|SyntaxError|ReferenceError|ZodError|^\s+at /i.test(line),
        );
      expect(bad.filter((line) => !NOISE.test(line))).toEqual([]);
    });
  });
}

/** A signature is no other text's; its parts, since a stored value may be cut at any byte. */
function tellingPartsOf(token: string): string[] {
  const signature = token.split(".")[2] ?? "";
  return signature.length < 30 ? [] : [signature.slice(0, 14), signature.slice(14, 28), signature.slice(-14)];
}
