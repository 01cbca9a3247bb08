import { removeEmptyObjects } from "./empty-objects.mjs";
import { makeEnvFile, readEnvFile } from "./env-file.mjs";
import { readEnvironment } from "./environment.mjs";
import { createLogFilter } from "./log-filter.mjs";
import { openFilesWarning } from "./open-files.mjs";
import { buildPages, watchPages } from "./pages.mjs";
import { isBusy } from "./port.mjs";
import { startGroup } from "./process-group.mjs";
import { watchServer } from "./server-watch.mjs";
import { lockedSentence, lockState } from "./state-lock.mjs";

/**
 * @typedef {object} DevServer
 * @property {string} name what stands before each of its lines
 * @property {number} port
 * @property {string} portVariable what to set when that port is busy
 * @property {string} stateDir where its state lives; no other server may have it open
 * @property {string} [upkeepPath] what does the deployment's hourly work when it is asked for: no cron trigger rings on one's own machine
 * @property {() => Promise<void>} [prepare]
 * @property {() => import("./process-group.mjs").Command} command
 */

/**
 * Starts servers, and stops all of them at Ctrl-C or when one of them ends by itself. Never returns.
 * @param {(environment: import("./environment.mjs").Environment) => [DevServer, ...DevServer[]]} plan the first server's
 *   address is the one to open
 */
export async function runDevServers(plan) {
  const stop = new AbortController();
  // npm hands on a Ctrl-C that the terminal has sent us already: the second one means nothing.
  process.on("SIGINT", () => stop.abort());
  process.on("SIGTERM", () => stop.abort());
  stopWithParent(stop);

  /** @type {(() => void | Promise<void>)[]} */
  const undo = [];
  try {
    await Promise.race([waitForAbort(stop.signal), run(plan, stop.signal, undo)]);
  } catch (problem) {
    process.exitCode = 1;
    console.error(problem instanceof Error ? problem.message : String(problem));
  }
  stop.abort();
  await Promise.all(undo.map((step) => step()));
  process.exit();
}

/**
 * @param {Parameters<typeof runDevServers>[0]} plan
 * @param {AbortSignal} stopped
 * @param {(() => void | Promise<void>)[]} undo
 */
async function run(plan, stopped, undo) {
  makeEnvFile();
  const result = await readEnvironment(process.env, readEnvFile());
  if (!result.ok) throw new Error(result.problems.join("\n"));
  const servers = plan(result.environment);
  await refuseBusyPorts(servers);
  const locks = servers.map(({ stateDir }) => lock(stateDir));
  for (const { stateDir } of servers) await removeEmptyObjects(stateDir);
  const warning = openFilesWarning();
  if (warning !== undefined) console.error(warning);

  await buildPages();
  undo.push(watchPages(createPagesReporter()));
  for (const server of servers) await server.prepare?.();
  if (stopped.aborted) return;

  const groups = servers.map(({ name, command }) => {
    const show = createLogFilter(name, console.log, { colours: process.stdout.isTTY === true });
    const group = startGroup(command(), show);
    undo.push(group.stop);
    return { ...group, ended: group.ended.finally(() => show("\n")) };
  });
  const ends = servers.map(async ({ name }, index) => {
    const how = await groups[index]?.ended;
    if (!stopped.aborted)
      throw new Error(`The ${name} server ended by itself, ${how}; everything else is stopped too.`);
  });
  const urls = servers.map(({ port }) => `http://127.0.0.1:${port}`);
  const readyAndWell = Promise.all(urls.map((url) => waitUntilReady(url, stopped))).then(async () => {
    if (stopped.aborted) return;
    console.log(`ready ${urls[0]}`);
    ringHourly(servers, stopped);
    const watches = servers.map(async ({ name, stateDir }, index) => {
      const { pid } = /** @type {import("./process-group.mjs").ProcessGroup} */ (groups[index]);
      const server = { name, url: String(urls[index]), pid, stateDir, lock: String(locks[index]) };
      const problem = await watchServer(server, stopped, console.error);
      if (problem !== undefined) throw new Error(`${problem} Everything else is stopped too.`);
    });
    await Promise.all(watches);
  });
  await Promise.all([...ends, readyAndWell]);
}

/** @param {string} stateDir */
function lock(stateDir) {
  const locked = lockState(stateDir);
  if (!locked.ok) throw new Error(lockedSentence(stateDir, locked.pid));
  return locked.path;
}

const HOUR_MS = 3_600_000;

/**
 * What a deployment's cron trigger does each hour.
 * @param {DevServer[]} servers
 * @param {AbortSignal} stopped
 */
function ringHourly(servers, stopped) {
  const ring = async () => {
    for (const { name, port, upkeepPath } of servers) {
      if (upkeepPath === undefined) continue;
      const answer = await fetch(`http://127.0.0.1:${port}${upkeepPath}`, { signal: stopped }).catch(
        () => undefined,
      );
      if (answer?.ok !== true && !stopped.aborted)
        console.error(`${name} │ the hourly upkeep failed; the next is in an hour`);
    }
  };
  void ring();
  setInterval(ring, HOUR_MS).unref();
}

/** @param {DevServer[]} servers */
async function refuseBusyPorts(servers) {
  const problems = [];
  for (const { name, port, portVariable } of servers) {
    if (!(await isBusy(port))) continue;
    problems.push(
      `Port ${port}, which the ${name} server would use, is busy: stop what listens there or set ${portVariable}.`,
    );
  }
  const twice = servers.find(
    ({ port }, index) => servers.findIndex((other) => other.port === port) !== index,
  );
  if (twice) problems.push(`${twice.portVariable} is ${twice.port}, which another server would use too.`);
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/** Says when the pages cannot be built, and when they can again. */
function createPagesReporter() {
  let broken = false;
  return (/** @type {string | undefined} */ problem) => {
    if (problem !== undefined) console.error(`pages │ ${problem}`);
    else if (broken) console.log("pages │ built again");
    broken = problem !== undefined;
  };
}

/**
 * Resolves when a server really answers, not merely listens: 503 is an answer of /health.
 * @param {string} url
 * @param {AbortSignal} stopped
 */
async function waitUntilReady(url, stopped) {
  while (!stopped.aborted) {
    try {
      const { status } = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) });
      if (status < 500 || status === 503) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/**
 * A signal sent to npm alone may end npm and its shell without ever reaching us.
 * @param {AbortController} stop
 */
function stopWithParent(stop) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop.abort(), 500).unref();
}

/** @param {AbortSignal} signal */
function waitForAbort(signal) {
  return new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
