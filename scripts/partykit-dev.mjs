import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeEnvFile } from "./env-file.mjs";
import { localNode } from "./local-node.mjs";
import { PROJECT } from "./project.mjs";
import { emptyTmp } from "./state-dir.mjs";

/**
 * `partykit dev`, with these variables and no others.
 *
 * It takes variables from its command line, where everybody on the machine could read the secrets, or from the nearest
 * `.env` above its working folder. So it works in a folder of its own that holds such a file; the empty `.env.local` ends
 * the search that would otherwise go on upwards and find the project's. Paths that lead out of its working folder make
 * its runtime fail to start ("internal error"), hence the link.
 * @param {{ port: number, stateDir: string, vars: Readonly<Record<string, string>>, main?: string } & import("./local-node.mjs").Reach} options
 * `main`: another script than the configured one, from the project's folder
 * @returns {import("./process-group.mjs").Command}
 */
export function partykitDev({ port, stateDir, vars, main, ...reach }) {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeEnvFile(join(stateDir, ".env"), vars, { expands: false });
  writeEnvFile(join(stateDir, ".env.local"), {}, { expands: false });
  rmSync(join(stateDir, "project"), { force: true });
  symlinkSync(PROJECT, join(stateDir, "project"), "dir");
  writeConfig(join(stateDir, "partykit.json"));
  const node = localNode(reach);
  return {
    file: process.execPath,
    args: [
      ...node.args,
      join(PROJECT, "node_modules/partykit/dist/bin.mjs"),
      "dev",
      ...(main === undefined ? [] : [`project/${main}`]),
      ...["--config", "partykit.json"],
      ...["--serve", "project/dist/web"],
      ...["--persist", join(stateDir, "state")],
      ...["--port", String(port)],
      "--no-hotkeys",
      "--disable-request-cf-fetch",
    ],
    cwd: stateDir,
    // Its runtime warns when PWD is not where it works.
    env: { ...process.env, ...node.env, PWD: stateDir, TMPDIR: emptyTmp(stateDir), NO_UPDATE_NOTIFIER: "1" },
  };
}

/**
 * The project's configuration, with its paths through the link, and without the build command that refuses a partykit which is started by itself.
 * @param {string} path
 */
function writeConfig(path) {
  const { build, main, parties, ...config } = JSON.parse(
    readFileSync(join(PROJECT, "partykit.json"), "utf8"),
  );
  const linked = Object.entries(parties).map(([name, file]) => [name, `project/${file}`]);
  const own = { ...config, main: `project/${main}`, parties: Object.fromEntries(linked) };
  writeFileSync(path, JSON.stringify(own), { mode: 0o600 });
}
