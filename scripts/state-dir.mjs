import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/**
 * An empty folder for a server's temporary files. One that is killed cannot remove its own, so the next start does.
 * @param {string} stateDir
 */
export function emptyTmp(stateDir) {
  const tmp = join(stateDir, "tmp");
  rmSync(tmp, { recursive: true, force: true });
  mkdirSync(tmp, { recursive: true, mode: 0o700 });
  return tmp;
}
