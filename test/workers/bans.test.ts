import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { readSignedBody } from "../../src/edge/signed-calls/signed-body";
import { SIGNATURE_HEADER, signCall } from "../../src/edge/signed-calls/signed-call";
import type { TokenClaims } from "../../src/identity/token";
import { main } from "../../src/kinds/main";
import { shardOf } from "../../src/services/directory/contract";
import type { CloudflareEnv } from "../../src/worker/env";
import { openBans } from "../../src/worker/open-bans";
import { serve } from "../../src/worker/serve";
import { makeRoomName, mintToken, objectOf, readStored, SocketClient } from "./socket-client";

const ADMIN: TokenClaims = { user: "ada", role: "admin" };
let admin = "";
beforeAll(async () => {
  admin = await mintToken(ADMIN);
});

async function callBans(method: string, path: string, body?: unknown, as = admin) {
  const response = await exports.default.fetch(`http://tallyroom/v1/bans${path}`, {
    method,
    headers: { Authorization: `Bearer ${as}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function joinRoom(
  room: string,
  user: string,
  claims: Partial<TokenClaims> = {},
): Promise<SocketClient> {
  return SocketClient.join(room, { _pk: crypto.randomUUID(), token: await mintToken({ user, ...claims }) });
}

function objectOfUser(user: string) {
  return env.USERS.getByName(shardOf(user));
}

/** The user's object knows of the room: from then on a ban finds it. */
function waitUntilKnown(user: string, room: string): Promise<void> {
  return vi.waitFor(async () => {
    const places = await objectOfUser(user).listLocations(user);
    expect(places).toContain(`cloudflare:main/${room}`);
  });
}

describe("bans everywhere, over HTTP", () => {
  it("[D6] bans are set, read, listed page by page and lifted", async () => {
    for (const user of ["u1", "u2", "u3", "ü/4 %"]) {
      const set = await callBans("PUT", `/${encodeURIComponent(user)}`, { reason: "spam" });
      expect(set).toMatchObject({ status: 200, body: { user, reason: "spam", by: "ada" } });
    }
    expect(await callBans("GET", "/u2")).toMatchObject({ status: 200, body: { user: "u2" } });
    const first = await callBans("GET", "?limit=2");
    expect(first.body).toMatchObject({ bans: [{ user: "u1" }, { user: "u2" }], cursor: "u2" });
    const second = await callBans("GET", `?limit=2&cursor=${first.body.cursor}`);
    expect(second.body).toMatchObject({ bans: [{ user: "u3" }, { user: "ü/4 %" }] });
    expect(second.body).not.toHaveProperty("cursor");
    for (const user of ["u1", "u2", "u3", "ü/4 %"]) {
      expect(await callBans("DELETE", `/${encodeURIComponent(user)}`)).toMatchObject({ status: 200 });
    }
    expect(await callBans("DELETE", "/u1")).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(await callBans("GET", "/u1")).toMatchObject({ status: 404 });
    expect((await callBans("GET", "")).body).toEqual({ bans: [] });
  });

  it("[D6] only an admin of the whole deployment sets bans", async () => {
    const others: TokenClaims[] = [
      { user: "hanna", role: "host", rooms: ["*/*"] },
      { user: "ann" },
      { user: "half", role: "admin", rooms: ["main/*"] },
      { user: "dash", role: "admin", rooms: ["*/-"] },
    ];
    for (const claims of others) {
      expect(await callBans("PUT", "/bob", {}, await mintToken(claims))).toMatchObject({
        status: 403,
        body: { code: "not_allowed" },
      });
    }
    expect(await callBans("PUT", "/bob", {}, "nonsense")).toMatchObject({ status: 401 });
    expect(await callBans("GET", "", undefined, "")).toMatchObject({ status: 401 });
    expect(await callBans("GET", "/bob")).toMatchObject({ status: 404 });
    expect(await callBans("PUT", "/ada", {}), "themselves").toMatchObject({ status: 403 });
  });

  it("[D6] invalid bans are refused with what is wrong", async () => {
    const wrong: [string, unknown][] = [
      ["/bob", { reason: "" }],
      ["/bob", { reason: 5 }],
      ["/bob", { untilMs: "soon" }],
      ["/bob", { untilMs: Date.now() - 1 }],
      ["/bob", { until: 5 }],
      [`/${"x".repeat(129)}`, {}],
      ["/%00", {}],
      ["/%ff", {}],
    ];
    for (const [path, body] of wrong) {
      expect(await callBans("PUT", path, body), JSON.stringify([path, body])).toMatchObject({
        status: 400,
        body: { code: "bad_data" },
      });
    }
    for (const query of ["?limit=0", "?limit=101", "?limit=x", "?page=2"]) {
      expect(await callBans("GET", query)).toMatchObject({ status: 400 });
    }
    expect((await callBans("GET", "")).body).toEqual({ bans: [] });
  });

  it("[D5] bans end live connections and refuse joining and acting until they are lifted or over", async () => {
    const room = makeRoomName();
    const bob = await joinRoom(room, "bob");
    await bob.waitForWelcome();
    await waitUntilKnown("bob", room);
    await callBans("PUT", "/bob", { reason: "cheating" });
    expect(await bob.waitForBye()).toMatchObject({ code: 4403, reason: "You are banned: cheating" });
    const again = await joinRoom(room, "bob");
    expect(await again.waitForBye()).toMatchObject({ code: 4403 });
    expect(await (await joinRoom(makeRoomName(), "bob")).waitForBye()).toMatchObject({ code: 4403 });
    const host = await mintToken({ user: "bob", role: "host", rooms: ["main/*"] });
    const acted = await exports.default.fetch(`http://tallyroom/parties/main/${room}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${host}` },
      body: JSON.stringify({ id: "1", f: "chat", a: "say", d: { text: "hi" } }),
    });
    expect(acted.status).toBe(403);
    await callBans("DELETE", "/bob");
    expect(await (await joinRoom(room, "bob")).waitForWelcome()).toMatchObject({ t: "welcome" });
    await callBans("PUT", "/carl", { untilMs: Date.now() + 400 });
    expect(await (await joinRoom(room, "carl")).waitForBye()).toMatchObject({ code: 4403 });
    await vi.waitFor(async () => {
      const carl = await joinRoom(room, "carl");
      expect(await Promise.race([carl.waitForWelcome(), carl.waitForBye()])).toMatchObject({ t: "welcome" });
    });
  });

  it("[D6] a ban keeps an admin for all rooms out of rooms, and from no administration: an equal could lock out every admin", async () => {
    const other = await mintToken({ user: "alma", role: "admin" });
    expect(await callBans("PUT", "/alma", { reason: "left us" })).toMatchObject({ status: 200 });
    const alma = await joinRoom(makeRoomName(), "alma", { role: "admin" });
    expect(await alma.waitForBye()).toMatchObject({ code: 4403, reason: "You are banned: left us" });
    expect(await callBans("GET", "", undefined, other)).toMatchObject({ status: 200 });
    expect(await callBans("DELETE", "/alma", undefined, other)).toMatchObject({ status: 200 });
    expect(await (await joinRoom(makeRoomName(), "alma", { role: "admin" })).waitForWelcome()).toMatchObject({
      t: "welcome",
    });
  });

  it("[D4] an admin of some rooms sets no bans, and a room's ban of a user who is an admin elsewhere is undone", async () => {
    const olga = await joinRoom(makeRoomName(), "olga", { role: "admin" });
    await olga.waitForWelcome();
    const room = makeRoomName();
    const bound = await joinRoom(room, "bert", { role: "admin", rooms: ["main/*"] });
    await bound.waitForWelcome();
    for (const a of ["ban", "unban"]) bound.do(a, "moderation", a, { user: "ann", scope: "everywhere" });
    await vi.waitFor(() => expect(bound.refused).toEqual({ ban: "not_allowed", unban: "not_allowed" }));
    const ada = await joinRoom(room, "ada", { role: "admin" });
    await ada.waitForWelcome();
    await vi.waitFor(async () => expect(await objectOfUser("olga").highestRole("olga")).toBe("admin"));
    ada.do("1", "moderation", "ban", { user: "olga", scope: "everywhere" });
    expect(await ada.waitForEvent("moderation", "unbanned")).toMatchObject({
      d: { user: "olga", scope: "everywhere" },
    });
    expect(await callBans("GET", "/olga")).toMatchObject({ status: 404 });
    expect(await (await joinRoom(room, "olga", { role: "admin" })).waitForWelcome()).toMatchObject({
      t: "welcome",
    });
  });

  it("[D4] bans spare an admin who was in a room a while ago", async () => {
    const room = makeRoomName();
    const orla = await joinRoom(room, "orla", { role: "admin" });
    await orla.waitForWelcome();
    await waitUntilKnown("orla", room);
    await objectOfUser("orla").updatePresence(`cloudflare:main/${room}`, {
      at: Number.MAX_SAFE_INTEGER,
      joined: [],
      left: ["orla"],
    });
    expect(await callBans("PUT", "/orla", {})).toMatchObject({ status: 403 });
  });

  it("[D4] [Z6] the object forgets the role of an admin who is erased, and any role after a day", async () => {
    const readRole = (user: string) =>
      runInDurableObject(objectOfUser(user), (_, { storage }) => storage.get(`r/${user}`));
    const join = (user: string) =>
      objectOfUser(user).updatePresence("cloudflare:main/roles", {
        at: 1,
        joined: [{ user, role: "admin", allRooms: true }],
        left: [],
      });
    await join("oona");
    expect(await readRole("oona")).toMatchObject({ role: "admin" });
    const erased = await exports.default.fetch("http://tallyroom/v1/users/oona", {
      method: "DELETE",
      headers: { Authorization: `Bearer ${admin}` },
    });
    expect(erased.status).toBe(200);
    expect(await readRole("oona")).toBeUndefined();
    await runInDurableObject(objectOfUser("oona"), (_, { storage }) => storage.deleteAlarm());
    await join("oona");
    await runInDurableObject(objectOfUser("oona"), async (_, { storage }) => {
      const alarm = (await storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
      expect(alarm).toBeLessThanOrEqual(Date.now() + 25 * 3_600_000);
      await storage.put("r/oona", { role: "admin", at: Date.now() - 86_400_001 });
    });
    await runDurableObjectAlarm(objectOfUser("oona"));
    expect(await readRole("oona")).toBeUndefined();
  });

  it("[D4] an admin of some rooms is not spared from a ban everywhere", async () => {
    const room = makeRoomName();
    const opal = await joinRoom(room, "opal", { role: "admin", rooms: [`main/${room}`] });
    await opal.waitForWelcome();
    await waitUntilKnown("opal", room);
    expect(await callBans("PUT", "/opal", {})).toMatchObject({ status: 200 });
    expect(await opal.waitForBye()).toMatchObject({ code: 4403 });
  });

  it("[D4] bans spare an admin who is in a room", async () => {
    const room = makeRoomName();
    await (await joinRoom(room, "otto", { role: "admin" })).waitForWelcome();
    await waitUntilKnown("otto", room);
    expect(await callBans("PUT", "/otto", {})).toMatchObject({ status: 403 });
  });
});

