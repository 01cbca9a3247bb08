import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateSecret } from "../../scripts/env-file.mjs";
import { buildPages } from "../../scripts/pages.mjs";
import { signToken } from "../../src/identity/token";
import { type Server, startCloudflare, startPartyKit } from "../support/servers";

/** [C7] The rooms' origin on PartyKit, which has no boards, and the worker that has them, each a process of its own. */
describe("[C7] the worker's routes at the rooms' origin", () => {
  const secrets = { AUTH_SECRET: generateSecret(), BATCH_SECRET: generateSecret() };
  let worker: Server;
  let rooms: Server;

  beforeAll(async () => {
    // Servers build the pages only where there are none: this asks for one as it stands now.
    await buildPages();
    worker = await startCloudflare({ env: secrets });
    rooms = await startPartyKit({ env: { ...secrets, SCOREBOARD_URL: worker.http } });
  }, 180_000);
  afterAll(async () => {
    await rooms?.stop();
    await worker?.stop();
  });

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${rooms.http}${path}`, { redirect: "manual", ...init });
  const admin = async () => {
    const now = Date.now();
    const token = await signToken({ user: "ada", role: "admin" }, secrets.AUTH_SECRET, now, now + 60_000);
    return { Authorization: `Bearer ${token}` };
  };

  it("GET is answered as the worker answers: boards, their headers, refusals, the document and its page", async () => {
    for (const path of [
      "/v1/boards",
      "/v1/boards/main",
      "/v1/boards/main?limit=0",
      "/v1/openapi.json",
      "/v1/docs",
      "/v1/bans",
    ]) {
      const [here, there] = [await ask(path), await fetch(`${worker.http}${path}`)];
      expect([here.status, await here.text()], path).toEqual([there.status, await there.text()]);
      expect(here.headers.get("Content-Type")).toBe(there.headers.get("Content-Type"));
    }
    const board = await ask("/v1/boards/main");
    const tag = board.headers.get("ETag") ?? "";
    expect(board.headers.get("Cache-Status")).toContain("tallyroom");
    expect((await ask("/v1/boards/main", { headers: { "If-None-Match": tag } })).status).toBe(304);
    const docs = await ask("/docs");
    expect([docs.status, docs.headers.get("Location")]).toEqual([308, "/v1/docs"]);
    expect((await ask("/docs.css")).status, "and the page's styles are served here").toBe(200);
  });

  it("other methods are forwarded too, with a token and a body", async () => {
    const body = JSON.stringify({ reason: "spam" });
    expect((await ask("/v1/bans/eve", { method: "PUT", body })).status).toBe(401);
    expect((await ask("/v1/bans/eve", { method: "PUT", body, headers: await admin() })).status).toBe(200);
    expect(
      await (await fetch(`${worker.http}/v1/bans/eve`, { headers: await admin() })).json(),
    ).toMatchObject({
      user: "eve",
      reason: "spam",
    });
    expect(await (await ask("/v1/bans/eve", { method: "DELETE", headers: await admin() })).json()).toEqual({
      lifted: true,
    });
  });

  it("CORS headers come once to a page of an allowed origin, and a page of another origin with a token is refused", async () => {
    const local = "http://localhost:3000";
    const read = await ask("/v1/boards", { headers: { Origin: local } });
    expect([read.status, read.headers.get("Access-Control-Allow-Origin")]).toEqual([200, local]);
    const preflight = { Origin: local, "Access-Control-Request-Method": "PUT" };
    expect((await ask("/v1/bans/eve", { method: "OPTIONS", headers: preflight })).status).toBe(204);
    const strange = { Origin: "https://stranger.example.org", ...(await admin()) };
    expect((await ask("/v1/bans", { headers: strange })).status).toBe(403);
  });

  it("the answer is 502 with a time to come back while the worker is away, and normal again when it is back", async () => {
    await worker.stop();
    const away = await ask("/v1/boards/main");
    expect([away.status, away.headers.get("Retry-After")]).toEqual([502, "2"]);
    expect(await away.json()).toMatchObject({ code: "unavailable", retryAfterMs: 2_000 });
    expect((await ask("/health")).status, "what is not the worker's goes on").toBe(200);
    worker = await worker.restart();
    expect((await ask("/v1/boards/main")).status).toBe(200);
  });
});

describe("[C7] a rooms' origin", () => {
  let rooms: Server | undefined;
  let other: HttpServer | undefined;
  afterAll(async () => {
    await rooms?.stop();
    other?.close();
  });

  it("an origin without the worker's URL says so with 503; one that has its own URL there says that", async () => {
    rooms = await startPartyKit();
    const unset = await fetch(`${rooms.http}/v1/boards`);
    expect(unset.status).toBe(503);
    expect(await unset.json()).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("SCOREBOARD_URL"),
    });
    rooms = await rooms.restart({ env: { SCOREBOARD_URL: rooms.http } });
    const round = await fetch(`${rooms.http}/v1/boards`);
    expect(round.status).toBe(502);
    expect(await round.json()).toMatchObject({ message: expect.stringContaining("leads back") });
  }, 120_000);

  it("an origin forwards no cookie, nor a header that poses as the platform's or another origin's", async () => {
    const heard: Record<string, unknown>[] = [];
    other = createServer((request, response) => {
      heard.push(request.headers);
      response.end("{}");
    });
    await new Promise<void>((resolve) => other?.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    rooms = await rooms?.restart({ env: { SCOREBOARD_URL: `http://127.0.0.1:${port}` } });
    const headers = {
      Cookie: "a=b",
      "CF-Connecting-IP": "192.0.2.7",
      "X-Forwarded-For": "192.0.2.7",
      "Tallyroom-Client": "192.0.2.7",
      "Tallyroom-Client-Signature": "t=1,k=0,v1=0",
      Authorization: "Bearer x",
    };
    expect((await fetch(`${rooms?.http}/v1/boards`, { headers })).status).toBe(200);
    expect(heard).toHaveLength(1);
    expect(JSON.stringify(heard)).not.toContain("192.0.2.7");
    expect(heard[0]).toMatchObject({ authorization: "Bearer x", "tallyroom-passed-on": "1" });
    expect(heard[0]).not.toHaveProperty("cookie");
  }, 120_000);
});
