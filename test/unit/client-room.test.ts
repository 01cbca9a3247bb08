import { afterEach, describe, expect, it, vi } from "vitest";
import { findRoomNameProblem, resolveOrigin } from "../../src/client/browser/room-url";
import { type ActionError, joinRoom } from "../../src/client/room-client";
import { fakeSockets } from "../support/fake-socket";

const HOST = "http://127.0.0.1:1";
const WEEK_MS = 7 * 86_400_000;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  for (const room of rooms.splice(0)) room.leave();
});
const rooms: { leave(): void }[] = [];

function leaveAfterTest<T extends { leave(): void }>(room: T): T {
  rooms.push(room);
  return room;
}

function memoryStore(kept: Record<string, string> = {}) {
  return {
    kept,
    getItem: (key: string) => kept[key] ?? null,
    setItem: (key: string, value: string) => {
      kept[key] = value;
    },
    removeItem: (key: string) => {
      delete kept[key];
    },
  };
}

/** A server that opens guests, or answers as the test says. */
function stubGuestServer(answer?: (body: { name?: string; token?: string }) => Response) {
  const requests: { url: string; body: { name?: string; token?: string } }[] = [];
  vi.stubGlobal("fetch", async (url: string, { body }: { body: string }) => {
    const parsed = JSON.parse(body);
    requests.push({ url, body: parsed });
    if (answer) return answer(parsed);
    const user = parsed.token?.split("/")[0] ?? `guest-${requests.length}`;
    return Response.json({
      token: `${user}/${requests.length}`,
      user,
      name: parsed.name ?? "Guest",
      expiresAt: Date.now() + WEEK_MS,
    });
  });
  return requests;
}

const tokenIn = (url: string) => new URL(url).searchParams.get("token");
const jwt = (exp: number) => `x.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.y`;

