import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { unstable_getMiniflareWorkerOptions as optionsOf } from "wrangler";
import { migrateLocally } from "../../scripts/migrations.mjs";
import { PROJECT } from "../../scripts/project.mjs";
import { readProcess, readTree } from "../fanout/processor.mjs";

/** The runtime that wrangler itself brings. */
const { Miniflare } = createRequire(createRequire(import.meta.url).resolve("wrangler/package.json"))(
  "miniflare",
);

/**
 * The worker as it is deployed, on a workerd of its own, without what `wrangler dev` puts around it: its proxy, and its own
 * workers in front of ours, cost each request five times what ours does.
 */
export class BareWorker {
  #runtime;
  #folder;

  /** @param {{ dispose(): Promise<void> }} runtime @param {URL} url @param {number} pid @param {string} folder */
  constructor(runtime, url, pid, folder) {
    this.#runtime = runtime;
    this.#folder = folder;
    this.url = url;
    this.pid = pid;
  }

  /** @param {Record<string, string>} vars */
  static async start(vars) {
    const folder = mkdtempSync(join(tmpdir(), "tallyroom-scoreboard-"));
    await migrateLocally(folder);
    const before = new Set(findWorkerdPids());
    const runtime = new Miniflare({
      ...readWranglerOptions(),
      defaultPersistRoot: join(folder, "state", "v3"),
      d1Persist: join(folder, "state", "v3", "d1"),
      modules: [{ type: "ESModule", path: "worker.mjs", contents: await bundleWorker() }],
      bindings: vars,
      cf: false,
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    });
    const url = await runtime.unsafeGetDirectURL();
    const pid = findWorkerdPids().find((one) => !before.has(one));
    if (pid === undefined) throw new Error("No workerd was started.");
    return new BareWorker(runtime, url, pid, folder);
  }

  /** Processor seconds so far. */
  get seconds() {
    return readProcess(this.pid)?.seconds ?? Number.NaN;
  }

  async stop() {
    await this.#runtime.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** As wrangler.toml has it; nothing of anybody's `.env`. */
function readWranglerOptions() {
  process.env.CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV = "false";
  const { workerOptions } = optionsOf(join(PROJECT, "wrangler.toml"));
  const { compatibilityDate, compatibilityFlags, durableObjects, d1Databases } = workerOptions;
  return { name: "tallyroom", compatibilityDate, compatibilityFlags, durableObjects, d1Databases };
}

async function bundleWorker() {
  const { outputFiles } = await build({
    entryPoints: [join(PROJECT, "src/worker/index.ts")],
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    write: false,
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}

function findWorkerdPids() {
  return readTree(process.pid)
    .filter(({ command }) => command === "workerd")
    .map(({ pid }) => pid);
}
