import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPages } from "../../scripts/pages.mjs";
import { type Server, startCloudflare } from "../support/servers";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];

describe("the page of routes", () => {
  let server: Server;
  let browser: Browser;
  beforeAll(async () => {
    await buildPages();
    server = await startCloudflare();
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
      args: [...flags, ...quiet],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  test.each([
    { width: 390, scheme: "light" },
    { width: 390, scheme: "dark" },
    { width: 320, scheme: "light" },
    { width: 1280, scheme: "light" },
    { width: 1280, scheme: "dark" },
  ] as const)(
    "[C7] fits $width pixels, $scheme, and loads from its own origin alone",
    async ({ width, scheme }) => {
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme });
      const page = await context.newPage();
      const problems: string[] = [];
      const requested: string[] = [];
      page.on("console", (message) => problems.push(message.text()));
      page.on("request", (request) => requested.push(request.url()));
      await page.goto(`${server.http}/docs`);
      await page.getByRole("heading", { name: "The HTTP interface" }).waitFor();
      expect(new URL(page.url()).pathname).toBe("/v1/docs");
      const look = await page.evaluate(() => ({
        over: document.documentElement.scrollWidth - innerWidth,
        paper: getComputedStyle(document.body).backgroundColor,
        card: getComputedStyle(document.querySelector(".docs-card") ?? document.body).borderRadius,
      }));
      expect(look.over).toBeLessThanOrEqual(0);
      expect(look.paper).toBe(scheme === "light" ? "rgb(245, 247, 245)" : "rgb(16, 22, 20)");
      expect(look.card).toBe("18px");
      await page
        .getByRole("navigation")
        .getByRole("link", { name: "The top of a board, page by page" })
        .click();
      await page.locator("#readBoard").getByRole("link", { name: "Ranked" }).click();
      expect(new URL(page.url()).hash).toBe("#shape-Ranked");
      expect(requested.filter((url) => !url.startsWith(server.http) && !url.startsWith("data:"))).toEqual([]);
      expect(problems).toEqual([]);
      await context.close();
    },
  );
});
