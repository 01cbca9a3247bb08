import { databaseName } from "../../scripts/migrations.mjs";
import { startGroup } from "../../scripts/process-group.mjs";
import { wrangler } from "../../scripts/wrangler-dev.mjs";
import type { Server } from "./servers";

/** What a worker's database holds, read past the worker. */
export async function query<T>({ dataDir }: Server, sql: string): Promise<T[]> {
  const command = wrangler(dataDir, ["d1", "execute", databaseName(), "--local", "--json", "--command", sql]);
  let output = "";
  const group = startGroup({ ...command, env: { ...command.env, CI: "1" } }, (chunk) => {
    output += chunk;
  });
  await group.ended;
  await group.stop();
  const json = output.slice(output.indexOf("["), output.lastIndexOf("]") + 1);
  const [answer] = JSON.parse(json) as { results: T[] }[];
  return answer?.results ?? [];
}
