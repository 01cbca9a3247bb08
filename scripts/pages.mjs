import { existsSync, watch } from "node:fs";
import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { build } from "esbuild";
import { bundleClient } from "./client-bundle.mjs";
import { PROJECT } from "./project.mjs";

const FROM = join(PROJECT, "web");
const TO = join(PROJECT, "dist/web");

/** The client for a page without a bundler: one plain script, the global `tallyroom`. */
const PLAIN_SCRIPT = "tallyroom.js";

/** What is compiled or only read by people; every other file of `web/` is served as it is. */
const NOT_SERVED = new Set([".ts", ".tsx", ".md"]);

/** Builds every page: each `.ts` directly in `web/` becomes a script of that name, everything else is copied. */
export async function buildPages() {
  await mkdir(TO, { recursive: true });
  const files = await filesIn(FROM);
  const scripts = files.filter(
    (file) => extname(file) === ".ts" && dirname(file) === "." && !file.endsWith(".d.ts"),
  );
  const assets = files.filter((file) => !NOT_SERVED.has(extname(file)));

  const bundle = await build({
    entryPoints: scripts.map((file) => join(FROM, file)),
    outdir: TO,
    bundle: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    format: "esm",
    target: "es2022",
    minify: true,
    // No source maps: they would be served, with all of the source in them.
    metafile: true,
    logLevel: "silent",
    absWorkingDir: PROJECT,
  });
  await bundleClient({ write: join(TO, PLAIN_SCRIPT) });
  for (const file of assets) {
    await mkdir(dirname(join(TO, file)), { recursive: true });
    await copyFile(join(FROM, file), join(TO, file));
  }

  // A page that was renamed must not live on in its old place; nor may the folder ever be missing while servers read it.
  const outputs = Object.keys(bundle.metafile.outputs).map((path) => relative(TO, join(PROJECT, path)));
  const built = new Set([...outputs, PLAIN_SCRIPT]);
  for (const file of await filesIn(TO)) {
    if (!built.has(file) && !assets.includes(file)) await rm(join(TO, file), { force: true });
  }
}

/**
 * Builds again whenever a page, or the code that it runs, changes.
 * @param {(problem: string | undefined) => void} onBuilt
 * @returns {() => void} stops watching
 */
export function watchPages(onBuilt) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  let queue = Promise.resolve();
  const rebuild = () => {
    queue = queue.then(buildPages).then(
      () => onBuilt(undefined),
      (error) => onBuilt(error instanceof Error ? error.message : String(error)),
    );
  };
  // One save is several events.
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(rebuild, 50);
  };
  const watchers = [FROM, join(PROJECT, "src")]
    .filter(existsSync)
    .map((folder) => watch(folder, { recursive: true }, changed));
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>} paths relative to the folder
 */
async function filesIn(folder) {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}
