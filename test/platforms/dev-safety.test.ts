import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { PROJECT } from "../../scripts/project.mjs";
import { UPKEEP_PATH } from "../../scripts/wrangler-dev.mjs";
import { type DevCommand, runDevCommand } from "../support/dev-command";
import { descendantsOf, listenersOf } from "../support/listeners";
import { freePort } from "../support/ports";

let dataDir: string;
let commands: DevCommand[] = [];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "tallyroom-dev-"));
});
afterEach(() => {
  for (const { child } of commands) child.kill("SIGKILL");
  commands = [];
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

function run(script: string, env: Readonly<Record<string, string>>, args?: string[]): DevCommand {
  const command = runDevCommand(script, { DATA_DIR: dataDir, ...env }, args);
  commands.push(command);
  return command;
}

async function ports(names: readonly string[]): Promise<Record<string, string>> {
  const entries: [string, string][] = [];
  for (const name of names) entries.push([name, String(await freePort())]);
  return Object.fromEntries(entries);
}

/** What a port answers; status 0 if it speaks no HTTP. */
function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const none = { status: 0, text: "" };
    const asked = request({ host: "127.0.0.1", port, path, headers, timeout: 10_000 }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.once("upgrade", (_, socket) => {
      socket.destroy();
      resolve({ status: 101, text: "" });
    });
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => resolve(none));
    asked.end();
  });
}

/** Two starts, each of which takes a minute where others use the machine. */
const TEST_MS = 240_000;

const UPGRADE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

/** Holds for every listener of a command: no other machine reaches it, it is no inspector, and pages of other origins are refused. */
async function expectOnlyThisMachine(pid: number): Promise<void> {
  const listeners = listenersOf(pid);
  expect(listeners.map(({ address }) => address)).toEqual(listeners.map(() => "127.0.0.1"));
  expect(listeners.length).toBeGreaterThan(1);
  for (const { port, process } of listeners) {
    const what = `port ${port} of ${process}`;
    for (const path of ["/json", "/json/list", "/json/version"]) {
      expect((await ask(port, path)).text, what).not.toMatch(/webSocketDebuggerUrl|Protocol-Version/);
    }
    for (const path of [
      "/",
      "/ws",
      "/core/error",
      "/health",
      "/parties/main/hall",
      "/cdn-cgi/handler/scheduled",
    ]) {
      expect([0, 403], what).toContain((await ask(port, path, { Host: "evil.example" })).status);
      expect([0, 403], what).toContain((await ask(port, path, { Host: "evil.example", ...UPGRADE })).status);
    }
    for (const path of ["/", "/ws"]) {
      const socket = await ask(port, path, { Origin: "https://evil.example", ...UPGRADE });
      expect(socket.status, what).not.toBe(101);
    }
    if (process === "node") {
      expect((await ask(port, "/core/error", { Origin: "https://evil.example" })).status, what).toBe(403);
    }
  }
}