describe("a ban in a room", () => {
  it("[D5] the ban outlasts the room: opened again after a clean-up, it keeps the user out, and no other room does", async () => {
    const room = makeRoomName();
    const hanna = await joinRoom(room, "hanna", { role: "host", rooms: ["main/*"] });
    await hanna.waitForWelcome();
    hanna.do("1", "moderation", "ban", { user: "dora", reason: "enough" });
    await vi.waitFor(async () => {
      const row = await env.DB.prepare("select * from bans where user = 'dora'").first();
      expect(row).toMatchObject({ scope: `main/${room}`, by: "hanna", reason: "enough" });
    });
    const gone = await exports.default.fetch(`http://tallyroom/parties/main/${room}`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${admin}` },
    });
    expect(gone.status).toBe(200);
    await vi.waitFor(async () => expect((await objectOf(room).fetch("http://room/")).status).toBe(404));
    expect(await (await joinRoom(room, "dora")).waitForBye()).toMatchObject({
      code: 4403,
      reason: "You are banned from this room: enough",
    });
    expect(await (await joinRoom(makeRoomName(), "dora")).waitForWelcome()).toMatchObject({ t: "welcome" });

    const back = await joinRoom(room, "hanna", { role: "host", rooms: ["main/*"] });
    await back.waitForWelcome();
    back.do("2", "moderation", "unban", { user: "dora" });
    await vi.waitFor(async () =>
      expect(
        await env.DB.prepare("select * from bans where user = 'dora'").first(),
        "kept as one that is over",
      ).toMatchObject({ until_ms: 0, reason: null }),
    );
    expect(await (await joinRoom(room, "dora")).waitForWelcome()).toMatchObject({ t: "welcome" });
  });

  it("[D4] the ban of a host by a host lets the host in, even into a reopened room, and is then undone", async () => {
    const room = makeRoomName();
    const claims: Partial<TokenClaims> = { role: "host", rooms: ["main/*"] };
    const readRow = () => env.DB.prepare("select * from bans where user = 'hugo'").first();
    const hanna = await joinRoom(room, "hanna", claims);
    await hanna.waitForWelcome();
    hanna.do("1", "moderation", "ban", { user: "hugo" });
    await vi.waitFor(async () => expect(await readRow()).toMatchObject({ rank: "host", until_ms: null }));
    await exports.default.fetch(`http://tallyroom/parties/main/${room}`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${admin}` },
    });
    await vi.waitFor(async () => expect((await objectOf(room).fetch("http://room/")).status).toBe(404));
    expect(await (await joinRoom(room, "hugo")).waitForBye()).toMatchObject({ code: 4403 });
    const hugo = await joinRoom(room, "hugo", claims);
    await hugo.waitForWelcome();
    expect(await hugo.waitForEvent("moderation", "unbanned")).toMatchObject({
      d: { user: "hugo", scope: "room" },
    });
    await vi.waitFor(async () => expect(await readRow()).toMatchObject({ until_ms: 0 }));
    expect(await (await joinRoom(room, "hugo")).waitForWelcome()).toMatchObject({ t: "welcome" });
  });

  it("[D4] the ban by an admin keeps a host out of the room", async () => {
    const room = makeRoomName();
    const ada = await joinRoom(room, "ada", { role: "admin" });
    await ada.waitForWelcome();
    ada.do("1", "moderation", "ban", { user: "hedda" });
    await vi.waitFor(async () => {
      const row = await env.DB.prepare("select * from bans where user = 'hedda'").first();
      expect(row).toMatchObject({ rank: "admin" });
    });
    const hedda = await joinRoom(room, "hedda", { role: "host", rooms: ["main/*"] });
    expect(await hedda.waitForBye()).toMatchObject({ code: 4403 });
  });

  it("[D5] a ban that an edge did not know ends the connection as soon as the room has reported the join", async () => {
    const room = makeRoomName();
    // Past the edge, as one would come whose answer was older than the ban.
    const write = { n: 1, scope: "room", user: "eve", by: "hanna", at: 1, isLifted: false };
    await openBans(env as unknown as CloudflareEnv)?.applyWrites(
      { kind: "main", id: room },
      { writes: [write] },
    );
    const { forwardSocket } = await import("../../src/edge/forward");
    const ticket = {
      conn: "c".repeat(16),
      user: "eve",
      name: "Eve",
      role: "player" as const,
      guest: false,
      expiresAt: Date.now() + 60_000,
      tab: "t".repeat(16),
    };
    const { webSocket } = await objectOf(room).fetch(forwardSocket("main", room, ticket));
    if (!webSocket) throw new Error("not a socket");
    expect(await new SocketClient(webSocket).waitForBye()).toMatchObject({ code: 4403 });
  });
});

