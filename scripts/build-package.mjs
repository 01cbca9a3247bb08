// The package as it is published, into dist/package/: each module as JavaScript with its declarations beside it.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";
import { bundleClient, CLIENT_LIMIT_BYTES } from "./client-bundle.mjs";
import { PROJECT } from "./project.mjs";

const TO = join(PROJECT, "dist/package");
const ENTRIES = ["src/client/room-client.ts", "src/client/react.ts", "src/worker/server.ts"];
/** Where the compiler has put the declarations of each part of the house. */
const DECLARATION_FOLDERS = ["pure", "web", "workers"].map((part) => join(PROJECT, ".cache/types", part));

/** A module of ours, as an import of any sort names it. */
const SPECIFIER = /((?:\bfrom|\bimport)\s*\(?\s*)"(\.{1,2}\/[^"]+)"/g;

await rm(TO, { recursive: true, force: true });
const modules = await writeModules();
const declarations = await writeDeclarations();
console.log(`built the package: ${modules} modules, ${declarations} declarations`);

const { bytes, gzipped } = await bundleClient();
console.log(
  `the client, all features and partysocket: ${bytes} bytes, ${gzipped} gzipped (of ${CLIENT_LIMIT_BYTES})`,
);
if (gzipped > CLIENT_LIMIT_BYTES) process.exitCode = 1;

/** Not bundled: what an app does not use, its own bundler leaves out. */
async function writeModules() {
  const options = /** @type {const} */ ({
    format: "esm",
    target: "es2022",
    logLevel: "silent",
    absWorkingDir: PROJECT,
  });
  const { metafile } = await build({
    ...options,
    entryPoints: ENTRIES,
    bundle: true,
    packages: "external",
    external: ["cloudflare:*"],
    outdir: TO,
    metafile: true,
    write: false,
  });
  const sources = Object.keys(metafile.inputs);
  const { outputFiles } = await build({
    ...options,
    entryPoints: sources,
    outbase: "src",
    outdir: TO,
    write: false,
  });
  for (const { path, text } of outputFiles) await writeOutput(path, withExtensions(text));
  return outputFiles.length;
}

/** Those of the entries, and of all that they speak of. */
async function writeDeclarations() {
  const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-b", "tsconfig/web.json", "tsconfig/workers.json"], {
    cwd: PROJECT,
    stdio: "inherit",
  });
  const waiting = ENTRIES.map((entry) => entry.replace(/\.ts$/, ".d.ts"));
  /** @type {Set<string>} */
  const written = new Set();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (written.has(path)) continue;
    written.add(path);
    const wanted = path;
    const file = DECLARATION_FOLDERS.map((folder) => join(folder, wanted)).find(existsSync);
    if (file === undefined) throw new Error(`${path} was not declared: is it in a tsconfig?`);
    const text = readFileSync(file, "utf8").replace(/^\/\/# sourceMappingURL=.*$/gm, "");
    for (const specifier of relativeSpecifiers(text))
      waiting.push(relative(PROJECT, `${resolve(PROJECT, dirname(path), specifier)}.d.ts`));
    await writeOutput(join(TO, relative("src", path)), withExtensions(text));
  }
  return written.size;
}

/** @param {string} path @param {string} text */
async function writeOutput(path, text) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Node and the newer ways of resolving types want the whole name of a file. @param {string} text */
function withExtensions(text) {
  return text.replace(SPECIFIER, (_, before, specifier) => `${before}"${specifier}.js"`);
}

/** @param {string} text */
function relativeSpecifiers(text) {
  return [...text.matchAll(SPECIFIER)].map(([, , specifier]) => specifier ?? "");
}
