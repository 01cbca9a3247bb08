import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildPages } from "../../scripts/pages.mjs";
import { type Server, startCloudflare, startPartyKit } from "../support/servers";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** A window of three messages in eight seconds can be filled, waited for and used again within a test. */
const env = {
  CHAT_LIMIT: "3/8",
  LEAVE_GRACE_MS: "1000",
  // Every browser here is at one address.
  CONNECT_LIMIT: "0",
  NEW_ROOM_LIMIT: "0",
  GUEST_LIMIT: "0",
};

const platforms = [
  { name: "Cloudflare", start: startCloudflare },
  { name: "PartyKit", start: startPartyKit },
];

describe.each(platforms)("the page on $name", ({ start }) => {
  let server: Server;
  let browser: Browser;
  const problems: string[] = [];

  beforeAll(async () => {
    // Servers build the pages only where there are none; this is about the current ones in `web/`.
    await buildPages();
    server = await start({ env });
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
      args: [...flags, ...quiet],
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

  /** A user with a browser of their own. */
  async function person(): Promise<Page> {
    const page = await (await browser.newContext({ locale: "en-GB" })).newPage();
    page.on("pageerror", ({ message }) => problems.push(message));
    return page;
  }

  async function join(room: string, name: string): Promise<Page> {
    const page = await person();
    await page.goto(`${server.http}/#${room}`);
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Join the room" }).click();
    await live(page);
    return page;
  }

  const live = (page: Page) => page.getByText("Live", { exact: true }).waitFor();
  const composer = (page: Page) => page.getByRole("textbox", { name: "Message" });
  const line = (page: Page, text: string) => page.locator(".line", { hasText: text });
  const taken = (page: Page, text: string) => page.locator(".line:not(.draft)", { hasText: text });
  const people = (page: Page, count: number) =>
    page.getByRole("heading", { name: `${count} here`, exact: true }).waitFor();

  async function say(page: Page, text: string): Promise<void> {
    await composer(page).fill(text);
    await composer(page).press("Enter");
  }

  test("two windows talk, and each sees who is there and who is typing", async () => {
    const ann = await join("talk", "Ann");
    await ann.getByText("You are the first one here").waitFor();
    const bob = await join("talk", "Bob");
    await people(ann, 2);
    await people(bob, 2);

    await composer(ann).pressSequentially("Hel");
    await bob.getByText("Ann is typing…").waitFor();
    expect(await ann.getByText("is typing…").isVisible()).toBe(false);
    await say(ann, "Hello <img src=x onerror=alert(1)> & welcome");
    await taken(bob, "Hello <img src=x onerror=alert(1)> & welcome").waitFor();
    await bob.getByText("Ann is typing…").waitFor({ state: "hidden" });
    await say(bob, "Thank you");
    await taken(ann, "Thank you").waitFor();
    await taken(bob, "Thank you").waitFor();
    for (const page of [ann, bob]) expect(await page.locator(".line").count()).toBe(2);
    expect(await line(bob, "Thank you").getAttribute("class")).toContain("mine");
    expect(await line(ann, "Thank you").getAttribute("class")).not.toContain("mine");

    await bob.context().close();
    await people(ann, 1);
  });

  test("a reload stays in the room as the same guest", async () => {
    const ann = await join("reload", "Ann");
    const bob = await join("reload", "Bob");
    await say(ann, "Before the reload");
    await taken(bob, "Before the reload").waitFor();
    await ann.reload();
    await live(ann);
    await people(ann, 2);
    expect(await taken(ann, "Before the reload").getAttribute("class")).toContain("mine");
    await say(ann, "After the reload");
    await taken(bob, "After the reload").waitFor();
    expect(await bob.locator(".line").count()).toBe(2);
    await people(bob, 2);
  });

  test("the page shows a refusal and its wait at the message, and the message can be sent again", async () => {
    const ann = await join("refusal", "Ann");
    const bob = await join("refusal", "Bob");
    for (const text of ["One", "Two", "Three"]) {
      await say(ann, text);
      await taken(bob, text).waitFor();
    }
    await say(ann, "Four");
    await line(ann, "Four").getByText("That was faster than this room allows.").waitFor();
    expect(
      await line(ann, "Four")
        .getByRole("button", { name: /^Try again in \d+ s$/ })
        .isDisabled(),
    ).toBe(true);
    expect(await line(bob, "Four").count()).toBe(0);
    await line(ann, "Four").getByRole("button", { name: "Try again", exact: true }).click();
    await taken(bob, "Four").waitFor();
    await taken(ann, "Four").waitFor();
  });

  test("a link leads to its room, and leaving it leads to the start page", async () => {
    const page = await person();
    await page.goto(`${server.http}/?room=linked`);
    await page.getByRole("heading", { name: "Join linked" }).waitFor();
    await page.getByLabel("Your name").fill("Ann");
    await page.getByRole("button", { name: "Join the room" }).click();
    await live(page);
    expect(new URL(page.url()).hash).toBe("#linked");
    await page.getByRole("button", { name: "Leave the room" }).click();
    await page.getByRole("heading", { name: "Come on in" }).waitFor();
    expect(await page.getByLabel("Room", { exact: true }).inputValue()).toBe("linked");
  });

  test("a duplicated tab is a guest of its own and leaves its original alone", async () => {
    const ann = await join("twins", "Ann");
    const opened = ann.context().waitForEvent("page");
    // The new tab starts with a copy of this one's session storage, as a duplicate does.
    await ann.evaluate("void window.open(location.href)");
    const twin = await opened;
    await live(twin);
    await people(twin, 2);
    await people(ann, 2);
    await say(twin, "From the other tab");
    await taken(ann, "From the other tab").waitFor();
    expect(await ann.getByText("Live", { exact: true }).isVisible()).toBe(true);
  });

  test("a page without a bundler has the client by one plain script", async () => {
    const ann = await join("plain", "Ann");
    const plain = await person();
    await plain.goto(`${server.http}/`);
    await plain.addScriptTag({ url: "/tallyroom.js" });
    const said = await plain.evaluate(`(async () => {
      const room = await tallyroom.joinRoom({ kind: "main", room: "plain", name: "Bob" }).joined();
      return (await room.do("chat", "say", { text: "By a plain script" })).n;
    })()`);
    expect(said).toBe("said");
    await taken(ann, "By a plain script").waitFor();
  });

  test("a message written while the server is gone is sent when it is back", async () => {
    const ann = await join("outage", "Ann");
    const bob = await join("outage", "Bob");
    await server.kill9();
    await ann.getByText("Reconnecting…").waitFor();
    await say(ann, "Still here");
    await line(ann, "Still here").getByText("Waiting for the connection").waitFor();
    await ann.getByText("Your message is kept and will be sent.").waitFor();
    server = await server.restart();
    await taken(ann, "Still here").waitFor({ timeout: 60_000 });
    await taken(bob, "Still here").waitFor({ timeout: 60_000 });
    await people(ann, 2);
    for (const page of [ann, bob]) expect(await page.locator(".line").count()).toBe(1);
  });
});