describe("a ban that was lifted", () => {
  it("[D5] a late or repeated call does not set a lifted ban again", async () => {
    const room = makeRoomName();
    const scope = "room" as const;
    const set = { n: 1, scope, user: "lena", by: "hanna", at: 10, isLifted: false };
    const lift = { ...set, n: 2, at: 20, isLifted: true };
    const write = (one: typeof set) =>
      openBans(env as unknown as CloudflareEnv)?.applyWrites({ kind: "main", id: room }, { writes: [one] });
    for (const one of [set, lift, set]) await write(one);
    expect(await (await joinRoom(room, "lena")).waitForWelcome()).toMatchObject({ t: "welcome" });
    // Nor where the end arrived first.
    for (const one of [lift, set]) await write({ ...one, user: "mara" });
    expect(await (await joinRoom(room, "mara")).waitForWelcome()).toMatchObject({ t: "welcome" });
    await write({ ...set, at: 30 });
    expect(await (await joinRoom(room, "lena")).waitForBye()).toMatchObject({ code: 4403 });
  });
});

describe("a user's object", () => {
  it("[D5] the object knows where its user is, and nothing once they have left and another user came", async () => {
    const room = makeRoomName();
    const fay = await joinRoom(room, "fay");
    await fay.waitForWelcome();
    await waitUntilKnown("fay", room);
    const hanna = await joinRoom(room, "hanna", { role: "host", rooms: ["main/*"] });
    await hanna.waitForWelcome();
    hanna.do("1", "moderation", "kick", { user: "fay" });
    await fay.waitForBye();
    await joinRoom(room, "gabi");
    await vi.waitFor(async () => expect(await objectOfUser("fay").listLocations("fay")).toEqual([]));
  });

  it("[D5] the object forgets a room that does not exist any more", async () => {
    const object = objectOfUser("gus");
    await object.updatePresence("cloudflare:main/never-was", presenceOf("gus", 1));
    await object.notifyRooms("gus");
    expect(await object.listLocations("gus")).toEqual([]);
  });

  it("[D5] the object retries a room that it could not notify, and notifies all rooms at each change", async () => {
    const object = objectOfUser("ida");
    // No ROOMS_URL here, so PartyKit's rooms are out of reach.
    await object.updatePresence("partykit:main/far", presenceOf("ida", 1));
    await object.notifyRooms("ida");
    expect(await object.listLocations("ida")).toEqual(["partykit:main/far"]);
    const alarm = await runInDurableObject(object, (_, state) => state.storage.getAlarm());
    expect(alarm).toBeGreaterThan(Date.now() - 1_000);
    await runDurableObjectAlarm(object);
    await object.notifyRooms("ida");
    const waiting = await runInDurableObject(object, (_, state) => state.storage.list({ prefix: "t/" }));
    expect([...waiting.values()]).toMatchObject([
      { user: "ida", locations: ["partykit:main/far"], tries: 1 },
    ]);
  });

  it("[D5] the object ignores a report that comes too late", async () => {
    const object = objectOfUser("jan");
    await object.updatePresence("cloudflare:main/x", presenceOf("jan", 10));
    await object.updatePresence("cloudflare:main/x", { at: 5, joined: [], left: ["jan"] });
    expect(await object.listLocations("jan")).toEqual(["cloudflare:main/x"]);
    await object.updatePresence("cloudflare:main/x", { at: 10, joined: [], left: ["jan"] });
    expect(await object.listLocations("jan")).toEqual([]);
  });

  it("[D5] the object never confuses two users, with any ids", async () => {
    const users = ["kim", "kim/", "kim%2F", "k", "\u{1f4a5}".repeat(128)];
    for (const user of users)
      await objectOfUser(user).updatePresence("cloudflare:main/x", presenceOf(user, 1));
    await objectOfUser("kim").updatePresence("cloudflare:main/x", { at: 2, joined: [], left: ["kim"] });
    const places = await Promise.all(users.map((user) => objectOfUser(user).listLocations(user)));
    expect(places.map(({ length }) => length)).toEqual([0, 1, 1, 1, 1]);
  });
});

