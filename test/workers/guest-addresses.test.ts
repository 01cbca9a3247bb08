import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { issueGuest } from "../../src/identity/guest";
import { main } from "../../src/kinds/main";
import type { CloudflareEnv } from "../../src/worker/env";
import { serve } from "../../src/worker/serve";
import { makeRoomName, mintToken, SocketClient } from "./socket-client";

// The pool's own worker has the limits of addresses off, since its requests have none.
const limited = { ...env, GUEST_LIMIT: "60/900" } as unknown as CloudflareEnv;
const { worker } = serve({ kinds: [main] });

function ask(path: string, address: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, "CF-Connecting-IP": address };
  return Promise.resolve(worker.fetch(new Request(`http://tallyroom${path}`, { ...init, headers }), limited));
}

async function join(
  room: string,
  address: string,
  query: Record<string, string> = {},
): Promise<SocketClient> {
  const search = new URLSearchParams({ _pk: crypto.randomUUID(), ...query });
  const init = { headers: { Upgrade: "websocket" } };
  const { webSocket } = await ask(`/parties/main/${room}?${search}`, address, init);
  if (!webSocket) throw new Error("not a socket");
  return new SocketClient(webSocket);
}

async function stockpiled(address: string): Promise<string> {
  const opened = await ask("/auth/guest", address, { method: "POST", body: "{}" });
  return ((await opened.json()) as { token: string }).token;
}

/** A guest's token that was opened an hour ago. */
async function oldToken(): Promise<string> {
  const user = `guest-${crypto.randomUUID()}`;
  const { token } = await issueGuest(user, "Old", String(env.AUTH_SECRET), Date.now() - 3_600_000);
  return token;
}

const host = (room: string) => mintToken({ user: "hanna", role: "host", rooms: [`main/${room}`] });

/** A room with its host and a guest of this address; returns the guest's id. */
async function withTroll(room: string, address: string) {
  const hanna = await join(room, "192.0.2.99", { token: await host(room) });
  await hanna.waitForWelcome();
  const troll = await join(room, address);
  const { you } = (await troll.waitForWelcome()) as unknown as { you: { user: string } };
  return { hanna, troll, user: you.user };
}

describe("a penalty for a guest", () => {
  it("[D8] a mute holds for a new tab at the address and a stockpiled token, and for no guest elsewhere", async () => {
    const room = makeRoomName();
    const address = "192.0.2.51";
    const stocked = await stockpiled(address);
    const { hanna, user } = await withTroll(room, address);
    hanna.do("m", "moderation", "mute", { user });
    await hanna.waitForEvent("moderation", "muted");
    for (const query of [{}, { token: stocked }] as Record<string, string>[]) {
      const again = await join(room, address, query);
      await again.waitForWelcome();
      again.say("1", "me again");
      expect(await again.nack()).toMatchObject({ id: "1", code: "muted" });
    }
    const far = await join(room, "192.0.2.52");
    await far.waitForWelcome();
    far.say("1", "from elsewhere");
    expect(await hanna.waitForEvent("chat", "said")).toMatchObject({ d: { text: "from elsewhere" } });
  });

  it("[D8] a ban keeps stockpiled tokens out of the room, with the time to come back", async () => {
    const room = makeRoomName();
    const address = "192.0.2.53";
    const tokens = [await stockpiled(address), await stockpiled(address)];
    const { hanna, troll, user } = await withTroll(room, address);
    hanna.do("b", "moderation", "ban", { user });
    expect(await troll.waitForBye()).toMatchObject({ code: 4403 });
    for (const token of tokens) {
      const refused = await (await join(room, address, { token })).waitForBye();
      expect(refused).toMatchObject({ code: 4429 });
      expect(Number(refused.retryAfterMs)).toBeGreaterThan(800_000);
    }
    const elsewhere = await join(makeRoomName(), address, { token: String(tokens[0]) });
    expect(await elsewhere.waitForWelcome(), "another room").toMatchObject({ t: "welcome" });
  });

  it("[D8] a ban keeps out a guest with an old token who was never in the room, and not one who was", async () => {
    const room = makeRoomName();
    const address = "192.0.2.55";
    const [known, stocked] = [await oldToken(), await oldToken()];
    const { hanna, user } = await withTroll(room, address);
    const sister = await join(room, address, { token: known });
    await sister.waitForWelcome();
    hanna.do("b", "moderation", "ban", { user });
    await hanna.waitForEvent("moderation", "banned");
    expect(await (await join(room, address, { token: stocked })).waitForBye()).toMatchObject({ code: 4429 });
    expect(await (await join(room, address, { token: known })).waitForWelcome()).toMatchObject({
      t: "welcome",
    });
    sister.say("1", "not me");
    expect(await hanna.waitForEvent("chat", "said")).toMatchObject({ d: { text: "not me" } });
  });

  it("[D8] a ban mutes new guests of another /64 in the /48, and a second one there closes the room to the /48", async () => {
    const room = makeRoomName();
    const [first, second, third] = ["2001:db8:51:1::1", "2001:db8:51:2::1", "2001:db8:51:3::1"] as const;
    const { hanna, user } = await withTroll(room, first);
    hanna.do("b1", "moderation", "ban", { user });
    await hanna.waitForEvent("moderation", "banned");
    const moved = await join(room, second);
    const { you } = (await moved.waitForWelcome()) as unknown as { you: { user: string } };
    moved.say("1", "me again");
    expect(await moved.nack()).toMatchObject({ id: "1", code: "muted" });
    hanna.do("b2", "moderation", "ban", { user: you.user });
    expect(await moved.waitForBye()).toMatchObject({ code: 4403 });
    expect(await (await join(room, third)).waitForBye()).toMatchObject({ code: 4429 });
    const far = await join(room, "2001:db8:52:1::1");
    expect(await far.waitForWelcome(), "another /48").toMatchObject({ t: "welcome" });
  });

  it("[D8] a ban of a guest who left is applied to the address", async () => {
    const room = makeRoomName();
    const address = "192.0.2.56";
    const { hanna, troll, user } = await withTroll(room, address);
    troll.socket.close();
    await hanna.waitForEvent("presence", "left", 15_000);
    hanna.do("b", "moderation", "ban", { user });
    await hanna.waitForEvent("moderation", "banned");
    const stocked = await join(room, address, { token: await oldToken() });
    expect(await stocked.waitForBye()).toMatchObject({ code: 4429 });
  }, 30_000);
});

describe("GET of a room", () => {
  it("[H3] the answer lists the members to the host, and to no banned user", async () => {
    const room = makeRoomName();
    const address = "192.0.2.54";
    const { user } = await withTroll(room, address);
    const look = async (bearer: string) => {
      const headers = { Authorization: `Bearer ${bearer}` };
      return (await ask(`/parties/main/${room}`, address, { headers })).json();
    };
    expect(await look(await host(room))).toMatchObject({
      users: 2,
      members: [
        { user: "hanna", role: "host", connections: 1 },
        { user, role: "player", guest: true, connections: 1 },
      ],
    });
    const other = await mintToken({ user: "gone", role: "host", rooms: ["main/*"] });
    expect(await look(other)).toHaveProperty("members");
    const headers = { Authorization: `Bearer ${await mintToken({ user: "ada", role: "admin" })}` };
    const banned = await ask("/v1/bans/gone", address, { method: "PUT", headers, body: "{}" });
    expect(banned.status).toBe(200);
    expect(await look(other)).not.toHaveProperty("members");
  });
});
