import { describe, expect, it } from "vitest";
import { makeRoomName, mintToken, readStored, requestRoom, SocketClient } from "./socket-client";

/** As an admin, so that requests reach the room itself and not the edge alone. */
async function adminRequest(method: string, body?: string): Promise<RequestInit> {
  const authorization = `Bearer ${await mintToken({ user: "root", role: "admin" })}`;
  return { method, headers: { authorization }, ...(body === undefined ? {} : { body }) };
}

const action = (a: string, d: unknown) => JSON.stringify({ id: "x", f: "chat", a, d });

describe("a room that does not exist", () => {
  it("[H] a GET does not create the room, not even many at once", async () => {
    const room = makeRoomName();
    const answers = await Promise.all([requestRoom(room), requestRoom(room), requestRoom(room)]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(await readStored(room)).toEqual({});
  });

  it("[H] a DELETE does not create the room", async () => {
    const room = makeRoomName();
    expect((await requestRoom(room, await adminRequest("DELETE"))).status).toBe(404);
    expect(await readStored(room)).toEqual({});
  });

  it.each([
    ["that the edge refuses", "{", 400],
    ["of an action that there is not", action("shout", {}), 400],
    ["of an action that makes no sense", action("say", { text: 5 }), 400],
    ["of an action that is not possible", action("remove", { id: 7 }), 409],
  ])("[A4] is not made by a POST %s", async (_, body, status) => {
    const room = makeRoomName();
    expect((await requestRoom(room, await adminRequest("POST", body))).status).toBe(status);
    expect(await readStored(room)).toEqual({});
  });

  it("[A4] a refused socket does not create the room", async () => {
    const room = makeRoomName();
    const refused = await SocketClient.join(room, {
      token: await mintToken({ user: "ann", rooms: ["main/other"] }),
    });
    expect(await refused.waitForBye()).toMatchObject({ code: 4403 });
    expect(await readStored(room)).toEqual({});
  });
});

describe("a room that was closed", () => {
  it("[H] a closed room leaves nothing, not even its alarm", async () => {
    const room = makeRoomName();
    const ann = await SocketClient.join(room, {});
    await ann.waitForWelcome();
    expect(Object.keys(await readStored(room))).toContain("the alarm");
    expect((await requestRoom(room, await adminRequest("DELETE"))).status).toBe(200);
    expect(await ann.waitForBye()).toMatchObject({ code: 4410 });
    expect(await readStored(room)).toEqual({});
    expect((await requestRoom(room)).status).toBe(404);
    expect(await readStored(room)).toEqual({});
  });
});
