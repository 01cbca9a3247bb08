// Node's loader of ES modules, on a thread of its own: PartyKit's command is one.
import { patchProgram } from "./runtime-patches.mjs";

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (loaded.format !== "module" || loaded.source === undefined || loaded.source === null) return loaded;
  if (!new URL(url).pathname.endsWith("/partykit/dist/bin.mjs")) return loaded;
  const source = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
  return { ...loaded, source: patchProgram(url, source) };
}
