import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { PROJECT } from "./project.mjs";

/** What a page pays for the client, the states of all built-in features and partysocket, minified and gzipped. */
export const CLIENT_LIMIT_BYTES = 14_000;

/** @param {{ write?: string }} [options] where to put it as a plain script, which gives a page the global `tallyroom` */
export async function bundleClient({ write } = {}) {
  const bundle = await build({
    entryPoints: [join(PROJECT, "src/client/room-client.ts")],
    ...(write === undefined
      ? { format: "esm", outfile: "client.js" }
      : { format: "iife", globalName: "tallyroom", outfile: write }),
    bundle: true,
    minify: true,
    platform: "browser",
    target: "es2022",
    metafile: true,
    write: write !== undefined,
    logLevel: "silent",
    absWorkingDir: PROJECT,
  });
  const contents = bundle.outputFiles?.[0]?.contents ?? new Uint8Array();
  return {
    bytes: contents.byteLength,
    gzipped: gzipSync(contents, { level: 9 }).byteLength,
    /** Every file that is in it, within the project. */
    files: Object.keys(bundle.metafile.inputs),
  };
}
