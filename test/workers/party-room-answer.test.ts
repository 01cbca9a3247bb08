import { env } from "cloudflare:workers";
import type * as Party from "partykit/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { main } from "../../src/kinds/main";
import { partyOf } from "../../src/worker/party";
import { makeRoomName, mintToken, SocketClient } from "./socket-client";

const party = partyOf(main);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** What PartyKit passes to the hooks of a party, with a room that answers as the test says. */
function lobbyOf(fetch: (path: string, init: RequestInit) => Promise<Response>) {
  const id = makeRoomName();
  const lobby = { id, env: { AUTH_SECRET: env.AUTH_SECRET }, parties: { main: { get: () => ({ fetch }) } } };
  const request = (init: RequestInit = {}, query = "") =>
    new Request(`http://127.0.0.1:1999/parties/main/${id}${query}`, init) as unknown as Party.Request;
  return { lobby: lobby as unknown as Party.Lobby, request };
}
const silent = () => new Promise<Response>(() => undefined);

async function answerCall(room: ReturnType<typeof lobbyOf>): Promise<Response> {
  return (await party.onBeforeRequest?.(room.request(), room.lobby, {} as never)) as unknown as Response;
}

async function answerSocket(room: ReturnType<typeof lobbyOf>): Promise<SocketClient> {
  const request = await socketRequest(room);
  const response = await party.onBeforeConnect?.(request, room.lobby, {} as never);
  const { webSocket } = response as unknown as Response;
  if (!webSocket) throw new Error("not a socket");
  return new SocketClient(webSocket);
}

async function socketRequest(room: ReturnType<typeof lobbyOf>): Promise<Party.Request> {
  const query = new URLSearchParams({
    _pk: crypto.randomUUID(),
    token: await mintToken({ user: "ann" }),
  });
  return room.request({ headers: { Upgrade: "websocket" } }, `?${query}`);
}

describe("a room on PartyKit", () => {
  it("[H3] the edge gives up a request after 10 s with 503, and aborts the room's call", async () => {
    let signal: AbortSignal | null | undefined;
    const room = lobbyOf((_, init) => {
      signal = init.signal;
      return silent();
    });
    const answer = answerCall(room);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    await vi.advanceTimersByTimeAsync(10_000);
    const response = await answer;
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: "unavailable", retryAfterMs: 5_000 });
    expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(signal?.aborted).toBe(true);
  });

  it("[H3] the edge closes a socket after 10 s with 1012", async () => {
    const room = lobbyOf(silent);
    const answer = answerSocket(room);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await (await answer).waitForBye()).toMatchObject({ code: 1012, retryAfterMs: 5_000 });
  });

  it("a room that fails does not show its error", async () => {
    const room = lobbyOf(() => Promise.reject(new Error("a detail")));
    const response = await answerCall(room);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("a detail");
    expect(await (await answerSocket(room)).waitForBye()).toMatchObject({ code: 1012, retryAfterMs: 2_000 });
  });

  it("the room gets what the edge admitted, with the id of the connection", async () => {
    const calls: [string, RequestInit][] = [];
    const room = lobbyOf(async (path, init) => {
      calls.push([path, init]);
      return new Response("here");
    });
    const response = await answerCall(room);
    expect(await response.text()).toBe("here");
    await party.onBeforeConnect?.(await socketRequest(room), room.lobby, {} as never);
    expect(calls.map(([path]) => path)).toEqual(["/", expect.stringMatching(/^\/\?_pk=[\w-]{16}$/)]);
    expect(new Headers(calls[1]?.[1].headers).get("Upgrade")).toBe("websocket");
  });
});
