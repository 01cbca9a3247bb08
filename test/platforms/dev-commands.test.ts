import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateSecret } from "../../scripts/env-file.mjs";
import { isBusy } from "../../scripts/port.mjs";
import { type DevCommand, runDevCommand } from "../support/dev-command";
import { freePort } from "../support/ports";

let dataDir: string;
let command: ChildProcess | undefined;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "tallyroom-dev-"));
});
afterEach(() => {
  command?.kill("SIGKILL");
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

function runScript(script: string, env: Readonly<Record<string, string>>): DevCommand {
  const started = runDevCommand(script, { DATA_DIR: dataDir, ...env });
  command = started.child;
  return started;
}

async function fetchStatus(url: string): Promise<number> {
  return (await fetch(url)).status;
}

describe.each([
  { name: "npm run dev", script: "dev.mjs", portVariables: ["ROOMS_PORT", "SCOREBOARD_PORT"] },
  { name: "npm run dev:cloudflare", script: "dev-cloudflare.mjs", portVariables: ["PORT"] },
])("$name", ({ script, portVariables }) => {
  async function ports(): Promise<Record<string, string>> {
    const entries: [string, string][] = [];
    for (const name of portVariables) entries.push([name, String(await freePort())]);
    return Object.fromEntries(entries);
  }

  it.each(["SIGINT", "SIGTERM"] as const)(
    "leads to a page, and leaves nothing behind after one %s",
    async (signal) => {
      const AUTH_SECRET = generateSecret();
      const chosen = await ports();
      const { child, exited, ready } = runScript(script, { ...chosen, AUTH_SECRET });
      const address = await ready();
      expect(address).toBe(`http://127.0.0.1:${chosen[portVariables[0] ?? ""]}`);
      const page = await fetch(address);
      expect(page.headers.get("content-type")).toMatch(/^text\/html/);
      expect(await page.text()).toContain("<script");
      for (const port of Object.values(chosen))
        expect(await fetchStatus(`http://127.0.0.1:${port}/health`)).toBe(200);
      expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(AUTH_SECRET);

      const askedAt = Date.now();
      child.kill(signal);
      const { code, output } = await exited;
      expect(code).toBe(0);
      expect(Date.now() - askedAt).toBeLessThan(5_000);
      for (const port of Object.values(chosen)) expect(await isBusy(Number(port))).toBe(false);
      expect(output.split("\n").filter((line) => !/^ready |^\w+ │ GET \/ 200 OK|^$/.test(line))).toEqual([]);
    },
  );

  it("the command names a busy port before it starts anything", async () => {
    const chosen = await ports();
    const name = portVariables.at(-1) ?? "";
    const other = createServer().listen(Number(chosen[name]), "127.0.0.1");
    await once(other, "listening");
    const { code, output } = await runScript(script, chosen).exited;
    other.close();
    expect(code).toBe(1);
    expect(output).toMatch(new RegExp(`^Port ${chosen[name]}, .* is busy: .*${name}\\.\n$`));
  });

  it("the command names a variable with an invalid value", async () => {
    const { code, output } = await runScript(script, { ...(await ports()), IDLE_MS: "often" }).exited;
    expect(code).toBe(1);
    expect(output).toMatch(/^IDLE_MS must be .*\.\n$/);
  });
});

it("npm run dev stops the other server and says so when one ends by itself", async () => {
  const chosen = { ROOMS_PORT: String(await freePort()), SCOREBOARD_PORT: String(await freePort()) };
  const { exited, ready } = runScript("dev.mjs", chosen);
  await ready();
  const line = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" })
    .split("\n")
    .find((process) => process.includes("partykit/dist/bin.mjs") && process.includes(chosen.ROOMS_PORT));
  process.kill(Number.parseInt(line ?? "", 10), "SIGKILL");
  const { code, output } = await exited;
  expect(code).toBe(1);
  expect(output).toContain("The rooms server ended by itself, by SIGKILL");
  expect(await isBusy(Number(chosen.SCOREBOARD_PORT))).toBe(false);
});
