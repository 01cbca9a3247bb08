import { Crowd } from "./crowd.mjs";
import { sampleTalk } from "./load.mjs";
import { RunningServer } from "./server.mjs";
import { freePort, openDataDir } from "./subjects.mjs";

/** Left alone between two samples, for collectors and checkpoints of both sides. */
const PAUSE_MS = 300;

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A subject with its crowd: set up when first needed, and again whenever a sample has left it in no state to go on. */
export class Harness {
  /** @type {{ server: RunningServer, crowd: Crowd, dataDir: { remove(): void } } | undefined} */ #up;
  /** How long its rooms have talked since they were set up. */
  loadedMs = 0;

  /**
   * @param {import("./subjects.mjs").Subject} subject
   * @param {import("./scenarios.mjs").Scenario} scenario
   * @param {{ throughProxy: boolean, seed: number }} options
   */
  constructor(subject, scenario, options) {
    this.subject = subject;
    this.scenario = scenario;
    this.options = options;
  }

  /**
   * One sample; once more if something other than the subject spoiled it.
   * @param {{ rate: number, warmMs: number, windowMs: number }} load
   */
  async sample(load) {
    const sample = await this.sampleOnce(load);
    if (sample.void.length === 0 || sample.generatorLimited) return sample;
    const again = await this.sampleOnce(load);
    return again.void.length <= sample.void.length ? again : sample;
  }

  /** One sample, whatever spoiled it. @param {{ rate: number, warmMs: number, windowMs: number }} load */
  async sampleOnce(load) {
    this.#up ??= await this.#set();
    await sleep(PAUSE_MS);
    const { crowd, server } = this.#up;
    const sample = await sampleTalk(crowd, server, { ...load, seed: this.options.seed });
    this.loadedMs += load.warmMs + load.windowMs;
    if (crowd.isBroken)
      sample.failures.push(`sockets were lost; the server's last words: ${server.output.slice(-300)}`);
    if (crowd.isBroken || sample.missing > 0) await this.tearDown();
    return sample;
  }

  async #set() {
    const dataDir = openDataDir();
    const port = await freePort();
    const recipe = {
      ...this.subject.recipe(port, dataDir.path),
      port,
      throughProxy: this.options.throughProxy,
    };
    const server = await RunningServer.start(recipe).catch((error) => {
      dataDir.remove();
      throw error;
    });
    const crowd = new Crowd(this.subject.adapter, this.scenario);
    this.#up = { server, crowd, dataDir };
    await crowd.connect(server.port).catch((error) => {
      throw new Error(
        `the crowd could not come in (${error.message}); the server's last words:\n${server.output}`,
      );
    });
    return this.#up;
  }

  async tearDown() {
    const up = this.#up;
    this.#up = undefined;
    this.loadedMs = 0;
    up?.crowd.close();
    await up?.server.stop();
    up?.dataDir.remove();
  }
}
