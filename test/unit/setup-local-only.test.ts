import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isLocalHost, isLocalOrigin } from "../../scripts/local-names.mjs";
import { localNode } from "../../scripts/local-node.mjs";
import { openFilesWarning } from "../../scripts/open-files.mjs";
import { linkPartykit } from "../../scripts/partykit-bin.mjs";
import { PROJECT } from "../../scripts/project.mjs";
import { patchProgram, patchWorker } from "../../scripts/runtime-patches.mjs";

describe("the names of this machine", () => {
  it.each(["localhost", "localhost:1999", "127.0.0.1:8787", "127.9.9.9", "[::1]:80", "a.localhost:1"])(
    "%s is local",
    (host) => {
      expect(isLocalHost(host)).toBe(true);
      expect(isLocalOrigin(`http://${host}`)).toBe(true);
    },
  );

  it.each([
    "evil.example",
    "evil.example:1999",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "",
    "a b",
  ])("%s is not local", (host) => {
    expect(isLocalHost(host)).toBe(false);
    expect(isLocalOrigin(`http://${host}`)).toBe(false);
  });

  it("a missing Host is not local, an allowed one is, and a missing Origin means no page", () => {
    expect(isLocalHost(undefined)).toBe(false);
    expect(isLocalHost("tunnel.example:80", ["tunnel.example"])).toBe(true);
    expect(isLocalOrigin(undefined)).toBe(true);
    expect(isLocalOrigin("null")).toBe(false);
  });
});

/** Runs a script as partykit and wrangler are run, and returns what it prints. */
function run(script: string): unknown {
  const { args, env } = localNode({});
  const { stdout, stderr } = spawnSync(process.execPath, [...args, "--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  if (stderr !== "") throw new Error(stderr);
  return JSON.parse(stdout);
}

describe("a program that only this machine may reach", () => {
  it("the program listens on 127.0.0.1, however it is asked to listen", () => {
    const addresses = run(`
      import { createServer } from "node:net";
      const ways = [[0], ["0"], [], [0, "0.0.0.0"], [0, "::", 5], [{ port: 0 }], [{ port: 0, host: "0.0.0.0" }]];
      const addresses = [];
      for (const way of ways) {
        const server = createServer();
        await new Promise((resolve) => server.listen(...way, resolve));
        addresses.push(server.address().address);
        server.close();
      }
      console.log(JSON.stringify(addresses));`);
    expect(new Set(addresses as string[])).toEqual(new Set(["127.0.0.1"]));
  });

  it("the program rejects requests and sockets of a foreign Host or Origin", () => {
    const statuses = run(`
      import { createServer, request } from "node:http";
      const server = createServer((_, answer) => answer.end());
      server.on("upgrade", (_, socket) => socket.end("HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n"));
      await new Promise((resolve) => server.listen(0, resolve));
      const ask = (headers) => new Promise((resolve, reject) => {
        const call = request({ port: server.address().port, host: "127.0.0.1", headers });
        for (const event of ["response", "upgrade"]) call.on(event, ({ statusCode }) => resolve(statusCode));
        call.on("error", reject).end();
      });
      const upgrade = { Connection: "Upgrade", Upgrade: "websocket" };
      const foreign = [{ Host: "evil.example" }, { Origin: "https://evil.example" }];
      const statuses = [await ask({}), await ask(upgrade)];
      for (const headers of foreign) statuses.push(await ask(headers), await ask({ ...headers, ...upgrade }));
      console.log(JSON.stringify(statuses));
      process.exit();`);
    expect(statuses).toEqual([200, 101, 403, 403, 403, 403]);
  });
});

describe("the installed programs", () => {
  it.each(["partykit/dist/bin.mjs", "wrangler/wrangler-dist/cli.js"])("%s gets its patch", (path) => {
    const file = join(PROJECT, "node_modules", path);
    const source = readFileSync(file, "utf8");
    expect(patchProgram(file, source)).not.toBe(source);
  });

  it.each(["miniflare", "partykit/node_modules/miniflare"])("%s checks the Host header first", (path) => {
    const file = join(PROJECT, "node_modules", path, "dist/src/workers/core/entry.worker.js");
    expect(patchWorker(file, readFileSync(file, "utf8"))).toContain("guarded_entry_worker as default");
  });

  it("a version that the patches do not fit is not started", () => {
    expect(() => patchProgram("/a/partykit/dist/bin.mjs", "console.log('another');")).toThrow(
      /does not fit this version/,
    );
  });
});

describe("npx partykit", () => {
  let bin: string;
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), "tallyroom-bin-"));
  });
  afterEach(() => rmSync(bin, { recursive: true }));

  it("the command is ours after npm's scripts have run", () => {
    const link = join(bin, "partykit");
    symlinkSync("../partykit/dist/bin.mjs", link);
    linkPartykit(bin);
    linkPartykit(bin);
    expect(realpathSync(link)).toBe(realpathSync(join(PROJECT, "scripts/partykit.mjs")));
    expect(() => accessSync(link, constants.X_OK)).not.toThrow();
  });

  it("the command does not exist if partykit is not installed", () => {
    linkPartykit(bin);
    expect(readdirSync(bin)).toEqual([]);
  });
});

describe("the limit of open files", () => {
  const limits = (files: string) =>
    `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${files}                ${files}                files\n`;

  it("a warning at the start reports a low limit", () => {
    expect(openFilesWarning(limits("4096"))).toMatch(
      /4096 files .* some 599 people .*2000 people need 12500: .*ulimit -Hn/,
    );
  });

  it.each(["20000", "unlimited"])("no warning reports a limit of %s", (files) => {
    expect(openFilesWarning(limits(files))).toBeUndefined();
  });

  it("no warning appears if the system does not name the limit", () => {
    expect(openFilesWarning("")).toBeUndefined();
  });
});
