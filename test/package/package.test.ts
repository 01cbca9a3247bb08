import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateSecret } from "../../scripts/env-file.mjs";
import { buildPages } from "../../scripts/pages.mjs";
import { startGroup } from "../../scripts/process-group.mjs";
import { PROJECT } from "../../scripts/project.mjs";
import { freePort } from "../support/ports";

const exec = promisify(execFile);
const binPath = (name: string) => join(PROJECT, "node_modules/.bin", name);
const guide = readFileSync(join(PROJECT, "docs/client.md"), "utf8");
const blocks = [...guide.matchAll(/```(ts|tsx|toml)(?: file=(\S+))?\n([\s\S]*?)```/g)].map(
  ([, language = "", file, code = ""]) => ({ language, file, code }),
);

let scratch: string;
let tarball: string;
let project: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "tallyroom-package-"));
  await buildPages();
  await exec(process.execPath, [join(PROJECT, "scripts/build-package.mjs")], { cwd: PROJECT });
  await exec("npm", ["pack", "--ignore-scripts", "--pack-destination", scratch], { cwd: PROJECT });
  tarball = join(scratch, readdirSync(scratch).find((name) => name.endsWith(".tgz")) ?? "");
  project = join(scratch, "quizshow");
  await install();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** An empty project with the package installed, and no file of this project. */
async function install(): Promise<void> {
  const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
  const same = (...names: string[]) => Object.fromEntries(names.map((name) => [name, devDependencies[name]]));
  write("package.json", {
    name: "quizshow",
    private: true,
    type: "module",
    dependencies: { tallyroom: `file:${tarball}`, ...same("react", "ws") },
    devDependencies: same("@types/node", "@types/react", "@types/ws", "@cloudflare/workers-types"),
  });
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  await exec("npm", ["install", ...quiet], { cwd: project });
}

function write(file: string, content: string | object): void {
  const path = join(project, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, null, 2));
}