describe("a guest", () => {
  it("the client opens the guest, stores it, and reuses it the next time without asking", async () => {
    const requests = stubGuestServer();
    const fake = fakeSockets();
    const storage = memoryStore();
    const join = () =>
      leaveAfterTest(
        joinRoom({ host: HOST, kind: "main", room: "hall", name: "Ann", storage, WebSocket: fake.WebSocket }),
      );
    const first = join();
    expect(tokenIn((await fake.socket(0)).url)).toBe("guest-1/1");
    first.leave();
    join();
    expect(tokenIn((await fake.socket(1)).url)).toBe("guest-1/1");
    expect(requests).toEqual([{ url: `${HOST}/auth/guest`, body: { name: "Ann" } }]);
  });

  it("the guest stays the same after leaving and joining, even without storage, as in Node", async () => {
    const requests = stubGuestServer();
    const fake = fakeSockets();
    const room = leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", name: "Ann", WebSocket: fake.WebSocket }),
    );
    await fake.socket(0);
    room.leave();
    room.join();
    expect(tokenIn((await fake.socket(1)).url)).toBe("guest-1/1");
    expect(requests).toHaveLength(1);
  });

  it("the guest stays the same under another name, and after the token grows old", async () => {
    const requests = stubGuestServer();
    const fake = fakeSockets();
    const storage = memoryStore();
    const join = (name: string) =>
      leaveAfterTest(
        joinRoom({ host: HOST, kind: "main", room: "hall", name, storage, WebSocket: fake.WebSocket }),
      );
    join("Ann").leave();
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    await vi.waitFor(() => expect(Object.keys(storage.kept)).toHaveLength(1));
    join("Anna");
    await fake.socket(0);
    expect(requests[1]?.body).toEqual({ name: "Anna", token: "guest-1/1" });
    const [key = ""] = Object.keys(storage.kept);
    storage.kept[key] = JSON.stringify({
      ...JSON.parse(storage.kept[key] ?? ""),
      expiresAt: Date.now() + 1_000,
    });
    join("Anna");
    await fake.socket(1);
    expect(requests[2]?.body).toEqual({ name: "Anna", token: "guest-1/2" });
  });

  it("a guest whose old token is rejected becomes a new user", async () => {
    const requests = stubGuestServer(({ token }) =>
      token
        ? Response.json({ code: "not_allowed", message: "Too old." }, { status: 401 })
        : Response.json({ token: "t", user: "guest-new", name: "Ann", expiresAt: Date.now() + WEEK_MS }),
    );
    const fake = fakeSockets();
    const storage = memoryStore({
      [`tallyroom.guest.${HOST}`]: JSON.stringify({
        token: "old",
        user: "guest-old",
        name: "Ann",
        expiresAt: 0,
      }),
    });
    leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", name: "Ann", storage, WebSocket: fake.WebSocket }),
    );
    expect(tokenIn((await fake.socket(0)).url)).toBe("t");
    expect(requests.map(({ body }) => body.token)).toEqual(["old", undefined]);
  });

  it("a guest in two rooms at the same moment is one user", async () => {
    const requests = stubGuestServer();
    const fake = fakeSockets();
    const storage = memoryStore();
    for (const room of ["one", "two"])
      leaveAfterTest(
        joinRoom({ host: HOST, kind: "main", room, name: "Ann", storage, WebSocket: fake.WebSocket }),
      );
    const urls = [(await fake.socket(0)).url, (await fake.socket(1)).url];
    expect(urls.map(tokenIn)).toEqual(["guest-1/1", "guest-1/1"]);
    expect(requests).toHaveLength(1);
  });

  it("a guest request that never completes is tried again, even if its abort signal is lost", async () => {
    vi.useFakeTimers();
    let calls = 0;
    // As in Node 20's fetch: the head arrives, the end of the body never does, and the abort signal is ignored.
    vi.stubGlobal("fetch", async () => {
      calls++;
      return { ok: true, status: 200, json: () => new Promise(() => {}) };
    });
    const fake = fakeSockets();
    const room = leaveAfterTest(
      joinRoom({
        host: HOST,
        kind: "main",
        room: "hall",
        name: "Ann",
        storage: memoryStore(),
        WebSocket: fake.WebSocket,
      }),
    );
    await vi.advanceTimersByTimeAsync(14_000);
    expect([calls, room.status.is]).toEqual([1, "connecting"]);
    // The deadline and a random pause.
    await vi.advanceTimersByTimeAsync(12_000);
    expect(calls).toBe(2);
  });

  it("a guest learns once that the server allows no guests", async () => {
    const requests = stubGuestServer(() =>
      Response.json({ code: "not_allowed", message: "Guests are off." }, { status: 403 }),
    );
    const room = leaveAfterTest(
      joinRoom({
        host: HOST,
        kind: "main",
        room: "hall",
        storage: memoryStore(),
        WebSocket: fakeSockets().WebSocket,
      }),
    );
    await expect(room.joined()).rejects.toThrow("Guests are off.");
    expect(room.status).toMatchObject({ is: "ended", code: 4403, reason: "Guests are off." });
    expect(requests).toHaveLength(1);
  });

  it("the client waits if the server is away or asks it to", async () => {
    stubGuestServer(() =>
      Response.json({ code: "rate_limited", message: "Slow down.", retryAfterMs: 60_000 }, { status: 429 }),
    );
    const room = leaveAfterTest(
      joinRoom({
        host: HOST,
        kind: "main",
        room: "hall",
        storage: memoryStore(),
        WebSocket: fakeSockets().WebSocket,
      }),
    );
    await vi.waitFor(() => expect(room.status.is).toBe("waiting"));
    const { status } = room;
    expect(status).toMatchObject({ reason: "Slow down." });
    if (status.is === "waiting") expect(status.retryAt - Date.now()).toBeGreaterThan(55_000);
    expect(room.status).toBe(status);
  });

  it("the client waits if the server cannot be reached or is another program, and reports no more than it knows", async () => {
    const status = async (answer: () => Response) => {
      stubGuestServer(answer);
      const { WebSocket } = fakeSockets();
      const room = leaveAfterTest(
        joinRoom({ host: HOST, kind: "main", room: "hall", storage: memoryStore(), WebSocket }),
      );
      await vi.waitFor(() => expect(room.status.is).toBe("waiting"));
      return room.status;
    };
    const unreachable = () => {
      throw new TypeError("fetch failed");
    };
    expect(await status(unreachable)).not.toHaveProperty("reason");
    for (const code of [200, 404, 502]) {
      const page = () => new Response("<!doctype html>", { status: code });
      expect(await status(page)).toMatchObject({ reason: `${HOST} answered ${code}.` });
    }
  });

  it("the client stores nothing if the browser has no storage", async () => {
    stubGuestServer();
    const fake = fakeSockets();
    const forbidden = () => {
      throw new Error("forbidden");
    };
    const storage = { getItem: forbidden, setItem: forbidden, removeItem: forbidden };
    leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", name: "Ann", storage, WebSocket: fake.WebSocket }),
    );
    expect(tokenIn((await fake.socket(0)).url)).toBe("guest-1/1");
  });
});

