import { existsSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { databaseName } from "../../scripts/migrations.mjs";
import { startGroup } from "../../scripts/process-group.mjs";
import { wrangler } from "../../scripts/wrangler-dev.mjs";
import type { Server } from "./servers";

/** Runs SQL on the database of a server that is running, past the worker: from another process. */
export async function queryLocalDatabase<T>({ dataDir }: Pick<Server, "dataDir">, sql: string): Promise<T[]> {
  // A folder of its own, for what a command of wrangler keeps beside the state.
  const folder = mkdtempSync(join(tmpdir(), "tallyroom-sql-"));
  if (!existsSync(join(dataDir, "state"))) throw new Error(`${dataDir} has no state.`);
  symlinkSync(join(dataDir, "state"), join(folder, "state"));
  const command = wrangler(folder, ["d1", "execute", databaseName(), "--local", "--json", "--command", sql]);
  let output = "";
  const group = startGroup({ ...command, env: { ...command.env, CI: "1" } }, (chunk) => {
    output += chunk;
  });
  const how = await group.ended;
  await group.stop();
  if (how !== "with code 0") throw new Error(`That could not be executed:\n${output.trim()}`);
  const json = output.slice(output.indexOf("["), output.lastIndexOf("]") + 1);
  const [answer] = JSON.parse(json) as { results: T[] }[];
  return answer?.results ?? [];
}
