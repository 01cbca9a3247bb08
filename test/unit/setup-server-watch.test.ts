import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { watchServer } from "../../scripts/server-watch.mjs";

const stateDir = mkdtempSync(join(tmpdir(), "tallyroom-watch-"));
const lock = join(stateDir, "lock.1");
writeFileSync(lock, "{}");
const server = createServer((_, response) => void response.end("{}"));

afterEach(() => {
  vi.restoreAllMocks();
  server.close();
  server.closeAllConnections();
  rmSync(stateDir, { recursive: true });
});

it("a clock that steps forward, or a laptop that wakes up, ends no server that answers", async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = new AbortController();
  const asked = once(server, "request");
  const watched = watchServer({ name: "web", url, pid: process.pid, stateDir, lock }, stop.signal, () => {});
  await asked;
  const [wall, monotonic] = [Date.now(), performance.now()];
  vi.spyOn(Date, "now").mockReturnValue(wall + 3_600_000);
  vi.spyOn(performance, "now").mockReturnValue(monotonic + 3_600_000);
  await new Promise((resolve) => setTimeout(resolve, 700));
  stop.abort();
  expect(await watched).toBeUndefined();
});