describe("getToken", () => {
  it("the client asks once while the token is valid, and again before it ends", async () => {
    let calls = 0;
    const fake = fakeSockets();
    const seconds = Math.floor(Date.now() / 1000);
    const getToken = () => {
      calls++;
      // The first token has ended by the time the client looks at it again.
      return jwt(seconds + (calls === 1 ? 4 : 3_600));
    };
    const room = leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", getToken, WebSocket: fake.WebSocket }),
    );
    (await fake.socket(0)).welcome();
    expect(calls).toBe(1);
    const second = await vi.waitUntil(() => fake.sockets[1], 10_000);
    expect(room.status.is).toBe("live");
    expect(calls).toBe(2);
    const [before, after] = fake.sockets.map(({ url }) => new URL(url).searchParams);
    expect(after?.get("_pk")).toBe(before?.get("_pk"));
    expect([after?.get("epoch"), after?.get("since")]).toEqual(["first", "0"]);
    second?.welcome({ resumed: true });
    expect(fake.sockets[0]?.readyState).toBe(3);
    expect(room.status.is).toBe("live");
  }, 15_000);

  it("a failing call is repeated later, and the error is reported", async () => {
    const room = leaveAfterTest(
      joinRoom({
        host: HOST,
        kind: "main",
        room: "hall",
        getToken: () => Promise.reject(new Error("Log in first.")),
        WebSocket: fakeSockets().WebSocket,
      }),
    );
    await vi.waitFor(() => expect(room.status.is).toBe("waiting"));
    expect(room.status).toMatchObject({ reason: "Log in first." });
  });
});