describe.each([
  {
    name: "npm run dev",
    script: "dev.mjs",
    portVariables: ["ROOMS_PORT", "SCOREBOARD_PORT"],
    states: ["rooms", "scoreboard"],
  },
  {
    name: "npm run dev:cloudflare",
    script: "dev-cloudflare.mjs",
    portVariables: ["PORT"],
    states: ["cloudflare"],
  },
])(
  "$name",
  ({ script, portVariables, states }) => {
    it("the command is reached from this machine alone, locks its state folder, and ends when that is deleted", async () => {
      const chosen = await ports(portVariables);
      const first = run(script, chosen);
      await first.ready();
      await expectOnlyThisMachine(first.child.pid);

      const own = Object.values(chosen).map(Number);
      for (const port of own) {
        for (const Host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
          expect((await ask(port, "/health", { Host })).status).toBe(200);
        }
        expect((await ask(port, "/play.js")).status).toBe(200);
        expect((await ask(port, "/play.js.map")).status).toBe(404);
      }
      // The trigger's own address: retention runs in development, too.
      const upkeep = await ask(own.at(-1) ?? 0, UPKEEP_PATH);
      expect(upkeep.status, upkeep.text).toBe(200);
      for (const state of states) expect(existsSync(join(dataDir, state, "logs"))).toBe(false);

      const second = await run(script, await ports(portVariables)).exited;
      expect(second.code).toBe(1);
      expect(second.output).toMatch(
        new RegExp(
          `^The state folder ${dataDir}/${states[0]} is in use by another server \\(process ${first.child.pid}\\).*\\.\n$`,
        ),
      );
      expect((await ask(own[0] ?? 0, "/health")).status).toBe(200);

      rmSync(join(dataDir, states[0] ?? "", "state"), { recursive: true, force: true, maxRetries: 10 });
      const { code, output } = await first.exited;
      expect(code).toBe(1);
      expect(output).toMatch(/The state folder .* was deleted or replaced while it ran/);
    });

    it("the command ends with a sentence when a runtime dies, and starts again without the files of rooms that do not exist", async () => {
      const chosen = await ports(portVariables);
      const port = Number(Object.values(chosen)[0]);
      const first = run(script, chosen);
      await first.ready();
      for (let room = 0; room < 5; room++)
        expect((await ask(port, `/parties/main/none-${room}`)).status).toBe(404);
      const socket = new WebSocket(`ws://127.0.0.1:${port}/parties/main/hall`);
      await once(socket, "message");
      socket.terminate();
      expect(roomFiles()).toHaveLength(6);

      // Under wrangler the last to be started runs our code; under partykit there is one.
      const runtimes = descendantsOf(first.child.pid).filter(({ name }) => name === "workerd");
      process.kill(runtimes.at(-1)?.pid ?? 0, "SIGKILL");
      const { code, output } = await first.exited;
      expect(code).toBe(1);
      expect(output).toMatch(/The runtime \(workerd\) of the \w+ server died and was not started again/);

      const second = run(script, chosen);
      await second.ready();
      expect(roomFiles()).toHaveLength(1);
      expect((await ask(port, "/parties/main/hall")).status).toBe(200);
      second.child.kill("SIGTERM");
      expect((await second.exited).code).toBe(0);
    });
  },
  TEST_MS,
);

function objectFiles(): string[] {
  return readdirSync(dataDir, { recursive: true, encoding: "utf8" }).filter(
    (name) => /\/(do|party)\//.test(name) && name.endsWith(".sqlite") && !name.endsWith("metadata.sqlite"),
  );
}

function roomFiles(): string[] {
  return objectFiles().filter((name) => /Rooms\/|PartyKitDurable\//.test(name));
}

describe("npx partykit dev", () => {
  it("partykit by itself listens nowhere, and names the command to start", async () => {
    const port = await freePort();
    const bare = run("../node_modules/partykit/dist/bin.mjs", {}, [
      "dev",
      "--port",
      String(port),
      "--persist",
      dataDir,
    ]);
    const { output } = await bare.exited;
    expect(output).toContain("Start `npm run dev`");
    expect((await ask(port, "/health")).status).toBe(0);
  });

  it("partykit as `npm install` links it is reached from this machine alone, and locks its state folder", async () => {
    const port = await freePort();
    const args = ["dev", "--port", String(port), "--persist", dataDir, "--disable-request-cf-fetch"];
    // Run through the link, as npx does.
    const link = join(dataDir, "partykit");
    symlinkSync(join(PROJECT, "scripts/partykit.mjs"), link);
    const first = run(link, {}, args);
    while ((await ask(port, "/health")).status !== 200)
      await new Promise((resolve) => setTimeout(resolve, 100));
    await expectOnlyThisMachine(first.child.pid);
    const second = await run(link, {}, args).exited;
    expect(second.code).toBe(1);
    expect(second.output).toMatch(/is in use by another server/);
  });
});
