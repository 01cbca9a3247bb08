import { configOf } from "../config/config";
import type { BoardsEnv } from "../services/boards/env";
import { sweepBoards } from "../services/boards/store/retention";

/** Of 5,000 scores each. One run deletes no more, and so stays well within its limits on time and calls. */
const MAX_PIECES = 20;

/** Deletes boards whose retention has ended. The next run retries what failed. */
export async function runCron(_: ScheduledController, env: BoardsEnv): Promise<void> {
  const { rankings, scores } = await sweepBoards(env.DB, configOf(env).boardKeepMs, Date.now(), MAX_PIECES);
  if (rankings + scores > 0) console.log(`Retention: ${rankings} rankings ended, ${scores} scores deleted.`);
}
