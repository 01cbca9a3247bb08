import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnyFeature } from "../../src/room/api/feature";
import { defineKind } from "../../src/room/api/kind";
import { Room } from "../../src/room/room";
import { MemoryRuntime } from "../support/memory-runtime";

const project = fileURLToPath(new URL("../..", import.meta.url));
const guide = readFileSync(join(project, "docs/extending.md"), "utf8");
const files = [...guide.matchAll(/```ts file=(\S+)\n([\s\S]*?)```/g)].map(([, path = "", code = ""]) => ({
  path,
  code,
}));

let folder: string;
beforeAll(() => {
  mkdirSync(join(project, ".cache"), { recursive: true });
  // A separate tree beside the real one, so that the guide's paths are true and no file remains.
  folder = mkdtempSync(join(project, ".cache/extending-"));
  for (const { path, code } of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code.replaceAll('"../../room/', '"../../../../../src/room/'));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docs/extending.md", () => {
  it("the guide has a whole feature in three files of forty lines of code", () => {
    expect(files.map(({ path }) => path.split("/").at(-1))).toEqual(["schema.ts", "state.ts", "decide.ts"]);
    const lines = files.flatMap(({ code }) => code.split("\n")).filter((line) => line.trim() !== "");
    expect(lines.length).toBeLessThanOrEqual(45);
  });

  it("the guide's code compiles", () => {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig/base.json",
        compilerOptions: {
          composite: false,
          emitDeclarationOnly: false,
          declarationMap: false,
          noEmit: true,
          rootDir: "../..",
        },
        include: ["src"],
      }),
    );
    const { stdout } = spawnSync(join(project, "node_modules/.bin/tsc"), ["-p", folder], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  });

  it("the guide's feature plays: the first press counts, the second is too late, a host clears", async () => {
    const buzzer = await bundled(join(folder, "src/features/buzzer/decide.ts"));
    const runtime = new MemoryRuntime();
    const kind = defineKind({ name: "show", features: [buzzer] });
    const settings = {
      idleMs: 60_000,
      recoveryMs: 60_000,
      leaveGraceMs: 1_000,
      maxUsers: 10,
      flushMs: 5_000,
      actionRate: null,
      rules: {},
    };
    const open = () =>
      Room.open(runtime.ports, kind, { kind: "show", id: "hall" }, settings, [], runtime.now);
    const room = await open();
    const by = (user: string) => ({ user, name: user, role: "host" as const });
    const press = { f: "buzzer", a: "press", d: {} };

    expect(room.act({ ...press, id: "1" }, by("ann"), runtime.now)).toEqual({ ok: true, seq: 1 });
    const late = room.act({ ...press, id: "2" }, by("bob"), runtime.now);
    expect(late).toMatchObject({ ok: false, rejection: { code: "conflict", message: "Too late." } });
    expect(room.act({ ...press, a: "clear", id: "3" }, by("bob"), runtime.now)).toEqual({ ok: true, seq: 2 });

    runtime.makeDurable();
    const again = await open();
    expect(again.summary(runtime.now).seq).toBe(2);
    expect(again.act({ ...press, id: "4" }, by("bob"), runtime.now)).toEqual({ ok: true, seq: 3 });
  });
});

async function bundled(file: string): Promise<AnyFeature> {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "silent",
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString("base64");
  return ((await import(`data:text/javascript;base64,${code}`)) as { buzzer: AnyFeature }).buzzer;
}
