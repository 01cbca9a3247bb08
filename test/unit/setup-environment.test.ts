import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readEnvironment, SERVER_VARIABLES } from "../../scripts/environment.mjs";
import { readConfig } from "../../src/config/config";

const folder = mkdtempSync(join(tmpdir(), "tallyroom-environment-"));
afterAll(() => rmSync(folder, { recursive: true }));

const secrets = { AUTH_SECRET: "s".repeat(32), BATCH_SECRET: "b".repeat(32) };

/** The environment without a `.env` beside it, and with state in a folder of the test's own. */
function read(env: Record<string, string>, file: Record<string, string> = {}) {
  return readEnvironment({ DATA_DIR: folder, ...env }, file);
}

describe("the environment of a start", () => {
  it("the environment passes every variable that a server reads, and no other", () => {
    const readNames = new Set<string>();
    readConfig(
      new Proxy<Record<string, unknown>>(
        {},
        {
          get: (_, name) => {
            readNames.add(String(name));
            return undefined;
          },
        },
      ),
    );
    expect([...SERVER_VARIABLES].sort()).toEqual([...readNames].sort());
  });

  it("the environment prefers the process's own values to those of the file", async () => {
    const result = await read({ FLUSH_MS: "1" }, { ...secrets, FLUSH_MS: "2", IDLE_MS: "3" });
    expect(result).toMatchObject({
      ok: true,
      environment: { vars: { ...secrets, FLUSH_MS: "1", IDLE_MS: "3" }, dataDir: folder },
    });
  });

  it("the environment enables guests on the developer's own machine, unless told not to", async () => {
    for (const [given, guests] of [
      [undefined, "on"],
      ["", "on"],
      ["off", "off"],
    ] as const) {
      const read = await readEnvironment(given === undefined ? {} : { GUESTS: given }, {});
      expect(read.ok && read.environment.vars.GUESTS).toBe(guests);
    }
  });

  it("the environment omits what no server reads", async () => {
    const result = await read({ ...secrets, HOME: "/home/ann", ROOMS_PORT: "3000" });
    expect(result).toMatchObject({
      ok: true,
      environment: { ports: { ROOMS_PORT: 3_000, SCOREBOARD_PORT: 8_787, PORT: 8_787 } },
    });
    expect(result.ok && Object.keys(result.environment.vars)).toEqual([...Object.keys(secrets), "GUESTS"]);
  });

  it("the environment treats an empty variable as unset", async () => {
    expect(await read({ ROOMS_PORT: "", FLUSH_MS: "" })).toMatchObject({
      ok: true,
      environment: { ports: { ROOMS_PORT: 1_999 } },
    });
  });

  it("the environment admits only this machine and opens no inspector, unless told to", async () => {
    expect(await read({})).toMatchObject({ environment: { reach: { hosts: [] } } });
    const result = await read({ INSPECTOR_PORT: "9229", DEV_HOSTS: "tunnel.example, a.b" });
    expect(result).toMatchObject({
      environment: { reach: { inspectorPort: 9_229, hosts: ["tunnel.example", "a.b"] } },
    });
  });

  it("the error names every invalid variable", async () => {
    const result = await read({
      AUTH_SECRET: "short",
      BATCH_SECRET: "both ' and ` in one, long enough",
      ROOMS_PORT: "99999",
      PORT: "http",
      FLUSH_MS: "soon",
      INSPECTOR_PORT: "on",
      DEV_HOSTS: "https://tunnel.example",
      DATA_DIR: "package.json/state",
    });
    const problems = result.ok ? [] : result.problems;
    const names = ["AUTH_SECRET", "BATCH_SECRET", "ROOMS_PORT", "PORT", "FLUSH_MS", "DATA_DIR"];
    names.push("INSPECTOR_PORT", "DEV_HOSTS");
    expect(problems.map((problem) => problem.split(" ")[0]).sort()).toEqual(names.sort());
    for (const problem of problems) expect(problem).toMatch(/\.$/);
  });
});
