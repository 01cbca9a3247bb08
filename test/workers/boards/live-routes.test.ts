import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { main } from "../../../src/kinds/main";
import { createBoardRegistry } from "../../../src/services/boards/store/board-registry";
import { createApp } from "../../../src/worker/app";
import { CountedDatabase } from "./database";

const HOUSE = "203.0.113.9";

function worker(more: Record<string, unknown> = {}) {
  const counted = new CountedDatabase();
  const app = createApp(new Set(["main"]), createBoardRegistry([main]));
  return {
    counted,
    async get(path: string, headers: Record<string, string> = {}) {
      const ctx = createExecutionContext();
      const request = new Request(`http://tallyroom${path}`, {
        headers: { "CF-Connecting-IP": HOUSE, ...headers },
      });
      const response = await app.fetch(request, { ...env, DB: counted.db, ...more }, ctx);
      await waitOnExecutionContext(ctx);
      return response;
    },
  };
}

it("[V1] [V5] an address opens as many streams as LIVE_LIMIT allows; invalid requests do not count", async () => {
  const { get } = worker({ LIVE_LIMIT: "2/60" });
  for (let time = 0; time < 5; time += 1)
    expect((await get("/v1/boards/main/live?period=never")).status).toBe(400);
  for (let time = 0; time < 2; time += 1) {
    const response = await get("/v1/boards/main/live");
    expect([response.status, response.headers.get("Content-Type")]).toEqual([
      200,
      "text/event-stream; charset=UTF-8",
    ]);
    await response.body?.cancel();
  }
  const refused = await get("/v1/boards/main/live");
  expect([refused.status, await refused.json()]).toMatchObject([
    429,
    { code: "rate_limited", info: { rule: "live", limit: { count: 2, perMs: 60_000 } } },
  ]);
  expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(50);
});

it("[V1] an undeclared board is 404, queries the database once, and reaches no object", async () => {
  const { get, counted } = worker({
    BOARDS: new Proxy(env.BOARDS, {
      get: () => {
        throw new Error("No object is to be touched.");
      },
    }),
  });
  for (let time = 0; time < 3; time += 1) {
    for (const path of ["main:made-up", "main:made-up/live"]) {
      const { status } = await get(`/v1/boards/${path}`);
      expect(status).toBe(path.endsWith("live") ? 404 : 200);
    }
  }
  expect(counted.callCount).toBe(1);
  expect((await get("/v1/boards/made-up/live")).status).toBe(404);
});

it("[V1] pages of other origins may open streams as they may read boards", async () => {
  const { get } = worker({ ALLOWED_ORIGINS: "https://show.example.org" });
  const origins = ["https://show.example.org", "https://other.example.org"];
  const answers = await Promise.all(
    origins.map(async (origin) => {
      const response = await get("/v1/boards/main/live", { Origin: origin });
      await response.body?.cancel();
      return [response.status, response.headers.get("Access-Control-Allow-Origin")];
    }),
  );
  expect(answers).toEqual([
    [200, "https://show.example.org"],
    [200, null],
  ]);
});

it("[V5] if a board cannot be read or its object reached, a stream ends at once, and an EventSource comes back", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const isAway = () => {
    throw new Error("It is away.");
  };
  const away = {
    "/v1/boards/main/live": { BOARDS: { getByName: () => ({ fetch: async () => isAway() }) } },
    "/v1/boards/main:hall/live": { DB: { prepare: isAway } },
  };
  for (const [path, more] of Object.entries(away)) {
    const response = await worker(more).get(path);
    expect([response.status, response.headers.get("Content-Type"), await response.text()]).toEqual([
      200,
      "text/event-stream; charset=UTF-8",
      "retry: 5000\n\n: board-away\n\n",
    ]);
  }
});

it("a worker without the object says so", async () => {
  const { get } = worker({ BOARDS: undefined });
  const response = await get("/v1/boards/main/live");
  expect([response.status, await response.json()]).toMatchObject([503, { message: /BOARDS binding/ }]);
});
