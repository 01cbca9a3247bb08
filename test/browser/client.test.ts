/// <reference lib="dom" />
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildPages } from "../../scripts/pages.mjs";
import type * as client from "../../src/client/room-client";
import { type Server, startCloudflare } from "../support/servers";

declare global {
  var tallyroom: typeof client;
  var room: ReturnType<typeof join>;
}
declare function join(): client.RoomClient<client.BuiltInKinds["main"]>;

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
/** Every browser here is at one address. */
const env = { CONNECT_LIMIT: "0", NEW_ROOM_LIMIT: "0", GUEST_LIMIT: "0" };

describe("/tallyroom.js in a browser", () => {
  let server: Server;
  let browser: Browser;
  const problems: string[] = [];

  beforeAll(async () => {
    await buildPages();
    server = await startCloudflare({ env });
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
      args,
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    expect(problems.splice(0)).toEqual([]);
  });

  /** A page of the server's that has nothing on it but the script. */
  async function blank(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    page.on("pageerror", ({ message }) => problems.push(message));
    await page.goto(`${server.http}/health`);
    await page.addScriptTag({ url: "/tallyroom.js" });
    return page;
  }
  const openContext = () => browser.newContext({ bypassCSP: true });
  const enter = (page: Page, name: string) =>
    page.evaluate((id) => {
      globalThis.room = tallyroom.joinRoom({ kind: "main", room: id, name: "Ann" });
    }, name);
  const user = (page: Page) => page.evaluate(async () => (await room.joined()).you?.user);

  test("[P1] a browser's first two tabs, opened at once, are one guest; a third later too", async () => {
    const context = await openContext();
    const pages = await Promise.all([blank(context), blank(context)]);
    await Promise.all(pages.map((page) => enter(page, "tabs")));
    const [one, two] = await Promise.all(pages.map(user));
    expect(one).toBe(two);
    const third = await blank(context);
    await enter(third, "tabs");
    expect(await user(third)).toBe(one);
    expect(await third.evaluate(() => room.state.presence.count)).toBe(1);
  });

  test("a page without network at first keeps its actions, and sends them as soon as there is one", async () => {
    const context = await openContext();
    const page = await blank(context);
    await context.setOffline(true);
    await enter(page, "offline");
    await page.waitForFunction(() => room.status.is === "waiting");
    expect(await page.evaluate(() => "reason" in room.status)).toBe(false);
    const said = page.evaluate(() => room.do("chat", "say", { text: "At last" }));
    await context.setOffline(false);
    expect(await said).toMatchObject({ n: "said", d: { text: "At last" } });
  });

  test("a user can join although the browser forbids storage", async () => {
    const context = await openContext();
    await context.addInitScript(() => {
      const get = () => {
        throw new DOMException("No.", "SecurityError");
      };
      Object.defineProperty(window, "localStorage", { get });
      // The same setting of a browser's forbids both.
      navigator.locks.request = () => Promise.reject(new DOMException("No.", "SecurityError"));
    });
    const page = await blank(context);
    await enter(page, "forbidden");
    expect(await user(page)).toMatch(/^guest-/);
  });

  test("a machine whose clock is days wrong shows the room's time, and is the same guest again", async () => {
    const aheadMs = 8 * 86_400_000;
    const context = await openContext();
    await context.addInitScript((ms) => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + ms;
    }, aheadMs);
    const page = await blank(context);
    await enter(page, "clock");
    const before = await user(page);
    const off = await page.evaluate(() => Date.now() - room.clock.now());
    expect(Math.abs(off - aheadMs)).toBeLessThan(2_000);
    await page.evaluate(() => room.leave());
    await enter(page, "clock");
    expect(await user(page)).toBe(before);
  });

  test("a client that left at any moment has no socket", async () => {
    const page = await blank(await openContext());
    const open = new Set<unknown>();
    page.on("websocket", (socket) => {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
    });
    await enter(page, "leaving");
    await user(page);
    expect(open.size).toBe(1);
    await page.evaluate(async () => {
      room.leave();
      for (let n = 0; n < 10; n++) {
        const early = tallyroom.joinRoom({ kind: "main", room: "leaving", name: "Ann" });
        await new Promise((resolve) => setTimeout(resolve, n));
        early.leave();
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    expect(open.size).toBe(0);
  });
});
