import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LiveListener } from "../support/live-listener";
import { type Server, startCloudflare } from "../support/servers";
import { OPEN_ENV } from "./platform-stage";
import { eventually, pause } from "./waiting";

let server: Server;

beforeAll(async () => {
  server = await startCloudflare({
    env: { ...OPEN_ENV, LIVE_LIMIT: "0" },
    main: "test/support/wide-board/worker.ts",
  });
}, 180_000);
afterAll(() => server.stop(), 30_000);

async function listeners(): Promise<number> {
  const text = await (await fetch(`${server.http}/metrics`)).text();
  return Number(/^tallyroom_live_listeners (\d+)$/m.exec(text)?.[1]);
}

it("[V4] the stream of a listener that reads nothing ends, however much the network buffers; a listener that reads comes back", async () => {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(
    `GET /v1/boards/main/live HTTP/1.1\r\nHost: ${server.host}\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await eventually(async () => (await listeners()) === 1, "the listener that reads nothing");
  const startedAt = Date.now();
  await eventually(async () => (await listeners()) === 0, "no listener is left", 60_000);
  console.log(`sent away after ${Date.now() - startedAt} ms`);
  const reader = new LiveListener(`${server.http}/v1/boards/main/live`);
  try {
    await eventually(() => reader.connectCount > 2, "a reader has come back twice", 60_000);
    const before = reader.top?.version ?? 0;
    await pause(3_000);
    expect(reader.top?.version).toBeGreaterThan(before);
    expect([reader.violations, reader.rejectedStatuses]).toEqual([[], []]);
  } finally {
    reader.leave();
    socket.destroy();
  }
}, 150_000);
