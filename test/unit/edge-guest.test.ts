import { describe, expect, it } from "vitest";
import { GUEST_RENEW_MS, GUEST_TOKEN_MS } from "../../src/identity/guest";
import { verifyToken } from "../../src/identity/token";
import { forgeToken, makeClaims, NOW, OTHER_SECRET, openTestEdge, SECRET } from "../support/test-edge";

interface GuestRequest {
  method?: string;
  headers?: Record<string, string>;
  env?: Record<string, string>;
  now?: number;
}

async function ask(
  body: object | string | null,
  { method = "POST", headers = {}, env = {}, now = NOW }: GuestRequest = {},
) {
  const text = typeof body === "string" || body === null ? body : JSON.stringify(body);
  const request = new Request("http://127.0.0.1:1999/auth/guest", {
    method,
    headers,
    body: text,
  });
  const response = await openTestEdge(env).answerGuest(request, now);
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("POST /auth/guest", () => {
  it("the route opens a guest who can join", async () => {
    const { status, body } = await ask({ name: " Gina\u0007 " });
    expect(status).toBe(200);
    expect(body).toEqual({
      user: expect.stringMatching(/^guest-[\w-]{16}$/),
      name: "Gina",
      token: expect.any(String),
      expiresAt: Math.floor((NOW + GUEST_TOKEN_MS) / 1000) * 1000,
    });
    expect(await verifyToken(String(body.token), SECRET, NOW)).toMatchObject({
      ok: true,
      who: { user: body.user, name: "Gina", guest: true, role: "player" },
    });
    expect((await ask({ name: "Gina" })).body.user).not.toBe(body.user);
  });

  it("the route needs no input, not even a body", async () => {
    for (const body of [null, "", "{}", { name: "" }, { name: " \n " }]) {
      const made = await ask(body);
      expect(made.status).toBe(200);
      expect(made.body.name).toBe(`Guest${String(made.body.user).slice(6, 10)}`);
    }
  });

  it("the route rejects an invalid name", async () => {
    for (const name of ["x".repeat(41), "😀".repeat(41), 7, null, ["Ann"], { a: 1 }]) {
      expect(await ask({ name })).toMatchObject({ status: 400, body: { code: "bad_data" } });
    }
    expect((await ask({ name: "😀".repeat(40) })).status).toBe(200);
  });

  it("the route rejects an invalid body", async () => {
    for (const body of ["{", "[]", "null", '{"name":"\\ud83d"}', '{"name":"\\u0000"}', '{"__proto__":1}']) {
      expect(await ask(body), body).toMatchObject({ status: 400, body: { code: "bad_message" } });
    }
    expect(await ask(JSON.stringify({ name: "x".repeat(20_000) }))).toMatchObject({ status: 413 });
  });

  it("the route accepts only POST", async () => {
    for (const method of ["GET", "DELETE", "OPTIONS"]) expect((await ask(null, { method })).status).toBe(405);
  });

  it("the route opens no guest if guests are off, and names the missing variable", async () => {
    expect(await ask({}, { env: { GUESTS: "off" } })).toMatchObject({
      status: 403,
      body: { code: "not_allowed" },
    });
    expect(await ask({}, { env: { AUTH_SECRET: "" } })).toMatchObject({
      status: 503,
      body: { code: "unavailable", message: expect.stringContaining("AUTH_SECRET"), retryAfterMs: 30_000 },
    });
  });
});

describe("renewing a guest", () => {
  it("the route returns the same guest again, with the old name or a new one", async () => {
    const { body: old } = await ask({ name: "Gina" });
    const authorization = { Authorization: `Bearer ${old.token}` };
    const later = NOW + 86_400_000;
    const renewed = await ask(null, { headers: authorization, now: later });
    expect(renewed).toMatchObject({ status: 200, body: { user: old.user, name: "Gina" } });
    expect(renewed.body.expiresAt).toBeGreaterThan(Number(old.expiresAt));
    expect(await ask({ name: "Gus" }, { headers: authorization })).toMatchObject({
      body: { user: old.user, name: "Gus" },
    });
    expect(await ask({ token: old.token }), "or in the body of the request").toMatchObject({
      body: { user: old.user, name: "Gina" },
    });
  });

  it("[T7] the renewed token says since when there has been this guest", async () => {
    const { body: old } = await ask({ name: "Gina" });
    const { body: renewed } = await ask({ token: old.token }, { now: NOW + 86_400_000 });
    const read = await verifyToken(String(renewed.token), SECRET, NOW + 86_400_000);
    expect(read).toMatchObject({ ok: true, who: { openedAt: Math.floor(NOW / 1000) * 1000 } });
  });

  it("the route renews a token for a week after its end", async () => {
    const { body: old } = await ask({ name: "Gina" });
    const end = Number(old.expiresAt);
    expect(await ask({ token: old.token }, { now: end + GUEST_RENEW_MS - 1 })).toMatchObject({
      body: { user: old.user },
    });
    expect(await ask({ token: old.token }, { now: end + GUEST_RENEW_MS })).toMatchObject({
      status: 401,
      body: { message: "The token has expired." },
    });
  });

  it("the route rejects a token that is not a guest's of this server, and opens no other guest", async () => {
    const forged = forgeToken(makeClaims({ sub: "guest-1", guest: true }), { secret: OTHER_SECRET });
    for (const token of [
      "",
      "x",
      forged,
      forgeToken(makeClaims()),
      forgeToken(makeClaims({ role: "admin" })),
    ]) {
      expect((await ask({ token })).status, token).toBe(401);
      expect((await ask(null, { headers: { Authorization: `Bearer ${token}` } })).status, token).toBe(401);
    }
    expect((await ask({ token: 7 })).status).toBe(400);
  });
});
