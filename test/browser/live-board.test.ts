import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SIGNATURE_HEADER, signCall } from "../../src/edge/signed-calls/signed-call";
import { freePort } from "../support/ports";
import { type Server, startCloudflare, startPartyKit } from "../support/servers";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const BATCH_SECRET = "a secret that both sides of this suite sign with";

/** A page listens as docs/protocol.md shows it, on the worker's origin and on that of rooms on PartyKit. */
describe("EventSource in a browser", () => {
  let worker: Server;
  let rooms: Server;
  let browser: Browser;
  let n = 0;

  beforeAll(async () => {
    const port = await freePort();
    const env = { BATCH_SECRET, SCOREBOARD_URL: `http://127.0.0.1:${port}`, LIVE_LIMIT: "0" };
    worker = await startCloudflare({ env, port });
    rooms = await startPartyKit({ env });
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
      args: flags,
    });
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([worker?.stop(), rooms?.stop()]);
  });

  /** As a room's batch would. */
  async function award(user: string, points: number): Promise<void> {
    n += 1;
    const now = Date.now();
    const entry = { board: "main", user, name: user, points, firstAt: now, lastAt: now, seq: n };
    const body = JSON.stringify({ v: 1, room: "main/browser", epoch: "browser", n, entries: [entry] });
    const call = { method: "POST", path: "/v1/batches", body };
    const headers = {
      "Content-Type": "application/json",
      [SIGNATURE_HEADER]: await signCall(call, BATCH_SECRET, now),
    };
    const response = await fetch(`${worker.http}${call.path}`, { method: "POST", headers, body });
    expect(response.status).toBe(200);
  }

  test("EventSource receives the board and its changes on both origins, and reconnects by itself after the server was killed", async () => {
    await award("ann", 5);
    const pages = await Promise.all(
      [worker, rooms].map(async (server) => {
        const page = await browser.newPage();
        await page.goto(server.http);
        await page.evaluate(() => {
          const live = new EventSource("/v1/boards/main/live");
          const heard = {
            entries: [] as { user: string; points: number; rank: number }[],
            events: 0,
            opened: 0,
          };
          Object.assign(window, { heard });
          live.addEventListener("open", () => {
            heard.opened += 1;
          });
          live.addEventListener("board", ({ data }) => {
            heard.events += 1;
            heard.entries = JSON.parse(data).entries;
          });
          live.addEventListener("change", ({ data }) => {
            heard.events += 1;
            const { changed, gone } = JSON.parse(data);
            const moved = new Set([...gone, ...changed.map(({ user }: { user: string }) => user)]);
            heard.entries = heard.entries.filter(({ user }) => !moved.has(user));
            for (const entry of changed) heard.entries.splice(entry.rank - 1, 0, entry);
            heard.entries = heard.entries.map((entry, at) => ({ ...entry, rank: at + 1 }));
          });
        });
        return page;
      }),
    );
    const shows = (text: string) =>
      Promise.all(
        pages.map((page) =>
          page.waitForFunction(
            (wanted) =>
              (window as unknown as { heard: { entries: { user: string; points: number }[] } }).heard.entries
                .map(({ user, points }) => `${user} ${points}`)
                .join(", ") === wanted,
            text,
            { timeout: 30_000 },
          ),
        ),
      );
    await shows("ann 5");
    await award("bob", 9);
    await shows("bob 9, ann 5");
    await worker.kill9();
    worker = await worker.restart();
    await award("ann", 6);
    await shows("ann 11, bob 9");
    for (const page of pages) {
      const { opened } = await page.evaluate(
        () => (window as unknown as { heard: { opened: number } }).heard,
      );
      expect(opened).toBeGreaterThanOrEqual(2);
      await page.close();
    }
  });
});
