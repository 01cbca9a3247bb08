import { afterEach, expect, it, vi } from "vitest";
import { askRoom } from "../../src/worker/ask-room";
import { Visitor } from "./visit";

afterEach(() => void vi.restoreAllMocks());

const silent = { fetch: () => new Promise<Response>(() => undefined) } as unknown as Pick<Fetcher, "fetch">;
const ADDRESS = "http://room/parties/main/hall";

it("[H3] a room that does not answer keeps no caller waiting: 503 and 1012, each with a time to come back", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const answer = await askRoom(silent, new Request(ADDRESS), 20);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ code: "unavailable", retryAfterMs: 5_000 });
  const { webSocket } = await askRoom(
    silent,
    new Request(ADDRESS, { headers: { Upgrade: "websocket" } }),
    20,
  );
  if (!webSocket) throw new Error("not a socket");
  expect(await new Visitor(webSocket).bye()).toMatchObject({ code: 1012, retryAfterMs: 5_000 });
});

it("closes a socket that comes after nobody waits for it any more", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  const closed = new Promise((resolve) => server.addEventListener("close", resolve));
  const late = {
    fetch: async () => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return new Response(null, { status: 101, webSocket: client });
    },
  } as unknown as Pick<Fetcher, "fetch">;
  await askRoom(late, new Request(ADDRESS, { headers: { Upgrade: "websocket" } }), 20);
  await closed;
});
