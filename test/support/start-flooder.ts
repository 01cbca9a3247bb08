import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface FloodStats {
  sent: number;
  connects: number;
  byes: Record<string, number>;
  /** The wait in the first `bye`. */
  firstPauseMs: number;
}

const script = fileURLToPath(new URL("flood-client.mjs", import.meta.url));

/** Floods an address until it is stopped; it ends with this process, however that ends. */
export function startFlooder(
  url: string,
  what: "lines" | "pings" | "seens" = "lines",
): { stop(): Promise<FloodStats> } {
  const child = spawn(process.execPath, [script, url, what], { stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  return {
    stop: () =>
      new Promise((resolve, reject) => {
        child.on("error", reject);
        child.on("close", () => resolve(JSON.parse(text) as FloodStats));
        child.stdin.write("stop\n");
      }),
  };
}