describe("a room", () => {
  async function open(more: object = {}) {
    const fake = fakeSockets();
    const room = leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", token: "t", WebSocket: fake.WebSocket, ...more }),
    );
    const socket = await fake.socket(0);
    socket.welcome();
    return { room, socket, fake };
  }

  it("the room passes events, signals and status to its listeners, and to none that has unsubscribed", async () => {
    const { room, socket } = await open();
    const heard: string[] = [];
    const stop = room.on("chat.said", ({ d }) => heard.push(d.text));
    room.on("chat.typing", ({ by }) => heard.push(`${by} types`));
    room.on("event", ({ n }) => heard.push(n));
    room.on("status", ({ is }) => heard.push(is));
    socket.frame({ f: "chat", n: "said", d: { name: "Bob", text: "Hello" }, by: "bob" });
    socket.hear({ t: "frame", seq: 1, at: 1, e: [], s: [{ f: "chat", n: "typing", d: {}, by: "bob" }] });
    stop();
    socket.frame({ f: "chat", n: "said", d: { name: "Bob", text: "Again" }, by: "bob" });
    socket.hear({ t: "bye", code: 4410, reason: "Closed." });
    expect(heard).toEqual(["said", "Hello", "bob types", "said", "ended"]);
  });

  it("a throwing listener does not stop the others, and an action within a listener works", async () => {
    const { room, socket } = await open();
    const thrown: unknown[] = [];
    const handlers = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => thrown.push(error));
    room.on("chat.said", () => {
      throw new Error("mine");
    });
    room.on("chat.said", () => void room.do("chat", "say", { text: "Echo" }));
    socket.frame({ f: "chat", n: "said", d: { name: "Bob", text: "Hello" }, by: "bob" });
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const handler of handlers) process.on("uncaughtException", handler);
    expect(socket.asked).toMatchObject([{ f: "chat", a: "say", d: { text: "Echo" } }]);
    expect(thrown).toMatchObject([{ message: "mine" }]);
  });

  it("a rejection that no code awaits is no crash, and is reported", async () => {
    const { room, socket } = await open();
    const refused: ActionError[] = [];
    room.on("refused", (error) => refused.push(error));
    void room.do("chat", "say", { text: "x" });
    socket.hear({ t: "nack", id: socket.asked[0]?.id ?? "", code: "muted", message: "You are muted." });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(refused).toMatchObject([{ name: "ActionError", code: "muted", message: "You are muted." }]);
  });

  it("an action resolves with its answer, the number of what was done before, and its event", async () => {
    const { room, socket } = await open();
    const all = Promise.all([1, 2, 3].map((id) => room.do("chat", "remove", { id })));
    const [one, two, three] = socket.asked.map(({ id }) => id);
    socket.hear({ t: "ack", id: one ?? "", d: { told: true } });
    socket.hear({ t: "ack", id: two ?? "", seq: 7 });
    socket.frame({ f: "chat", n: "removed", d: { id: 3 }, by: "ann", op: three ?? "" });
    expect(await all).toMatchObject([
      { answer: { told: true } },
      { seq: 7 },
      { n: "removed", d: { id: 3 }, seq: 1 },
    ]);
  });

  it("the user's own actions show ahead, in the same step in which they become real", async () => {
    const { room, socket } = await open({
      optimistic: {
        chat: { say: ({ text }: { text: string }) => ({ n: "said", d: { name: "Ann", text } }) },
      },
    });
    const seen: string[][] = [];
    room.subscribe(() => seen.push(room.state.chat.messages.map(({ text }) => text)));
    void room.do("chat", "say", { text: "Mine" });
    expect(room.state).toBe(room.state);
    expect(room.confirmed.chat.messages).toEqual([]);
    socket.frame({
      f: "chat",
      n: "said",
      d: { name: "Ann", text: "Mine" },
      by: "ann",
      op: socket.asked[0]?.id ?? "",
    });
    expect(seen.map((texts) => texts.join())).toEqual(["Mine", "Mine"]);
    expect(room.confirmed.chat.messages).toHaveLength(1);
  });

  it("the user can leave and join again, and nothing of the old visit remains", async () => {
    const { room, fake } = await open();
    const pending = room.do("chat", "say", { text: "x" });
    room.leave();
    await expect(pending).rejects.toMatchObject({ code: "unknown_outcome" });
    expect(room.status.is).toBe("idle");
    expect(fake.sockets[0]?.readyState).toBe(3);
    room.join();
    (await fake.socket(1)).welcome({ resumed: true });
    expect(room.status.is).toBe("live");
    expect(new URL(fake.sockets[1]?.url ?? "").searchParams.get("epoch")).toBe("first");
  });

  it("a socket that cannot be opened waits, an invalid name ends the visit, and neither throws", async () => {
    class Refusing {
      constructor() {
        throw new SyntaxError("That is no address.");
      }
    }
    const room = leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", token: "t", WebSocket: Refusing }),
    );
    await vi.waitFor(() => expect(room.status.is).toBe("waiting"));
    for (const name of ["../up", "", undefined as unknown as string]) {
      const odd = leaveAfterTest(
        joinRoom({ host: HOST, kind: "main", room: name, token: "t", WebSocket: Refusing }),
      );
      expect(odd.status).toMatchObject({ is: "ended", code: 4404 });
    }
  });

  it("the client survives errors from messages that it cannot read, and continues to ping", async () => {
    const { room, socket } = await open();
    const odd = [
      '{"t":"frame","seq":0,"e":[],"s":7}',
      '{"t":"frame","seq":0,"e":[],"s":null}',
      '{"t":"bye","code":1012,"reason":"","retryAfterMs":"soon"}',
      '{"t":"nack","id":"x","code":"muted","message":"","retryAfterMs":{}}',
    ];
    for (const text of odd) socket.hear(text);
    expect(room.status.is).toBe("live");
  });

  it("[A5] the client comes again if one of its own abandoned handshakes arrived and replaced it", async () => {
    const fake = fakeSockets();
    const room = leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", token: "t", WebSocket: fake.WebSocket }),
    );
    (await fake.socket(0)).dispatchEvent(new Event("error"));
    await vi.waitFor(() => expect(room.status.is).toBe("waiting"));
    room.retryNow();
    const second = await fake.socket(1);
    second.welcome();
    second.hear({ t: "bye", code: 4409, reason: "Replaced." });
    expect(room.status.is).toBe("waiting");
    room.retryNow();
    const third = await fake.socket(2);
    third.welcome({ resumed: true });
    third.hear({ t: "bye", code: 4409, reason: "Replaced." });
    expect(room.status).toMatchObject({ is: "ended", code: 4409 });
  });

  it("the client pings at the usual pace if the server names none", async () => {
    const fake = fakeSockets();
    const room = leaveAfterTest(
      joinRoom({ host: HOST, kind: "main", room: "hall", token: "t", WebSocket: fake.WebSocket }),
    );
    const socket = await fake.socket(0);
    socket.welcome({ limits: {} as never });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(room.status.is).toBe("live");
    expect(socket.sent.filter((text) => text === "ping")).toEqual([]);
  });

  it("an invalid signal throws, and the client is unaffected afterwards", async () => {
    const { room, socket } = await open();
    const odd: unknown[] = [{ n: 1n }, { text: "x".repeat(17_000) }];
    for (const data of odd)
      expect(() => room.signal("chat", "typing", data as never)).toThrow(/BigInt|large/);
    room.signal("chat", "typing");
    expect(socket.sent.filter((text) => text.includes('"sig"'))).toHaveLength(1);
    expect(room.status.is).toBe("live");
  });

  it("a prediction that fails shows the known state, and only the prediction is in doubt", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const { room, socket, fake } = await open({
      optimistic: { chat: { say: () => ({ n: "said", d: null }) } },
    });
    void room.do("chat", "say", { text: "Mine" });
    expect(room.state.chat).toBe(room.confirmed.chat);
    expect(logged.mock.calls.map(([error]) => String(error))).toEqual(["Error: A prediction of chat failed"]);
    logged.mockRestore();
    socket.frame({ f: "presence", n: "joined", d: { user: "bob", name: "Bob", role: "player" } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(fake.sockets).toHaveLength(1);
  });
});

