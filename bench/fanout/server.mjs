import { connect } from "node:net";
import { startGroup } from "../../scripts/process-group.mjs";
import { listeningPorts, readProcess, readTree } from "./processor.mjs";

const START_TIMEOUT_MS = 90_000;
const OUTPUT_KEPT = 1500;
const ANSWER_TIMEOUT_MS = 1000;
const PAST_PROXY_TIMEOUT_MS = 20_000;
/** The generator has the machine's first core, the server its second. */
export const GENERATOR_CORE = 0;
const SERVER_CORE = 1;

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @typedef {object} ServerRecipe
 * @property {string[]} command
 * @property {string} cwd
 * @property {number} port
 * @property {Record<string, string>} [env]
 * @property {"workerd"} [runtime] what does the work, where the command starts more than that
 * @property {boolean} [throughProxy] do not go past what the command puts in front of its runtime
 */

/** One subject's server and all the processes it is made of. */
export class RunningServer {
  #group;
  /** The last of what it printed. */
  output = "";
  #ended = false;
  /** What each process counts as: "" for the server itself. @type {Map<number, string>} */
  #roles = new Map();
  /** Where the sockets go. */
  port;

  /** @param {ServerRecipe} recipe */
  constructor(recipe) {
    this.recipe = recipe;
    this.port = recipe.port;
    this.#group = startGroup(
      {
        file: "taskset",
        args: ["-c", String(SERVER_CORE), ...recipe.command],
        cwd: recipe.cwd,
        env: { ...process.env, ...recipe.env },
      },
      (text) => {
        this.output = (this.output + text).slice(-OUTPUT_KEPT);
      },
    );
    this.#group.ended.then(() => {
      this.#ended = true;
    });
  }

  /** @param {ServerRecipe} recipe */
  static async start(recipe) {
    const server = new RunningServer(recipe);
    try {
      await server.#listening();
      await server.#sortProcesses();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async #listening() {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await accepts(this.recipe.port))) {
      if (this.#ended || Date.now() > deadline) {
        throw new Error(`${this.recipe.command.join(" ")} did not start:\n${this.output}`);
      }
      await sleep(100);
    }
  }

  // `wrangler dev` is a Node process, a workerd that runs the worker, and a second workerd in front of it, which lets the
  // first be replaced when a file changes. Deployed there is neither, so the sockets go straight to the workerd with
  // the rooms, and the other two are told apart.
  async #sortProcesses() {
    // The front's port opens before the worker behind it is there, and answers when it is.
    const { runtime, throughProxy, port } = this.recipe;
    if (runtime !== undefined) await answers(port, START_TIMEOUT_MS);
    const deadline = Date.now() + PAST_PROXY_TIMEOUT_MS;
    while (!(await this.#lookAtProcesses()) && !throughProxy) {
      // The machine may still be busy with what ran before.
      if (Date.now() > deadline) {
        throw new Error(
          "found no way past wrangler's proxy: has a newer wrangler changed how it starts workerd?",
        );
      }
      await sleep(500);
    }
  }

  /** What each process is for, and where the sockets go; answers whether that is past whatever stands in front. */
  async #lookAtProcesses() {
    for (const { pid, command } of readTree(this.#group.pid)) {
      if (this.recipe.runtime === undefined) this.#roles.set(pid, "");
      else if (command !== this.recipe.runtime) this.#roles.set(pid, "node");
      else {
        const ports = listeningPorts(pid);
        const front = ports.includes(this.recipe.port);
        this.#roles.set(pid, front ? "proxy" : "");
        if (front || this.recipe.throughProxy) continue;
        for (const port of ports) {
          if (await answers(port, ANSWER_TIMEOUT_MS)) this.port = port;
        }
      }
    }
    return this.recipe.runtime === undefined || this.port !== this.recipe.port;
  }

  /** Processor seconds so far: of the server, and of what stands beside it. */
  processor() {
    let server = 0;
    /** @type {Record<string, number>} */
    const apart = {};
    for (const [pid, role] of this.#roles) {
      const seconds = readProcess(pid)?.seconds ?? 0;
      if (role === "") server += seconds;
      else apart[role] = (apart[role] ?? 0) + seconds;
    }
    return { server, apart };
  }

  stop() {
    return this.#group.stop();
  }
}

/**
 * Whether a worker answers at a port. (workerd also listens for debuggers and for wrangler itself.)
 * @param {number} port
 * @param {number} timeoutMs
 */
async function answers(port, timeoutMs) {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/parties/none/none`, {
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.arrayBuffer();
    return response.status < 500;
  } catch {
    return false;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
