import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startedAt } from "../../scripts/process-group.mjs";
import { PROJECT } from "../../scripts/project.mjs";
import { lockState } from "../../scripts/state-lock.mjs";

const MODULE = pathToFileURL(join(PROJECT, "scripts/state-lock.mjs")).href;

let stateDir: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "tallyroom-lock-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(stateDir, { recursive: true, force: true });
});

/** A process that tries to lock the folder, prints the result, and stays. */
async function contender(): Promise<{ child: ChildProcess; ok: boolean; pid?: number }> {
  const script = `
    const { lockState } = await import(${JSON.stringify(MODULE)});
    console.log(JSON.stringify(lockState(${JSON.stringify(stateDir)})));
    setInterval(() => {}, 1_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [line] = await once(child.stdout, "data");
  return { child, ...JSON.parse(String(line)) };
}

function locks(): string[] {
  return readdirSync(stateDir);
}

it("the lock rejects a state folder that another process has open, and names that process", async () => {
  const first = await contender();
  expect(first.ok).toBe(true);
  expect(await contender()).toMatchObject({ ok: false, pid: first.child.pid });
  expect(lockState(stateDir)).toEqual({ ok: false, pid: first.child.pid });
});

it("the lock of a process that was killed is taken over", async () => {
  const first = await contender();
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  expect(await contender()).toMatchObject({ ok: true });
  expect(locks()).toEqual(["lock.2"]);
});

it("the lock of a dead process is taken over, even if its process id was given to another one", () => {
  writeFileSync(join(stateDir, "lock.7"), JSON.stringify({ pid: process.pid, startedAt: "1" }));
  // Without /proc the two cannot be distinguished.
  if (startedAt(process.pid) === undefined) return;
  expect(lockState(stateDir)).toEqual({ ok: true, path: join(stateDir, "lock.8") });
});

it("one of many processes that find a stale lock at once gets it", async () => {
  writeFileSync(join(stateDir, "lock.3"), JSON.stringify({ pid: 2 ** 30, startedAt: "1" }));
  const contenders = await Promise.all(Array.from({ length: 6 }, contender));
  const holders = contenders.filter(({ ok }) => ok);
  expect(holders).toHaveLength(1);
  for (const { ok, pid } of contenders) if (!ok) expect(pid).toBe(holders[0]?.child.pid);
  expect(locks()).toEqual(["lock.4"]);
});

it.each(["", "{", "null", "{}", '{"pid":0}'])("a lock whose file holds %j is taken over", (text) => {
  writeFileSync(join(stateDir, "lock.3"), text);
  expect(lockState(stateDir)).toEqual({ ok: true, path: join(stateDir, "lock.4") });
  expect(locks()).toEqual(["lock.4"]);
});
