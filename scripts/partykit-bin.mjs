import { lstatSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { PROJECT } from "./project.mjs";

/**
 * Makes `npx partykit` run partykit as our own commands do. Where the link is another (Windows has shims), the build command of partykit.json
 * refuses.
 * @param {string} [bin]
 */
export function linkPartykit(bin = join(PROJECT, "node_modules/.bin")) {
  const link = join(bin, "partykit");
  if (process.platform === "win32" || lstatSync(link, { throwIfNoEntry: false }) === undefined) return;
  rmSync(link);
  symlinkSync(relative(realpathSync(bin), join(PROJECT, "scripts/partykit.mjs")), link);
}
