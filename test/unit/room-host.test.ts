import { describe, expect, it } from "vitest";
import { RoomHost, type RoomHostOptions } from "../../src/platforms/room-host";
import { MemoryRuntime } from "../support/memory-runtime";
import { labKind, settings } from "../support/room-stage";

function openHost() {
  const world = new MemoryRuntime();
  const given: RoomHostOptions = {
    storage: world.ports.storage,
    settings,
    roomName: () => ({ kind: "main", id: "hall" }),
    blockWhile: (work) => work(),
    sockets: () => [],
    effectHandlers: {},
    abandon: () => {},
    sync: async () => {},
    isDebugging: false,
  };
  const kind = labKind();
  return { world, host: new RoomHost(given, (name) => (name === "main" ? kind : undefined)) };
}

function fakeSocket() {
  const told: string[] = [];
  const closes: number[] = [];
  return {
    told,
    closes,
    id: "conn-1",
    state: null,
    send: (text: string) => void told.push(text),
    close: (code: number) => void closes.push(code),
    setState: () => null,
  };
}

describe("a room that fails in its alarm", () => {
  it("the host sets another alarm if the platform continues with the same object", async () => {
    const { world, host: it } = openHost();
    const caller = { user: "hanna", name: "hanna", role: "host" as const };
    const action = { id: "1", f: "lab", a: "add", d: { n: 1 } };
    await it.answer({ method: "POST", caller, action });
    world.makeDurable();
    world.beginAlarm();
    world.failWrites(1, "throwing");
    await it.alarm();
    world.makeDurable();
    expect(world.alarmAt).not.toBeNull();
    // If the host cannot do that either, only the platform's own retries remain.
    world.beginAlarm();
    world.failWrites(3, "throwing");
    await expect(it.alarm()).rejects.toThrow();
  });
});

describe("a room that cannot be read from storage", () => {
  it("the host closes the socket of a user who sends something, with a time to send it again", async () => {
    const { world, host: it } = openHost();
    world.faultReads(0, "failing");
    const ann = fakeSocket();
    await it.receive(ann, JSON.stringify({ t: "do", id: "1", f: "lab", a: "add", d: { n: 1 } }));
    expect(ann.told.map((text) => JSON.parse(text))).toMatchObject([
      { t: "bye", code: 1012, retryAfterMs: 10_000 },
    ]);
    expect(ann.closes).toEqual([1012]);
  });

  it("the host finds the room at the next call if the failure was temporary", async () => {
    const { world, host: it } = openHost();
    world.faultReads(0, "failing");
    await it.receive(fakeSocket(), "ping");
    expect(it.isLive).toBe(false);
    await it.receive(fakeSocket(), "ping");
    expect(it.isLive).toBe(true);
  });
});
