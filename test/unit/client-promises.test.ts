import { afterEach, describe, expect, it, vi } from "vitest";
import { type ActionError, joinRoom, RoomClient } from "../../src/client/room-client";
import { fakeSockets } from "../support/fake-socket";

const HOST = "http://127.0.0.1:1";
const rooms: { leave(): void }[] = [];

afterEach(() => {
  for (const room of rooms.splice(0)) room.leave();
});

async function open(more: object = {}) {
  const fake = fakeSockets();
  const options = { host: HOST, kind: "main", room: "hall", token: "t", WebSocket: fake.WebSocket } as const;
  const room = joinRoom({ ...options, ...more });
  rooms.push(room);
  const socket = await fake.socket(0);
  return { room, socket, fake, options };
}

/** The state of a promise after all microtasks have run. */
async function settledAs(promise: Promise<unknown>): Promise<string> {
  const settled = promise.then(
    () => "done",
    (error: Error) => ("code" in error ? String(error.code) : error.message),
  );
  return Promise.race([settled, new Promise<string>((resolve) => setTimeout(resolve, 20, "open"))]);
}

describe("a promise always settles:", () => {
  it("`joined` settles if the user leaves instead", async () => {
    const { room } = await open();
    const joined = room.joined();
    expect(await settledAs(joined)).toBe("open");
    room.leave();
    expect(await settledAs(joined)).toBe("You have left the room.");
  });

  it("`joined` settles by a later join", async () => {
    const fake = fakeSockets();
    const room = new RoomClient<never>({
      host: HOST,
      kind: "main" as never,
      room: "hall",
      token: "t",
      WebSocket: fake.WebSocket,
    });
    rooms.push(room);
    const joined = room.joined();
    expect(await settledAs(joined)).toBe("open");
    room.join();
    (await fake.socket(0)).welcome();
    expect(await settledAs(joined)).toBe("done");
  });

  it("`verify` settles at the end of the visit, on leaving, and after the end", async () => {
    const { room, socket, fake } = await open();
    const early = room.verify();
    socket.welcome();
    expect(await settledAs(early)).toBe("open");
    socket.hear({ t: "bye", code: 4410, reason: "The room was closed." });
    expect(await settledAs(early)).toBe("The room was closed.");
    expect(await settledAs(room.verify())).toBe("The room was closed.");
    room.join();
    (await fake.socket(1)).welcome();
    const late = room.verify();
    room.leave();
    expect(await settledAs(late)).toBe("You have left the room.");
  });

  it("`verify` settles by a later answer if the first was of another moment", async () => {
    const { room, socket } = await open();
    socket.welcome();
    const verdict = room.verify();
    socket.hear({ t: "checksum", seq: 7, sums: {} });
    expect(await settledAs(verdict)).toBe("open");
    await vi.waitUntil(() => socket.sent.filter((text) => text.includes("verify")).length === 2, 3_000);
    socket.hear({ t: "checksum", seq: 0, sums: {} });
    expect(await verdict).toMatchObject({ seq: 0, differing: [] });
  });

  it("`do` under an id in flight is rejected, and the first call is unaffected", async () => {
    const { room, socket } = await open();
    socket.welcome();
    const refused: ActionError[] = [];
    room.on("refused", (error) => refused.push(error));
    const first = room.do("chat", "say", { text: "x" }, { id: "same" });
    const second = room.do("chat", "say", { text: "x" }, { id: "same" });
    expect(await settledAs(second)).toBe("duplicate");
    expect(await settledAs(first)).toBe("open");
    socket.frame({ f: "chat", n: "said", d: { name: "Ann", text: "x" }, by: "ann", op: "same" });
    expect(await first).toMatchObject({ n: "said", seq: 1 });
    expect(refused).toMatchObject([{ code: "duplicate", id: "same" }]);
  });

  it("`do` of a room that moved before reading it: the action is sent again without help under its id", async () => {
    const { room, socket } = await open();
    socket.welcome();
    const done = room.do("chat", "say", { text: "x" });
    const id = socket.asked[0]?.id ?? "";
    socket.hear({ t: "nack", id, code: "draining", message: "The room is moving.", retryAfterMs: 30 });
    expect(await settledAs(done)).toBe("open");
    expect(room.pending).toMatchObject([{ id, isSent: false }]);
    await vi.waitUntil(() => socket.asked.length === 2, 3_000);
    expect(socket.asked[1]).toEqual(socket.asked[0]);
    socket.frame({ f: "chat", n: "said", d: { name: "Ann", text: "x" }, by: "ann", op: id });
    expect(await done).toMatchObject({ n: "said" });
  });

  it("`do` after leaving: the action was not done and will not be", async () => {
    const { room, socket } = await open();
    socket.welcome();
    room.leave();
    expect(await settledAs(room.do("chat", "say", { text: "x" }))).toBe("unavailable");
    expect(room.pending).toEqual([]);
  });

  it("`do` before the first join waits for the join", async () => {
    const { options, fake } = await open();
    const room = new RoomClient<never>({ ...options, kind: "main" as never });
    rooms.push(room);
    const done = (room as unknown as Awaited<ReturnType<typeof open>>["room"]).do("chat", "say", {
      text: "x",
    });
    room.join();
    const socket = await fake.socket(1);
    socket.welcome();
    expect(socket.asked).toMatchObject([{ f: "chat", a: "say" }]);
    socket.hear({ t: "ack", id: socket.asked[0]?.id ?? "", seq: 1 });
    expect(await settledAs(done)).toBe("done");
  });
});
