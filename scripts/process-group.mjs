import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/**
 * @typedef {object} Command
 * @property {string} file
 * @property {string[]} args
 * @property {string} cwd
 * @property {Record<string, string | undefined>} env
 *
 * @typedef {object} ProcessGroup a command with everything it starts: `partykit dev` alone is four processes
 * @property {number} pid of the command, and so the name of its group
 * @property {Promise<string>} ended how the command ended, in words; it never rejects
 * @property {() => Promise<void>} stop asks first, insists after `STOP_MS`; resolves when nothing of the group runs
 * @property {() => Promise<void>} kill at once, as a crash or a power cut would
 */

/** How long a server may take to close what it has open. */
const STOP_MS = 3_000;

/**
 * Starts a command in a process group of its own: a Ctrl-C at the terminal then reaches us alone, and we decide.
 * @param {Command} command
 * @param {(chunk: string) => void} onOutput
 * @returns {ProcessGroup}
 */
export function startGroup(command, onOutput) {
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.setEncoding("utf8").on("data", onOutput);
  child.stderr.setEncoding("utf8").on("data", onOutput);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command.file} could not be started`);

  const watchdog = onParentExit('kill -s KILL -- "-$0"', String(pid));
  const ended = new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ? `by ${signal}` : `with code ${code}`));
  });

  const waitUntilGone = async (/** @type {number} */ withinMs) => {
    const deadline = Date.now() + withinMs;
    while (isAlive(pid)) {
      if (Date.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return true;
  };
  const kill = async () => {
    signalGroup(pid, "SIGKILL");
    await waitUntilGone(STOP_MS);
    watchdog.kill("SIGKILL");
  };
  const stop = async () => {
    signalGroup(pid, "SIGTERM");
    if (await waitUntilGone(STOP_MS)) watchdog.kill("SIGKILL");
    else await kill();
  };
  return { pid, ended, stop, kill };
}

/**
 * A shell that does something when this process is gone, however it went. Whoever is killed outright runs no handler of its
 * own; but the pipe that the shell reads from then closes.
 * @param {string} script
 * @param {string} subject `$0` in the script
 */
export function onParentExit(script, subject) {
  const watchdog = spawn("sh", ["-c", `read -r _; ${script}`, subject], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.unref();
  /** @type {import("node:net").Socket} */ (watchdog.stdin).unref();
  return watchdog;
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/**
 * Whether anything of the group still runs.
 * @param {number} pid
 */
export function isAlive(pid) {
  const members = groupMembers(pid);
  if (members !== undefined) return members.some((member) => member.state !== "Z" && member.state !== "X");
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * The processes of a group, from Linux's /proc; `undefined` where there is none.
 * @param {number} group
 */
export function groupMembers(group) {
  let names;
  try {
    names = readdirSync("/proc");
  } catch {
    return undefined;
  }
  const members = [];
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readStat(name);
    if (stat?.group === group) members.push(stat);
  }
  return members;
}

/**
 * When a process began, in ticks of Linux's clock; `undefined` where there is no /proc, and where there is no such process.
 * @param {number} pid
 */
export function startedAt(pid) {
  return readStat(String(pid))?.startedAt;
}

/** @param {string} pid */
function readStat(pid) {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // it ended while we were reading the list
  }
  // A command's name may hold blanks and brackets: fields count from behind it. See proc(5).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid: Number(pid),
    name: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")),
    state: fields[0],
    group: Number(fields[2]),
    startedAt: fields[19],
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    residentPages: Number(fields[21]),
  };
}
