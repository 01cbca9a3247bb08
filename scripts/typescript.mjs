import { join } from "node:path";
import { build } from "esbuild";
import { PROJECT } from "./project.mjs";

/**
 * Imports a module of the servers, so that a command judges by the very rules that they judge by. Bundled first, because
 * Node 20 cannot read TypeScript.
 * @param {string} path within the project
 */
export async function importTypeScript(path) {
  const bundle = await build({
    entryPoints: [join(PROJECT, path)],
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    write: false,
    logLevel: "silent",
  });
  const code = Buffer.from(bundle.outputFiles[0]?.contents ?? []).toString("base64");
  return import(`data:text/javascript;base64,${code}`);
}
