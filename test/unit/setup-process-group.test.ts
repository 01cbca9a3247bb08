import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isBusy } from "../../scripts/port.mjs";
import { isAlive, startGroup } from "../../scripts/process-group.mjs";
import { PROJECT } from "../../scripts/project.mjs";
import { freePort } from "../support/ports";

/** A command that starts another, as both platforms' commands do. */
const scriptWithChild = "sleep 60 & echo started; wait";
const scriptIgnoringTerm = `trap '' TERM; ${scriptWithChild}; ${scriptWithChild}`;

async function startScript(script: string) {
  let output = "";
  const command = { file: "sh", args: ["-c", script], cwd: PROJECT, env: process.env };
  const group = startGroup(command, (chunk) => {
    output += chunk;
  });
  await eventually(() => output.includes("started"));
  return group;
}

async function eventually(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error("The condition never became true.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("a command and its child processes", () => {
  it("the processes end together when asked to", async () => {
    const group = await startScript(scriptWithChild);
    expect(isAlive(group.pid)).toBe(true);
    await group.stop();
    expect(isAlive(group.pid)).toBe(false);
    expect(await group.ended).toBe("by SIGTERM");
  });

  it("the processes end within seconds if they ignore the signal", async () => {
    const group = await startScript(scriptIgnoringTerm);
    const askedAt = Date.now();
    await group.stop();
    expect(isAlive(group.pid)).toBe(false);
    expect(Date.now() - askedAt).toBeLessThan(5_000);
  });

  it("the processes end at once when killed", async () => {
    const group = await startScript(scriptIgnoringTerm);
    const killedAt = Date.now();
    await group.kill();
    expect(isAlive(group.pid)).toBe(false);
    expect(Date.now() - killedAt).toBeLessThan(1_000);
  });

  it("the processes end with their parent, even if it had no time for a signal", async () => {
    const starter = await startStarter();
    const group = Number((await once(starter.stdout ?? starter, "data")).toString());
    expect(isAlive(group)).toBe(true);
    starter.kill("SIGKILL");
    await eventually(() => !isAlive(group));
  });

  it("the processes may be stopped again after their end", async () => {
    const group = await startScript(scriptWithChild);
    await group.kill();
    await group.stop();
    expect(await group.ended).toBe("by SIGKILL");
  });
});

async function startStarter(): Promise<ChildProcess> {
  const module = join(PROJECT, "scripts/process-group.mjs");
  const code = `
    import { startGroup } from ${JSON.stringify(module)};
    const command = { file: "sh", args: ["-c", ${JSON.stringify(scriptIgnoringTerm)}], cwd: ".", env: process.env };
    const group = startGroup(command, () => console.log(group.pid));`;
  return spawn(process.execPath, ["--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

describe("a port", () => {
  it.each(["127.0.0.1", "0.0.0.0"])(
    "the port is busy while a server listens on %s, and free afterwards",
    async (host) => {
      const port = await freePort();
      expect(await isBusy(port)).toBe(false);
      const server = createServer().listen(port, host);
      await once(server, "listening");
      expect(await isBusy(port)).toBe(true);
      server.close();
      await once(server, "close");
      expect(await isBusy(port)).toBe(false);
    },
  );
});
