import { sweepBoards } from "../boards/retention";
import type { CloudflareEnv } from "../platform/cloudflare";
import { Door } from "../platform/edge/door";

/** 5,000 scores each: what one run deletes of a large board, well within the time and the calls that a run has. */
const PIECES = 20;

/** What a cron trigger runs: boards that are kept no longer go. One that failed is tried at the next. */
export async function clearAway(_: ScheduledController, env: CloudflareEnv): Promise<void> {
  const { rankings, scores } = await sweepBoards(env.DB, Door.config(env).boardKeepMs, Date.now(), PIECES);
  if (rankings + scores > 0) console.log(`Cleared away: ${rankings} rankings ended, ${scores} scores went.`);
}
