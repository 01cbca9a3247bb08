import { Gateway } from "../edge/gateway";
import type { CloudflareEnv } from "../platforms/cloudflare";
import { sweepBoards } from "../services/boards/store/retention";

/** 5,000 scores each: what one run deletes of a large board, well within the time and the calls that a run has. */
const MAX_PIECES = 20;

/** What a cron trigger runs: boards that are kept no longer go. One that failed is tried at the next. */
export async function runCron(_: ScheduledController, env: CloudflareEnv): Promise<void> {
  const { rankings, scores } = await sweepBoards(
    env.DB,
    Gateway.readConfig(env).boardKeepMs,
    Date.now(),
    MAX_PIECES,
  );
  if (rankings + scores > 0) console.log(`Cleared away: ${rankings} rankings ended, ${scores} scores went.`);
}
