import { describe, expect, it } from "vitest";
import { freshRoom, request, stored, token, Visitor } from "./visit";

/** As whoever may do most, so that the room itself is asked and not the edge alone. */
async function asAdmin(method: string, body?: string): Promise<RequestInit> {
  const authorization = `Bearer ${await token({ user: "root", role: "admin" })}`;
  return { method, headers: { authorization }, ...(body === undefined ? {} : { body }) };
}

const action = (a: string, d: unknown) => JSON.stringify({ id: "x", f: "chat", a, d });

describe("a room that does not exist", () => {
  it("[H] is not made by a GET, not even by many at once", async () => {
    const room = freshRoom();
    const answers = await Promise.all([request(room), request(room), request(room)]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(await stored(room)).toEqual({});
  });

  it("[H] is not made by a DELETE", async () => {
    const room = freshRoom();
    expect((await request(room, await asAdmin("DELETE"))).status).toBe(404);
    expect(await stored(room)).toEqual({});
  });

  it.each([
    ["that the edge refuses", "{", 400],
    ["of an action that there is not", action("shout", {}), 400],
    ["of an action that makes no sense", action("say", { text: 5 }), 400],
    ["of an action that is not possible", action("remove", { id: 7 }), 409],
  ])("[A4] is not made by a POST %s", async (_, body, status) => {
    const room = freshRoom();
    expect((await request(room, await asAdmin("POST", body))).status).toBe(status);
    expect(await stored(room)).toEqual({});
  });

  it("[A4] is not made by a socket that is refused", async () => {
    const room = freshRoom();
    const stranger = await Visitor.join(room, { token: await token({ user: "ann", rooms: ["main/other"] }) });
    expect(await stranger.bye()).toMatchObject({ code: 4403 });
    expect(await stored(room)).toEqual({});
  });
});

describe("a room that was closed", () => {
  it("[H] leaves nothing, not even its alarm", async () => {
    const room = freshRoom();
    const ann = await Visitor.join(room, {});
    await ann.welcome();
    expect(Object.keys(await stored(room))).toContain("the alarm");
    expect((await request(room, await asAdmin("DELETE"))).status).toBe(200);
    expect(await ann.bye()).toMatchObject({ code: 4410 });
    expect(await stored(room)).toEqual({});
    expect((await request(room)).status).toBe(404);
    expect(await stored(room)).toEqual({});
  });
});
