import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { shardOf } from "../../src/services/directory/contract";
import { makeRoomName, mintToken, objectOf, SocketClient } from "./socket-client";

/** What a join and its leaving may write: docs/decisions/0011. The address's window is apart: it is off here. */
const MAX_ROWS = 8;

type Method = (...given: unknown[]) => unknown;
type Methods = Record<string, Method>;
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

/** Calls `seen` before each call of a method; the object is as before after the test. */
function watch(target: object, names: readonly string[], seen: (name: string, given: unknown[]) => void) {
  for (const name of names) {
    const methods = target as Methods;
    const before = methods[name] as Method;
    methods[name] = function watched(this: unknown, ...given) {
      seen(name, given);
      return before.apply(this, given);
    };
    undo.push(() => {
      methods[name] = before;
    });
  }
}

/** Pairs put, keys deleted, alarms set: each is billed as a row written. */
function rowsOf(name: string, [first]: unknown[]): number {
  if (name === "delete") return Array.isArray(first) ? first.length : 1;
  if (name === "put") return typeof first === "string" ? 1 : Object.keys(first as object).length;
  return 1;
}

it("[D9] a join and its leaving make no query of the database, and write 8 rows at most", async () => {
  const room = makeRoomName();
  const user = `user-${room}`;
  const users = env.USERS.getByName(shardOf(user));
  const places = () => users.listLocations(user);
  // A member is there, the shard has read its bans, and nothing is in flight.
  const host = await SocketClient.join(room, {
    _pk: crypto.randomUUID(),
    token: await mintToken({ user: "member" }),
  });
  await host.waitForWelcome();
  await users.ask(user, `main/${room}`);
  await vi.waitFor(async () => {
    const marker = await runInDurableObject(users, (_, { storage }) => storage.get("bans"));
    expect(marker).toBeDefined();
  });
  await vi.waitFor(async () => {
    const object = env.USERS.getByName(shardOf("member"));
    expect(await object.listLocations("member")).toContain(`cloudflare:main/${room}`);
  });

  const rows: string[] = [];
  const invocations: string[] = [];
  let queries = 0;
  const storageMethods = ["put", "delete", "setAlarm", "deleteAlarm"];
  watch(Object.getPrototypeOf(env.DB) as object, ["prepare"], () => queries++);
  for (const [who, object, methods] of [
    ["room", objectOf(room), ["fetch", "webSocketClose", "alarm"]],
    ["user", users, ["ask", "updatePresence", "alarm"]],
  ] as const) {
    await runInDurableObject(object as DurableObjectStub, (instance, { storage }) => {
      watch(storage, storageMethods, (name, given) => {
        for (let row = rowsOf(name, given); row > 0; row--) rows.push(`${who}.${name}`);
      });
      const found = methods.filter((name) => name in instance);
      watch(Object.getPrototypeOf(instance) as object, found, (name) => invocations.push(`${who}.${name}`));
    });
  }
  const client = await SocketClient.join(room, {
    _pk: crypto.randomUUID(),
    token: await mintToken({ user }),
  });
  await client.waitForWelcome();
  await vi.waitFor(async () => expect(await places()).toContain(`cloudflare:main/${room}`));
  client.socket.close(1000);
  await host.waitForEvent("presence", "left", 15_000);
  expect(queries).toBe(0);
  // The next join carries the report of the leave.
  const [counted, called] = [rows.length, invocations.length];
  await SocketClient.join(room, { _pk: crypto.randomUUID(), token: await mintToken({ user: "next" }) });
  await vi.waitFor(async () => expect(await places()).toEqual([]));
  expect(invocations.slice(0, called)).toEqual([
    ...["user.ask", "room.fetch", "user.updatePresence"],
    ...["room.webSocketClose", "room.alarm"],
  ]);
  const gone = rows.slice(counted).filter((row) => row === "user.delete");
  expect(rows.slice(0, counted).length + gone.length).toBeLessThanOrEqual(MAX_ROWS);
}, 30_000);