describe("joinRoom", () => {
  it("the error says what is missing without a socket class or a page from a host", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => joinRoom({ host: HOST, kind: "main", room: "hall", token: "t" })).toThrow(
      "needs a `WebSocket`",
    );
    const { WebSocket } = fakeSockets();
    expect(() => joinRoom({ kind: "main", room: "hall", token: "t", WebSocket })).toThrow("needs a `host`");
  });
});

describe("a URL", () => {
  it("the client reads a URL as people write it", () => {
    expect(resolveOrigin("https://play.example.org/")).toBe("https://play.example.org");
    expect(resolveOrigin("ws://play.example.org:8080")).toBe("http://play.example.org:8080");
    expect(resolveOrigin("wss://play.example.org")).toBe("https://play.example.org");
    expect(resolveOrigin("play.example.org")).toBe("https://play.example.org");
    expect(resolveOrigin("https://play.example.org/rooms/")).toBe("https://play.example.org/rooms");
    for (const host of [
      "localhost:1999",
      "127.0.0.1:1999",
      "192.168.1.7",
      "10.0.0.2:80",
      "172.20.0.1",
      "[::1]:8787",
      "lab.local:1999",
    ])
      expect(resolveOrigin(host)).toBe(`http://${host}`);
    for (const host of ["localhost.example.org", "172.32.0.1", "100.1.1.1"])
      expect(resolveOrigin(host)).toBe(`https://${host}`);
    vi.stubGlobal("location", { host: "play.example.org:81", protocol: "http:" });
    expect(resolveOrigin(undefined)).toBe("http://play.example.org:81");
    expect(resolveOrigin("play.example.org:81")).toBe("http://play.example.org:81");
    expect(resolveOrigin("other.example.org")).toBe("https://other.example.org");
  });

  it("an invalid URL is an error that says so", () => {
    for (const host of ["no host", "ftp://play.example.org", "https://", "play.example.org?x=1", "/rooms"])
      expect(() => resolveOrigin(host)).toThrow(`"${host}" is not a host name`);
    for (const host of ["", undefined]) expect(() => resolveOrigin(host)).toThrow("needs a `host`");
  });

  it("the client rejects an invalid room id", () => {
    expect(findRoomNameProblem("main", "Friday-quiz_1.0")).toBeUndefined();
    for (const room of ["", ".", "..", "a/b", "a?b", "a#b", "é", "a".repeat(65)])
      expect(findRoomNameProblem("main", room)).toBeDefined();
    expect(findRoomNameProblem("Main", "hall")).toBeDefined();
  });
});