describe("the package", () => {
  it("the package contains what it exports and its guides, and no internal file", async () => {
    const { stdout } = await exec("tar", ["-tzf", tarball]);
    const files = stdout
      .trim()
      .split("\n")
      .map((file) => file.replace(/^package\//, ""));
    for (const wanted of [
      "README.md",
      "LICENSE",
      "docs/client.md",
      "dist/web/tallyroom.js",
      "dist/package/client/room-client.d.ts",
    ])
      expect(files).toContain(wanted);
    const allowed =
      /^(dist\/package\/|dist\/web\/tallyroom\.js$|docs\/|migrations\/|(README|CHANGELOG)\.md$|LICENSE$|package\.json$)/;
    expect(files.filter((file) => !allowed.test(file))).toEqual([]);
    expect(files.filter((file) => /\.env|\.test\.|secret(?!-key)/.test(file))).toEqual([]);
  });

  it("the package marks its hooks as client code for frameworks that render on a server", async () => {
    const { stdout } = await exec("tar", ["-xzOf", tarball, "package/dist/package/client/react.js"]);
    expect(stdout).toMatch(/^"use client";/);
  });

  it("publint finds nothing wrong with the package", async () => {
    const { stdout } = await exec(binPath("publint"), ["run", tarball, "--strict"], { cwd: scratch });
    expect(stdout).toContain("All good!");
  });

  it("the types resolve in every mode that reads ES modules, according to Are The Types Wrong", async () => {
    const { stdout } = await exec(
      binPath("attw"),
      [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"],
      { cwd: scratch },
    );
    // The command fails on any problem that the profile does not exclude.
    for (const entry of ["client", "react", "server"])
      expect(stdout).toMatch(new RegExp(`"tallyroom/${entry}" +│ OK \\(ESM\\) +│ OK`));
  });
});

describe("docs/client.md, in an empty project with the packed package", () => {
  it("every example compiles", async () => {
    for (const [index, { language, file, code }] of blocks.entries()) {
      if (file) {
        write(file, code);
        continue;
      }
      const usesRoom = /\broom\./.test(code) && !/const room\b/.test(code);
      const given =
        'import type { BuiltInKinds, RoomClient } from "tallyroom/client";\ndeclare const room: RoomClient<BuiltInKinds["main"]>;\n';
      // Registering the kind for all examples would change the kind of the others.
      const folder = code.includes("declare module") ? "registered/" : "";
      const text = folder ? code.replace('"./src/', '"../src/') : code;
      write(`${folder}example-${index}.${language}`, `${usesRoom ? given : ""}${text}\nexport {};\n`);
    }
    expect(blocks.length).toBeGreaterThan(12);
    const extending = readFileSync(join(project, "node_modules/tallyroom/docs/extending.md"), "utf8");
    const feature = [...extending.matchAll(/```ts file=(\S+)\n([\s\S]*?)```/g)];
    expect(feature).toHaveLength(3);
    for (const [, file = "", code = ""] of feature)
      write(
        file.replace("src/", "src/extending/"),
        code.replace(/"\.\.\/\.\.\/room\/[\w/]+"/, '"tallyroom/server"'),
      );
    const options = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "ES2022",
      lib: ["ES2022", "DOM", "DOM.Iterable"],
      module: "ESNext",
      moduleResolution: "bundler",
      jsx: "react-jsx",
      types: ["node"],
      skipLibCheck: true,
    };
    const include = ["src", "*.ts", "*.tsx"];
    write("tsconfig.json", { compilerOptions: options, include });
    expect(await compile("tsconfig.json")).toBe("");
    write("tsconfig.registered.json", {
      extends: "./tsconfig.json",
      compilerOptions: { ...options },
      include: ["registered", "uses-register.ts"],
    });
    write(
      "uses-register.ts",
      'import { useFeature } from "tallyroom/react";\nexport const useFirst = (): string | undefined => useFeature("buzzer", ({ first }) => first?.name);\n',
    );
    expect(await compile("tsconfig.registered.json")).toBe("");
  });

  it.each([
    ["an action that no feature has", 'await room.do("buzzer", "shout");', "shout"],
    ["data of another shape", 'await room.do("chat", "say", { words: "x" });', "words"],
    ["missing data", 'await room.do("chat", "say");', "Expected"],
    ["a feature that the kind does not have", "room.state.scores;", "scores"],
    ["a kind that does not exist", 'joinRoom({ kind: "quizzshow", room: "x", name: "x" });', "quizzshow"],
    [
      "a prediction of an event that does not exist",
      'joinRoom({ kind: "main", room: "x", name: "x", optimistic: { chat: { say: () => ({ n: "sad", d: {} }) } } });',
      "sad",
    ],
    ["a topic that does not exist", 'room.on("chat.shouted", () => {});', "chat.shouted"],
    [
      "an event's data of another type",
      'room.on("chat.said", ({ d }) => { const n: number = d.text; });',
      "string",
    ],
  ])("an example does not compile with %s", async (_, code, expected) => {
    write(
      "wrong/wrong.ts",
      `import { joinRoom, type RoomClient } from "tallyroom/client";\nimport type { quizshow } from "../src/kinds/quizshow";\ndeclare const room: RoomClient<typeof quizshow>;\n${code}\nexport {};\n`,
    );
    write("tsconfig.wrong.json", { extends: "./tsconfig.json", include: ["wrong"] });
    expect(await compile("tsconfig.wrong.json")).toContain(expected);
  });

  it("an example does not compile without a feature's state", async () => {
    write(
      "wrong/wrong.ts",
      'import { joinRoom } from "tallyroom/client";\nimport type { quizshow } from "../src/kinds/quizshow";\njoinRoom<typeof quizshow>({ kind: "quizshow", room: "x", name: "x" });\n',
    );
    write("tsconfig.wrong.json", { extends: "./tsconfig.json", include: ["wrong"] });
    expect(await compile("tsconfig.wrong.json")).toContain("features");
  });

  it("an example serves its own kind with its own feature, and a client plays a round", async () => {
    const port = await freePort();
    write(".dev.vars", `AUTH_SECRET=${generateSecret()}\nBATCH_SECRET=${generateSecret()}\nGUESTS=on\n`);
    const env = {
      ...process.env,
      WRANGLER_SEND_METRICS: "false",
      CI: "1",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      WRANGLER_LOG_PATH: join(scratch, "logs"),
    };
    await exec(binPath("wrangler"), ["d1", "migrations", "apply", "DB", "--local"], { cwd: project, env });
    let log = "";
    const group = startGroup(
      {
        file: binPath("wrangler"),
        args: [
          "dev",
          "--ip",
          "127.0.0.1",
          "--port",
          String(port),
          "--inspector-port",
          "0",
          "--show-interactive-dev-session=false",
        ],
        cwd: project,
        env,
      },
      (chunk) => {
        log += chunk;
      },
    );
    try {
      await waitUntilReady(`http://127.0.0.1:${port}/health`, () => log);
      await build({
        entryPoints: [join(project, "src/play.ts")],
        outfile: join(project, "play.mjs"),
        bundle: true,
        packages: "external",
        format: "esm",
        platform: "node",
        logLevel: "silent",
      });
      const { stdout } = await exec(process.execPath, ["play.mjs"], {
        cwd: project,
        env: { ...process.env, HOST: `http://127.0.0.1:${port}` },
        timeout: 60_000,
      });
      expect(stdout).toBe("Ann was first\nconflict: Too late.\nAnn true\n");
    } catch (error) {
      throw new Error(`${error}\n${log}`);
    } finally {
      await group.stop();
    }
  });
});

async function compile(config: string): Promise<string> {
  const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
  return exec(process.execPath, [tsc, "-p", config], { cwd: project }).then(
    () => "",
    (failure: { stdout: string }) => failure.stdout,
  );
}

async function waitUntilReady(url: string, log: () => string): Promise<void> {
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; ) {
    try {
      const { status } = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      if (status < 500 || status === 503) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} did not answer. ${log()}`);
}
