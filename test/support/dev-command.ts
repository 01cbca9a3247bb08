import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { PROJECT } from "../../scripts/project.mjs";

export interface DevCommand {
  child: ChildProcess & { pid: number };
  exited: Promise<{ code: number | null; output: string }>;
  /** The address to open, once it is printed. */
  ready(): Promise<string>;
  output(): string;
}

/** Starts one of the scripts as npm would, and gathers what it prints. */
export function runDevCommand(
  script: string,
  env: Readonly<Record<string, string>>,
  args: string[] = [],
): DevCommand {
  const child = spawn(process.execPath, [resolve(PROJECT, "scripts", script), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const exited = once(child, "close").then(([code]) => ({ code, output }));
  const ready = async (): Promise<string> => {
    for (;;) {
      const address = /^ready (http\S+)$/m.exec(output)?.[1];
      if (address !== undefined) return address;
      if (child.exitCode !== null) throw new Error(output);
      await new Promise((later) => setTimeout(later, 50));
    }
  };
  const { pid } = child;
  if (pid === undefined) throw new Error(`${script} could not be started`);
  return { child: Object.assign(child, { pid }), exited, ready, output: () => output };
}
