import { databaseName } from "../../../scripts/migrations.mjs";
import { startGroup } from "../../../scripts/process-group.mjs";
import { wrangler } from "../../../scripts/wrangler-dev.mjs";

const QUERY =
  "select s.user as user, -s.score as points from scores s join rankings r on r.id = s.ranking where r.board = 'main' and r.period = 'all'";

/** What D1 holds for the kind's board, read from outside of the worker. */
export async function readStoredPoints(dataDir: string): Promise<Map<string, number>> {
  const args = ["d1", "execute", databaseName(), "--local", "--json", "--command", QUERY];
  const command = wrangler(dataDir, args);
  let output = "";
  // A folder for its temporary files of its own: that of the server's is in use.
  const env = { ...command.env, TMPDIR: process.env.TMPDIR, CI: "1" };
  const group = startGroup({ ...command, env }, (chunk) => {
    output += chunk;
  });
  const how = await group.ended;
  await group.stop();
  const json = output.slice(output.indexOf("["), output.lastIndexOf("]") + 1);
  if (how !== "with code 0" || json === "") throw new Error(`The database could not be read:\n${output}`);
  const [answer] = JSON.parse(json) as { results: { user: string; points: number }[] }[];
  return new Map((answer?.results ?? []).map(({ user, points }) => [user, points]));
}
