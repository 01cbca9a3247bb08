import { describe, expect, it } from "vitest";
import { RoomHost, type RoomHostOptions } from "../../src/platforms/room-host";
import { MemoryRuntime } from "../support/memory-runtime";
import { labKind, settings } from "../support/room-stage";

function openHost() {
  const runtime = new MemoryRuntime();
  const given: RoomHostOptions = {
    storage: runtime.ports.storage,
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
  return { runtime, host: new RoomHost(given, (name) => (name === "main" ? kind : undefined)) };
}

function fakeSocket() {
  const texts: string[] = [];
  const closes: number[] = [];
  return {
    texts,
    closes,
    id: "conn-1",
    state: null,
    send: (text: string) => void texts.push(text),
    close: (code: number) => void closes.push(code),
    setState: () => null,
  };
}

describe("a room that fails in its alarm", () => {
  it("the host sets another alarm if the platform continues with the same object", async () => {
    const { runtime, host: it } = openHost();
    const caller = { user: "hanna", name: "hanna", role: "host" as const };
    const action = { id: "1", f: "lab", a: "add", d: { n: 1 } };
    await it.answer({ method: "POST", caller, action });
    runtime.makeDurable();
    runtime.beginAlarm();
    runtime.failWrites(1, "throwing");
    await it.alarm();
    runtime.makeDurable();
    expect(runtime.alarmAt).not.toBeNull();
    // If the host cannot do that either, only the platform's own retries remain.
    runtime.beginAlarm();
    runtime.failWrites(3, "throwing");
    await expect(it.alarm()).rejects.toThrow();
  });
});

describe("a room that cannot be read from storage", () => {
  it("the host closes the socket of a user who sends something, with a time to send it again", async () => {
    const { runtime, host: it } = openHost();
    runtime.faultReads(0, "failing");
    const ann = fakeSocket();
    await it.receive(ann, JSON.stringify({ t: "do", id: "1", f: "lab", a: "add", d: { n: 1 } }));
    expect(ann.texts.map((text) => JSON.parse(text))).toMatchObject([
      { t: "bye", code: 1012, retryAfterMs: 10_000 },
    ]);
    expect(ann.closes).toEqual([1012]);
  });

  it("the host finds the room at the next call if the failure was temporary", async () => {
    const { runtime, host: it } = openHost();
    runtime.faultReads(0, "failing");
    await it.receive(fakeSocket(), "ping");
    expect(it.isLive).toBe(false);
    await it.receive(fakeSocket(), "ping");
    expect(it.isLive).toBe(true);
  });
});
