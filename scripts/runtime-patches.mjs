import { IS_LOCAL_HOST_SOURCE } from "./local-names.mjs";

/**
 * @typedef {object} Patch one place of a program's source, and what stands there instead
 * @property {string} find it has to stand there exactly once
 * @property {string} replace
 */

/** Whether the environment asks for an inspector (INSPECTOR_PORT). */
const inspectorPort = process.env.TALLYROOM_INSPECTOR_PORT;

/** @type {readonly Patch[]} */
const partykit = [
  { find: 'host: "0.0.0.0",', replace: 'host: "127.0.0.1",' },
  // esbuild's server listens on every interface and lets any page read it.
  {
    find: "await ctx.serve({\n        port: portForAssetsServer,\n        servedir: assetsPath\n      });",
    replace: "await globalThis.tallyroomServePages(assetsPath, portForAssetsServer);",
  },
  ...(inspectorPort === undefined
    ? [
        { find: "inspectorPort: portForRuntimeInspector,\n                      handle", replace: "handle" },
        { find: "props.enableInspector ?? true", replace: "false" },
        { find: "const jsonUrl = `http:", replace: "return; const jsonUrl = `http:" },
      ]
    : [{ find: 'getPortForServer("inspector", 9229)', replace: inspectorPort }]),
];

/** @type {readonly Patch[]} */
const wrangler =
  inspectorPort === undefined
    ? [{ find: "if (input.dev?.inspector === false) {", replace: "if (true) {" }]
    : [];

/** What is patched, by the end of its path. */
const programs = new Map([
  ["/partykit/dist/bin.mjs", partykit],
  ["/wrangler/wrangler-dist/cli.js", wrangler],
]);

/**
 * A program's source, changed where it is one of those above.
 * @param {string} path of the file, or its URL
 * @param {string} source
 */
export function patchProgram(path, source) {
  let patched = source;
  for (const [end, patches] of programs) {
    if (!endsWith(path, end)) continue;
    for (const { find, replace } of patches) {
      if (patched.split(find).length !== 2) throw unknownVersion(path, find);
      patched = patched.replace(find, () => replace);
    }
  }
  return patched;
}

/**
 * A worker of miniflare's, changed if it is the first that a request reaches: it judges the Host header before it does anything. So the judgement
 * stands before rooms, pages and the runtime's own addresses alike, on both platforms.
 * @param {string} path
 * @param {string} source
 */
export function patchWorker(path, source) {
  return endsWith(path, "/workers/core/entry.worker.js") ? guardEntryWorker(path, source) : source;
}

/**
 * @param {string} path
 * @param {string} end
 */
function endsWith(path, end) {
  return path.replaceAll("\\", "/").endsWith(end);
}

/**
 * @param {string} path
 * @param {string} source
 */
function guardEntryWorker(path, source) {
  const exported = "entry_worker_default as default";
  if (source.split(exported).length !== 2) throw unknownVersion(path, exported);
  const others = (process.env.TALLYROOM_DEV_HOSTS ?? "").split(",").filter((name) => name !== "");
  return `${source.replace(exported, "guarded_entry_worker as default")}
${IS_LOCAL_HOST_SOURCE}
const guarded_entry_worker = {
  fetch(request, env, ctx) {
    if (isLocalHost(new URL(request.url).host, ${JSON.stringify(others)})) return entry_worker_default.fetch(request, env, ctx);
    return Response.json({ code: "not_allowed", message: ${JSON.stringify(FOREIGN_HOST)} }, { status: 403 });
  },
};
`;
}

/** Told to who comes by another name. */
export const FOREIGN_HOST =
  "This development server answers only under names of its own machine. DEV_HOSTS allows others, such as a tunnel's.";

/**
 * @param {string} path
 * @param {string} text
 */
function unknownVersion(path, text) {
  return new Error(
    `${path} does not hold \`${text.split("\n")[0]}\` exactly once, so scripts/runtime-patches.mjs does not fit this version. It is not started, because it would listen to the network.`,
  );
}
