import { describe, expect, it } from "vitest";
import { type HttpRejection, rejectionResponse } from "../../src/edge/http/http-rejection";
import type { RoomCall } from "../../src/edge/room-call";
import { forgeToken, makeClaims, NOW, OTHER_SECRET, openTestEdge } from "../support/test-edge";

const HALL = "/parties/main/hall";
const SAY = { id: "1", f: "chat", a: "say", d: { text: "hi" } };
const host = forgeToken(makeClaims({ sub: "hana", name: "Hana", role: "host", rooms: ["main/hall"] }));
const admin = forgeToken(makeClaims({ sub: "root", role: "admin" }));

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

interface Call {
  method?: string;
  token?: string;
  body?: Body;
  headers?: Record<string, string>;
  env?: Record<string, string>;
}

function call(address: string, { method = "POST", token, body, headers = {}, env = {} }: Call = {}) {
  const request = new Request(`http://127.0.0.1:1999${address}`, {
    method,
    headers: { ...headers, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body, duplex: "half" }),
  });
  return openTestEdge(env).authorizeCall(request, NOW);
}

async function expectAdmitted(address: string, how: Call): Promise<RoomCall> {
  const judged = await call(address, how);
  if (!judged.ok) throw new Error(`refused: ${JSON.stringify(judged)}`);
  return judged;
}

