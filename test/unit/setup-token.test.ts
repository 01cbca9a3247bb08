import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROJECT } from "../../scripts/project.mjs";
import { verifyToken } from "../../src/identity/token";

const AUTH_SECRET = "s".repeat(32);

function token(...flags: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, AUTH_SECRET };
    const child = execFile(
      process.execPath,
      [join(PROJECT, "scripts/token.mjs"), ...flags],
      { env },
      (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

describe("npm run token", () => {
  it("the command prints a token that the servers accept, and nothing else", async () => {
    const { code, stdout } = await token(
      ...[
        "--user",
        "ann",
        "--name",
        "Ann",
        "--role",
        "host",
        "--room",
        "main/hall",
        "--room",
        "quiz/*",
        "--hours",
        "2",
      ],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const read = await verifyToken(stdout.trim(), AUTH_SECRET, Date.now());
    expect(read).toMatchObject({
      ok: true,
      who: { user: "ann", name: "Ann", role: "host", guest: false, rooms: ["main/hall", "quiz/*"] },
    });
    const leftMs = read.ok ? read.who.expiresAt - Date.now() : 0;
    expect(leftMs).toBeGreaterThan(1.9 * 3_600_000);
    expect(leftMs).toBeLessThanOrEqual(2 * 3_600_000);
  });

  it.each([
    ["no user", [], "--user is missing"],
    ["an unknown role", ["--user", "ann", "--role", "king"], "role must be one of player, host, admin"],
    ["a host without rooms", ["--user", "ann", "--role", "host"], "A host's token must name its rooms"],
    ["an invalid room", ["--user", "ann", "--room", "hall"], "kind/id patterns"],
    ["a guest's id", ["--user", "guest-ann"], "reserved for this server's guests"],
    ["no time to live", ["--user", "ann", "--hours", "0"], "--hours must be a number above 0"],
    ["an unknown flag", ["--user", "ann", "--colour", "red"], "--colour"],
  ])("the command rejects %s in a sentence", async (_, flags, sentence) => {
    const { code, stdout, stderr } = await token(...flags);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("    at ");
  });
});
