import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startedAt } from "./process-group.mjs";

/**
 * Two servers over one state folder lose each other's points: each object of theirs lives in a file of its own, which either would write.
 *
 * Node has no lock that the system releases when a process ends. So a lock is a numbered file with the process in it, and the highest number holds.
 * It holds as long as its process runs, and whoever takes over writes the next number, which can be made only once. A number is removed after a higher
 * one stands, never before: so no two can come to hold by the same removal, as they could if a stale file were deleted and made again.
 */
const LOCK = /^lock\.(\d{1,9})$/;

/**
 * Locks a state folder for as long as this process runs.
 * @param {string} stateDir made if there is none
 * @returns {{ ok: true, path: string } | { ok: false, pid: number }} `pid`: the process that holds it
 */
export function lockState(stateDir) {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const own = join(stateDir, `locking.${process.pid}`);
  writeFileSync(own, JSON.stringify({ pid: process.pid, startedAt: startedAt(process.pid) }), {
    mode: 0o600,
  });
  try {
    for (;;) {
      const last = highest(stateDir);
      const holder = last === 0 ? undefined : holderOf(lockPath(stateDir, last));
      if (holder !== undefined) return { ok: false, pid: holder };
      const path = lockPath(stateDir, last + 1);
      if (!link(own, path)) continue;
      if (highest(stateDir) > last + 1) {
        // It had been made and removed between our two looks, by those who have taken higher ones.
        rmSync(path, { force: true });
        continue;
      }
      removeBelow(stateDir, last + 1);
      return { ok: true, path };
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/**
 * Whether somebody else has the folder's state open.
 * @param {string} stateDir
 * @param {number} pid
 */
export function lockedSentence(stateDir, pid) {
  return `The state folder ${stateDir} is in use by another server (process ${pid}), and two would lose each other's points: stop that one or set DATA_DIR.`;
}

/**
 * @param {string} stateDir
 * @param {number} number
 */
function lockPath(stateDir, number) {
  return join(stateDir, `lock.${number}`);
}

/** @param {string} stateDir */
function highest(stateDir) {
  return Math.max(0, ...numbers(stateDir));
}

/** @param {string} stateDir */
function numbers(stateDir) {
  return readdirSync(stateDir).map((name) => Number(LOCK.exec(name)?.[1] ?? 0));
}

/**
 * The process that holds a lock, if it runs.
 * @param {string} path
 * @returns {number | undefined}
 */
function holderOf(path) {
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined; // somebody has taken a higher one since
  }
  const lock = parseLock(text);
  // After a power cut a lock may be empty, and the process that wrote it has ended.
  if (lock === undefined) return undefined;
  const { pid, startedAt: since } = lock;
  // A pid is given out again; with the time of its start it is not.
  return isRunning(pid) && startedAt(pid) === since ? pid : undefined;
}

/**
 * @param {string} text
 * @returns {{ pid: number, startedAt?: string | undefined } | undefined}
 */
function parseLock(text) {
  try {
    const lock = /** @type {{ pid?: number, startedAt?: string } | null} */ (JSON.parse(text));
    const pid = lock?.pid;
    return pid === undefined || !Number.isInteger(pid) || pid <= 0 ? undefined : { ...lock, pid };
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/**
 * Gives a file, with all that is in it, a second name that nobody had.
 * @param {string} from
 * @param {string} to
 */
function link(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/**
 * @param {string} stateDir
 * @param {number} number
 */
function removeBelow(stateDir, number) {
  for (const other of numbers(stateDir)) {
    if (other > 0 && other < number) rmSync(lockPath(stateDir, other), { force: true });
  }
}

/**
 * Whether a file or folder is still the one it was: deleted, moved or made again, it is not.
 * @param {string} path
 */
export function identityOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
}
