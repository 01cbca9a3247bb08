import { describe, expect, it, vi } from "vitest";
import { callRoom } from "../../src/edge/call-room";
import { SocketClient } from "./socket-client";

const ROOM = "http://room/parties/main/stuck";
const stuck = () => {
  const asked: Request[] = [];
  const fetch = (request: Request) => {
    asked.push(request);
    return new Promise<Response>(() => undefined);
  };
  return { asked, fetch };
};

describe("a room that gives no answer", () => {
  it("[H3] is given up: a request is 503 with the time to come back, and the room's call is ended", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const room = stuck();
    const answer = await callRoom(room, new Request(ROOM, { method: "POST", body: "{}" }), false, 20);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("5");
    expect(await answer.json()).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("Send it again unchanged"),
      retryAfterMs: 5_000,
    });
    expect(room.asked[0]?.signal.aborted).toBe(true);
    quiet.mockRestore();
  });

  it("[H3] is given up: a socket is told 1012", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { webSocket } = await callRoom(stuck(), new Request(ROOM), true, 20);
    if (!webSocket) throw new Error("not a socket");
    expect(await new SocketClient(webSocket).waitForBye()).toMatchObject({ code: 1012, retryAfterMs: 5_000 });
    quiet.mockRestore();
  });

  it("is answered as it answers, in time, and fails as it fails", async () => {
    const at = new Request(ROOM);
    const good = await callRoom({ fetch: async () => new Response("here") }, at, false, 1_000);
    expect(await good.text()).toBe("here");
    const broken = { fetch: () => Promise.reject(new Error("it ended")) };
    await expect(callRoom(broken, new Request(ROOM), false, 1_000)).rejects.toThrow("it ended");
  });
});
