import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { groupMembers } from "./process-group.mjs";
import { identityOf } from "./state-lock.mjs";

/** A change of the code replaces the runtime, which takes a second or two. */
const RUNTIME_GONE_MS = 5_000;

/** A rebuild on a busy machine, or a flood, may keep it from answering for a while. */
const SILENT_MS = 30_000;

/** A laptop that wakes up has had no answer for hours, and has asked once. */
const MIN_FAILED_ASKS = 3;

const LOOK_EVERY_MS = 500;
const ASK_EVERY_MS = 2_000;
const ASK_TIMEOUT_MS = 5_000;

/**
 * Watches a server that was ready, and resolves with a sentence when it cannot go on. Both commands stay up when their runtime dies, and go on
 * acknowledging points when the files under them are deleted.
 * @param {{ name: string, url: string, pid: number, stateDir: string, lock: string }} server `lock`: the file that locks `stateDir`
 * @param {AbortSignal} stopped
 * @param {(sentence: string) => void} say
 * @returns {Promise<string | undefined>} `undefined` when it was stopped
 */
export async function watchServer({ name, url, pid, stateDir, lock }, stopped, say) {
  const runtimes = countRuntimes(pid);
  const folders = watchFolders(stateDir, lock);
  const health = askHealth(url, stopped, (problem) => say(`${name} │ /health: ${problem}`));
  // Looks and not a time: while a machine sleeps, time passes without a look.
  let looksWithoutRuntime = 0;
  while (!stopped.aborted) {
    if (folders.isGone()) {
      return `The state folder ${stateDir} of the ${name} server was deleted or replaced while it ran: what it would acknowledge from now on would be kept nowhere.`;
    }
    looksWithoutRuntime = countRuntimes(pid) >= runtimes ? 0 : looksWithoutRuntime + 1;
    if (looksWithoutRuntime * LOOK_EVERY_MS > RUNTIME_GONE_MS) {
      return `The runtime (workerd) of the ${name} server died and was not started again. What it said last stands above.`;
    }
    if (health.isSilent()) {
      return `The ${name} server has not answered ${url}/health for ${SILENT_MS / 1_000} s.`;
    }
    await pause(LOOK_EVERY_MS, stopped);
  }
  return undefined;
}

/**
 * How many runtimes run in a group: two under wrangler, one under partykit; 0 where there is no /proc.
 * @param {number} group
 */
function countRuntimes(group) {
  return (groupMembers(group) ?? []).filter(({ name, state }) => name === "workerd" && state !== "Z").length;
}

/** How deep the folders lie whose files are objects: `state/v3/do/<class>`. */
const DEPTH = 4;

/**
 * Which of a state folder's folders there were, and whether all of them are still the same.
 * @param {string} stateDir
 * @param {string} lock
 */
function watchFolders(stateDir, lock) {
  /** @type {Map<string, string>} */
  const known = new Map();
  const learn = (/** @type {string} */ path, /** @type {number} */ depth) => {
    const identity = identityOf(path);
    if (identity === undefined) return;
    if (!known.has(path)) known.set(path, identity);
    if (depth > 0) for (const folder of foldersIn(path)) learn(join(path, folder), depth - 1);
  };
  let looks = 0;
  return {
    isGone: () => {
      // Classes get their folders when the first object of theirs is touched.
      if (looks++ % 20 === 0) {
        for (const path of [stateDir, lock]) learn(path, 0);
        learn(join(stateDir, "state"), DEPTH - 1);
      }
      return [...known].some(([path, identity]) => identityOf(path) !== identity);
    },
  };
}

/** @param {string} path */
function foldersIn(path) {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/**
 * Asks /health again and again, and says what it says is wrong, once each time that changes.
 * @param {string} url
 * @param {AbortSignal} stopped
 * @param {(problem: string) => void} onProblem
 */
function askHealth(url, stopped, onProblem) {
  let answeredAt = performance.now();
  let failedAsks = 0;
  let last = "";
  const ask = async () => {
    while (!stopped.aborted) {
      try {
        const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
        const { problems = [] } = /** @type {{ problems?: string[] }} */ (await answer.json());
        answeredAt = performance.now();
        failedAsks = 0;
        const problem = problems.join(" ");
        if (problem !== last && problem !== "") onProblem(problem);
        last = problem;
      } catch {
        failedAsks += 1;
      }
      await pause(ASK_EVERY_MS, stopped);
    }
  };
  void ask();
  return {
    isSilent: () => failedAsks >= MIN_FAILED_ASKS && performance.now() - answeredAt > SILENT_MS,
  };
}

/**
 * @param {number} ms
 * @param {AbortSignal} stopped
 */
async function pause(ms, stopped) {
  await setTimeout(ms, undefined, { signal: stopped }).catch(() => undefined);
}