async function expectRejected(address: string, how: Call): Promise<HttpRejection> {
  const judged = await call(address, how);
  if (judged.ok) throw new Error(`let in: ${JSON.stringify(judged)}`);
  expect(judged.body.message).toMatch(/^[A-Z`].*[.>]$/);
  return judged;
}

describe("reading a room", () => {
  it("reading needs no token and no secret", async () => {
    const answer = { ok: true, method: "GET", kind: "main", id: "hall" };
    expect(await call(HALL, { method: "GET" })).toEqual(answer);
    expect(await call(`${HALL}?token=x`, { method: "GET", env: { AUTH_SECRET: "" } })).toEqual(answer);
    expect(await call(HALL, { method: "GET", token: "nonsense" })).toEqual(answer);
  });

  it("reading needs a valid URL", async () => {
    for (const address of [
      "/parties/nosuch/hall",
      "/parties/main/a%20b",
      "/parties/main",
      "/parties/main/hall/",
    ]) {
      for (const method of ["GET", "POST", "DELETE", "PUT"]) {
        expect(await expectRejected(address, { method, token: admin }), `${method} ${address}`).toMatchObject(
          {
            status: 404,
            body: { code: "not_found" },
          },
        );
      }
    }
    expect(await expectRejected(`${HALL}?${"x".repeat(20_000)}`, { method: "GET" })).toMatchObject({
      status: 414,
      body: { code: "too_large" },
    });
  });

  it("the route accepts three methods", async () => {
    for (const method of ["PUT", "PATCH", "OPTIONS", "HEAD"]) {
      expect(await expectRejected(HALL, { method, token: admin })).toMatchObject({
        status: 405,
        headers: { Allow: "GET, POST, DELETE" },
      });
    }
  });
});

describe("acting as the room", () => {
  const body = JSON.stringify(SAY);

  it("a room's host and admins may act", async () => {
    expect(await expectAdmitted(HALL, { token: host, body })).toEqual({
      ok: true,
      method: "POST",
      kind: "main",
      id: "hall",
      caller: { user: "hana", name: "Hana", role: "host" },
      action: { t: "do", ...SAY },
    });
    expect(await expectAdmitted(HALL, { token: admin, body })).toMatchObject({ caller: { role: "admin" } });
    expect(await expectAdmitted(HALL, { token: host, method: "DELETE" })).toMatchObject({ method: "DELETE" });
  });

  it("no other user may act", async () => {
    for (const method of ["POST", "DELETE"]) {
      const player = forgeToken(makeClaims({ rooms: ["main/hall"] }));
      const guest = forgeToken(makeClaims({ sub: "guest-1", guest: true }));
      const elsewhere = forgeToken(makeClaims({ role: "host", rooms: ["main/other"] }));
      const confined = forgeToken(makeClaims({ role: "admin", rooms: ["quiz/*"] }));
      for (const token of [player, guest, elsewhere, confined]) {
        expect(await expectRejected(HALL, { method, token })).toMatchObject({
          status: 403,
          body: { code: "not_allowed" },
        });
      }
      const ended = forgeToken(makeClaims({ role: "admin", exp: Math.floor(NOW / 1000) }));
      const forged = forgeToken(makeClaims({ role: "admin" }), { secret: OTHER_SECRET });
      const unsigned = forgeToken(makeClaims({ role: "admin" }), { header: { alg: "none" } });
      for (const token of [undefined, "", "x", ended, forged, unsigned]) {
        expect(
          await expectRejected(HALL, { method, ...(token === undefined ? {} : { token }) }),
        ).toMatchObject({
          status: 401,
          body: { code: "not_allowed" },
          headers: { "WWW-Authenticate": "Bearer" },
        });
      }
    }
  });

  it("the route takes a bearer token from the Authorization header alone", async () => {
    expect((await expectRejected(`${HALL}?token=${admin}`, { body })).status).toBe(401);
    for (const header of [`Basic ${admin}`, admin, `Bearer ${admin} x`, "Bearer"]) {
      expect((await expectRejected(HALL, { body, headers: { Authorization: header } })).status, header).toBe(
        401,
      );
    }
    expect((await call(HALL, { body, headers: { Authorization: `bearer  ${admin}` } })).ok).toBe(true);
  });

  it("a server without AUTH_SECRET rejects the request and says so", async () => {
    expect(await expectRejected(HALL, { token: admin, env: { AUTH_SECRET: "" } })).toMatchObject({
      status: 503,
      body: {
        code: "unavailable",
        message: "This server has no AUTH_SECRET, so it cannot tell who is speaking.",
        retryAfterMs: 30_000,
      },
    });
  });
});

describe("an action's body", () => {
  it("the body is JSON in UTF-8, and an action by the socket's rules", async () => {
    const bad: Body[] = [
      "",
      "{",
      "null",
      "[]",
      "7",
      '"do"',
      "{}",
      JSON.stringify({ ...SAY, id: "" }),
      JSON.stringify({ ...SAY, id: 7 }),
      JSON.stringify({ ...SAY, id: "x".repeat(65) }),
      JSON.stringify({ ...SAY, f: undefined }),
      JSON.stringify({ ...SAY, a: 1 }),
      '{"id":"1","f":"chat","a":"say","d":{"text":"\\ud83d"}}',
      '{"id":"1","f":"chat","a":"say","d":{"text":"\\u0000"}}',
      '{"id":"1","f":"chat","a":"say","d":{"__proto__":{}}}',
      '{"__proto__":{"id":"1"},"f":"chat","a":"say"}',
      '{"id":"1","f":"chat","a":"say","d":1e999}',
      `{"id":"1","f":"chat","a":"say","d":${"[".repeat(4_000)}${"]".repeat(4_000)}}`,
      new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
      crypto.getRandomValues(new Uint8Array(1_000)),
    ];
    for (const body of bad) {
      const { status, body: answer } = await expectRejected(HALL, { token: admin, body });
      expect([status, answer.code], String(body).slice(0, 80)).toEqual([400, "bad_message"]);
      expect(answer.message).not.toMatch(/JSON at position|Unexpected|SyntaxError/);
    }
  });

  it("the body counts as an action, even if it claims another message type", async () => {
    const body = JSON.stringify({ t: "verify", ...SAY });
    expect(await expectAdmitted(HALL, { token: admin, body })).toMatchObject({ action: { t: "do", ...SAY } });
  });

  it("the body has 16,384 bytes at most, in any number of pieces", async () => {
    const full = (bytes: number) => {
      const envelope = JSON.stringify({ ...SAY, t: "do", d: "" }).length;
      return JSON.stringify({ ...SAY, t: "do", d: "x".repeat(bytes - envelope) });
    };
    expect(await call(HALL, { token: admin, body: full(16_384) })).toMatchObject({ ok: true });
    const tooLarge = { status: 413, body: { code: "too_large" } };
    expect(await expectRejected(HALL, { token: admin, body: full(16_385) })).toMatchObject(tooLarge);
    expect(await expectRejected(HALL, { token: admin, body: "é".repeat(10_000) })).toMatchObject(tooLarge);
    const lie = { "Content-Length": "99999999" };
    expect(await expectRejected(HALL, { token: admin, body: "{}", headers: lie })).toMatchObject(tooLarge);
  });

  it("the route does not read a body without end to its end", async () => {
    let sent = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 1_000;
        controller.enqueue(new Uint8Array(1_000).fill(0x20));
      },
      cancel: () => {
        cancelled = true;
      },
    });
    expect(await expectRejected(HALL, { token: admin, body: endless })).toMatchObject({ status: 413 });
    expect(sent).toBeLessThan(30_000);
    expect(cancelled).toBe(true);
  });

  it("the route does not read the body of a user who may not act", async () => {
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({ pull: () => void pulls++ }, { highWaterMark: 0 });
    expect(await expectRejected(HALL, { body })).toMatchObject({ status: 401 });
    expect(pulls).toBe(0);
  });
});

describe("a rejection", () => {
  it("the rejection is JSON that tells a program when to come back", async () => {
    const response = rejectionResponse(
      await expectRejected(HALL, { token: admin, env: { AUTH_SECRET: "" } }),
    );
    expect(response.status).toBe(503);
    expect(response.headers.get("Retry-After")).toBe("30");
    expect(response.headers.get("Content-Type")).toMatch(/^application\/json/);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(await response.json()).toMatchObject({ code: "unavailable", retryAfterMs: 30_000 });
    expect(rejectionResponse(await expectRejected(HALL, {})).headers.get("WWW-Authenticate")).toBe("Bearer");
  });
});