function presenceOf(user: string, at: number) {
  return { at, joined: [{ user, role: "player" as const }], left: [] };
}

describe("the address of a banned guest", () => {
  // The pool's own worker has the limits of addresses off, since its requests have none.
  const limited = { ...env, GUEST_LIMIT: "60/900" } as unknown as CloudflareEnv;
  const { worker } = serve({ kinds: [main] });
  const ask = (path: string, address: string, init: RequestInit = {}) =>
    worker.fetch(
      new Request(`http://tallyroom${path}`, {
        ...init,
        headers: { ...init.headers, "CF-Connecting-IP": address },
      }),
      limited,
    );
  const opened = async (address: string) => {
    const response = await ask("/auth/guest", address, {
      method: "POST",
      body: JSON.stringify({ name: "Gast" }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, string | number> };
  };
  const joins = async (address: string, room: string, own: string) => {
    const query = new URLSearchParams({ _pk: crypto.randomUUID(), token: own });
    const { webSocket } = await ask(`/parties/main/${room}?${query}`, address, {
      headers: { Upgrade: "websocket" },
    });
    if (!webSocket) throw new Error("not a socket");
    return new SocketClient(webSocket);
  };

  it.each(["room", "everywhere"])(
    "[D7] opens no new guest for a while, and no other address is closed (%s)",
    async (scope) => {
      const address = scope === "room" ? "192.0.2.1" : "192.0.2.2";
      const room = makeRoomName();
      const { body } = await opened(address);
      const friend = await opened(address);
      const user = String(body.user);
      const guest = await joins(address, room, String(body.token));
      await guest.waitForWelcome();
      await waitUntilKnown(user, room);
      if (scope === "everywhere") {
        const headers = { Authorization: `Bearer ${admin}` };
        const set = await ask(`/v1/bans/${user}`, "192.0.2.9", { method: "PUT", headers, body: "{}" });
        expect(set.status).toBe(200);
        expect(await guest.waitForBye()).toMatchObject({ code: 4403 });
      } else {
        const [from] = await objectOfUser(user).listIpHashes(user);
        const write = { n: 1, scope, user, by: "hanna", at: Date.now(), isLifted: false, from };
        await openBans(limited)?.applyWrites({ kind: "main", id: room }, { writes: [write] });
      }
      const refused = await opened(address);
      expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
      expect(Number(refused.body.retryAfterMs)).toBeGreaterThan(800_000);
      expect((await opened("192.0.2.10")).status).toBe(200);
      const stays = await joins(address, room, String(friend.body.token));
      expect(await stays.waitForWelcome(), "an existing guest still gets in").toMatchObject({
        t: "welcome",
      });
    },
  );

  it("[D7] a ban everywhere from a room without the guest closes the address to new guests", async () => {
    const address = "192.0.2.4";
    const { body } = await opened(address);
    const user = String(body.user);
    const room = makeRoomName();
    const guest = await joins(address, room, String(body.token));
    await guest.waitForWelcome();
    await waitUntilKnown(user, room);
    const write = { n: 1, scope: "everywhere", user, by: "ada", at: Date.now(), isLifted: false };
    await openBans(limited)?.applyWrites({ kind: "main", id: makeRoomName() }, { writes: [write] });
    expect(await opened(address)).toMatchObject({ status: 429, body: { code: "rate_limited" } });
  });

  it("[D7] a ban in a room closes the address to new guests", async () => {
    const room = makeRoomName();
    const { body } = await opened("192.0.2.3");
    const guest = await joins("192.0.2.3", room, String(body.token));
    await guest.waitForWelcome();
    const hanna = await joinRoom(room, "hanna", { role: "host", rooms: ["main/*"] });
    await hanna.waitForWelcome();
    hanna.do("1", "moderation", "ban", { user: body.user });
    expect(await guest.waitForBye()).toMatchObject({ code: 4403 });
    const frames = Object.values(await readStored(room)).map((value) => JSON.stringify(value) ?? "");
    expect(frames.some((text) => /\\"user\\":\\"guest-[^}]*\\"from\\":\\"[\w-]{16}\\"/.test(text))).toBe(
      true,
    );
    expect(JSON.stringify(hanna.events), "and is in no event").not.toContain("from");
  });
});

describe("a worker without the bindings", () => {
  it("the worker keeps no bans, says which binding is missing, and lets users in all the same", async () => {
    const bare = { ...env, USERS: undefined } as unknown as CloudflareEnv;
    const { worker } = serve({ kinds: [main] });
    const headers = { Authorization: `Bearer ${admin}` };
    const answer = await worker.fetch(new Request("http://tallyroom/v1/bans", { headers }), bare);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("USERS"),
    });
    const query = new URLSearchParams({ _pk: crypto.randomUUID(), token: await mintToken({ user: "zoe" }) });
    const { webSocket } = await worker.fetch(
      new Request(`http://tallyroom/parties/main/${makeRoomName()}?${query}`, {
        headers: { Upgrade: "websocket" },
      }),
      bare,
    );
    if (!webSocket) throw new Error("not a socket");
    expect(await new SocketClient(webSocket).waitForWelcome()).toMatchObject({ t: "welcome" });
  });
});

describe("calls between platforms", () => {
  it("[S1] only signed calls are accepted", async () => {
    for (const what of ["ask", "places", "bans"]) {
      const response = await exports.default.fetch(`http://tallyroom/v1/errands/moderation/${what}`, {
        method: "POST",
        body: JSON.stringify({ user: "ann", room: "main/hall" }),
      });
      expect(response.status).toBe(401);
    }
    const word = await exports.default.fetch("http://tallyroom/parties/main/hall", {
      method: "PUT",
      headers: { "Tallyroom-Signature": `t=1,k=0000000000000000,v1=${"0".repeat(64)}` },
      body: JSON.stringify({ feature: "moderation", message: {} }),
    });
    expect(word.status).toBe(401);
    let isRead = false;
    const endless = new ReadableStream(
      {
        pull(controller) {
          isRead = true;
          controller.enqueue(new Uint8Array(1_024));
        },
      },
      { highWaterMark: 0 },
    );
    const request = new Request("http://tallyroom/v1/errands/moderation/ask", {
      method: "POST",
      headers: { [SIGNATURE_HEADER]: `t=${Date.now()},k=0000000000000000,v1=${"0".repeat(64)}` },
      body: endless,
    });
    expect(await readSignedBody(request, { current: env.BATCH_SECRET }, Date.now())).toMatchObject({
      status: 401,
    });
    expect(isRead, "an unsigned body is not read").toBe(false);
  });

  it("[S3] [D5] a call repeated after a newer one changes nothing: a lifted ban stays lifted", async () => {
    const call = async (isLifted: boolean, at: number) => {
      const write = { n: 1, scope: "room", user: "rita", by: "hana", at, isLifted };
      const body = JSON.stringify({ room: { kind: "main", id: "replayed" }, ask: { writes: [write] } });
      const path = "/v1/errands/moderation/bans";
      const signature = await signCall({ method: "POST", path, body }, env.BATCH_SECRET, Date.now());
      return () =>
        exports.default.fetch(`http://tallyroom${path}`, {
          method: "POST",
          headers: { [SIGNATURE_HEADER]: signature },
          body,
        });
    };
    const isBanned = async () => {
      const answer = await openBans(env as unknown as CloudflareEnv)?.fetchBans("rita", "main/replayed");
      return answer?.bans.length === 1;
    };
    const now = Date.now();
    const bans = await call(false, now);
    const lifts = await call(true, now + 10);
    expect((await bans()).status).toBe(200);
    expect(await isBanned()).toBe(true);
    expect((await lifts()).status).toBe(200);
    expect(await isBanned()).toBe(false);
    expect((await bans()).status).toBe(200);
    expect(await isBanned(), "replayed").toBe(false);
    const again = await call(false, now + 20);
    await again();
    expect(await isBanned(), "banned again").toBe(true);
    await lifts();
    expect(await isBanned(), "an older end").toBe(true);
    await env.DB.prepare("delete from bans").run();
    await lifts();
    await bans();
    expect(await isBanned(), "its end came first").toBe(false);
  });
});
