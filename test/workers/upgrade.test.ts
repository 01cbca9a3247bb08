import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import worker from "../../src/worker/index";

/** Handed over directly: the runtime turns a forwarded request with an Upgrade into a GET. */
it.each([
  ["POST", "/parties/main", 404],
  ["POST", "/parties/main/hall/nothing/here", 404],
  ["PUT", "/parties/", 404],
  ["POST", "/nothing", 404],
  ["POST", "/parties/main/hall", 401],
])("[A7] %s %s with an Upgrade is a request like any other: %i", async (method, path, status) => {
  const request = new Request(`http://tallyroom${path}`, { method, headers: { Upgrade: "websocket" } });
  expect(request.method).toBe(method);
  const answer = await worker.fetch(request, env, createExecutionContext());
  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject({ code: expect.any(String), message: expect.any(String) });
});
