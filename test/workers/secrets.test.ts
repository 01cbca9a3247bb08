import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { makeRoomName, mintToken, readAttachments, readStored, SocketClient } from "./socket-client";

/** Secrets that must not be in storage: each would give a thief another user's identity. */
const secrets = (...tokens: string[]) => [
  env.AUTH_SECRET,
  ...tokens.flatMap((text) => [text, String(text.split(".")[2])]),
];

describe("what outlives a room's sleep", () => {
  it("[T5] an attachment holds no token, nor the name of a guest's tab", async () => {
    const room = makeRoomName();
    const tab = crypto.randomUUID();
    const brought = await mintToken({ user: "ann" });
    const ann = await SocketClient.join(room, { token: brought, _pk: tab });
    const guest = await SocketClient.join(room, { _pk: tab });
    const given = (await guest.waitForWelcome()).you?.token ?? "";
    expect(given.split(".")).toHaveLength(3);
    ann.say("1", "a line");
    await guest.waitForEvent("chat", "said");

    const kept = JSON.stringify([await readStored(room), await readAttachments(room)]);
    expect(kept, "this is the room").toContain("a line");
    const found = [...secrets(brought, given), tab].filter((secret) => kept.includes(secret));
    expect(found).toEqual([]);
  });

  it("an attachment has at most 512 bytes for any user id", async () => {
    const room = `${makeRoomName()}-`.padEnd(64, "r");
    const user = "🦊".repeat(128);
    const fox = await SocketClient.join(room, {
      token: await mintToken({ user, name: "🦊".repeat(40), role: "host", rooms: [`main/${room}`] }),
      _pk: "t".repeat(1_000),
    });
    expect((await fox.waitForWelcome()).you?.user).toBe(user);
    const [kept] = await readAttachments(room);
    expect(kept).toMatchObject({ __pk: {}, __user: { x: expect.any(Number) } });
    // A reader who is paused keeps a number and a time more.
    const paused = { ...(kept as object), c: Number.MAX_SAFE_INTEGER, p: Date.now() };
    expect(attachmentBytes(paused)).toBeLessThan(512);
  });

  it("the test measures an attachment as the runtime does", () => {
    expect(attachmentBytes("x".repeat(100))).toBe(2 + 2 + 100);
    expect(attachmentBytes("🦊".repeat(100))).toBeGreaterThan(400);
  });
});

/** The runtime reports a size only for values that are too large. The two bytes are the version that stands before any value. */
function attachmentBytes(value: unknown): number {
  const tooLarge = "x".repeat(20_000);
  return 2 + readRejectedSize([value, tooLarge]) - readRejectedSize([tooLarge]);
}

function readRejectedSize(value: unknown): number {
  try {
    new WebSocketPair()[1].serializeAttachment(value);
  } catch (error) {
    const size = /was (\d+) bytes/.exec(String(error))?.[1];
    if (size !== undefined) return Number(size);
    throw error;
  }
  throw new Error("The runtime takes larger attachments than it did.");
}
