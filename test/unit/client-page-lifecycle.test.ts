// @vitest-environment happy-dom
/// <reference lib="dom" />
import { afterEach, describe, expect, it, vi } from "vitest";
import { joinRoom } from "../../src/client/room-client";
import { fakeSockets } from "../support/fake-socket";

const rooms: { leave(): void }[] = [];
afterEach(() => {
  for (const room of rooms.splice(0)) room.leave();
  vi.restoreAllMocks();
});

async function open() {
  const fake = fakeSockets();
  const options = { host: "http://127.0.0.1:1", kind: "main", room: "hall", token: "t" } as const;
  const room = joinRoom({ ...options, WebSocket: fake.WebSocket });
  rooms.push(room);
  const socket = await fake.socket(0);
  socket.welcome();
  return { room, socket, fake };
}
type Open = Awaited<ReturnType<typeof open>>;

function endWithBye({ room, socket }: Open, retryAfterMs?: number): void {
  const named = retryAfterMs === undefined ? {} : { retryAfterMs };
  socket.hear({ t: "bye", code: 4503, reason: "Full.", ...named });
  expect(room.status.is).toBe("waiting");
}
const setHidden = (hidden: boolean) => {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
};
const pageshow = (persisted: boolean) => dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));
const pings = ({ socket }: Open) => socket.sent.filter((text) => text === "ping").length;

describe("a page event", () => {
  it.each([
    ["the network is back", () => dispatchEvent(new Event("online"))],
    ["the page becomes visible", () => setHidden(false)],
    ["the page comes from the browser's cache", () => pageshow(true)],
  ])("%s: a client that waits for its own reasons tries at once", async (_, say) => {
    const here = await open();
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    endWithBye(here);
    say();
    expect(here.room.status.is).toBe("connecting");
  });

  it.each([
    ["the page is hidden", () => setHidden(true)],
    ["the page is new", () => pageshow(false)],
    ["the network is gone", () => dispatchEvent(new Event("offline"))],
  ])("%s: a client that waits continues to wait", async (_, say) => {
    const here = await open();
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    endWithBye(here);
    say();
    expect(here.room.status.is).toBe("waiting");
  });

  it("a client waits until the time that the room named, on every event except `retryNow`", async () => {
    const here = await open();
    endWithBye(here, 60_000);
    setHidden(false);
    dispatchEvent(new Event("online"));
    expect(here.room.status.is).toBe("waiting");
    here.room.retryNow();
    expect(here.room.status.is).toBe("connecting");
  });

  it.each([
    ["the page becomes visible", () => setHidden(false)],
    ["the network is gone", () => dispatchEvent(new Event("offline"))],
  ])("%s: the client tests a connection that seems to be open", async (_, say) => {
    const here = await open();
    expect(pings(here)).toBe(0);
    say();
    expect(pings(here)).toBe(1);
    expect(here.room.status.is).toBe("live");
  });

  it("the event changes nothing after the user has left", async () => {
    const here = await open();
    here.room.leave();
    dispatchEvent(new Event("online"));
    setHidden(false);
    expect([here.room.status.is, here.fake.sockets.length]).toEqual(["idle", 1]);
    here.room.join();
    expect(here.room.status.is).toBe("connecting");
  });
});
