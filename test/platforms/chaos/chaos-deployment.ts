import { addressRates } from "../../../src/protocol/rates";
import { CuttingProxy, type Direction, type ProxiedConnection } from "../../support/cutting-proxy";
import { freePort } from "../../support/ports";
import { type Server, startCloudflare, startPartyKit } from "../../support/servers";
import { SmallDisk } from "../../support/small-disk";
import type { Random } from "../random";
import { AUTH_SECRET } from "../tokens";
import { pause } from "../waiting";

export type PlatformName = "cloudflare" | "partykit";
/** On Cloudflare they are one. */
export type ServerRole = "rooms" | "worker";

const LIMITS_OFF = Object.fromEntries(Object.values(addressRates).map(({ variable }) => [variable, "0"]));
const ENV = {
  ...LIMITS_OFF,
  CHAT_LIMIT: "0",
  ACTION_LIMIT: "0",
  GUESTS: "on",
  AUTH_SECRET,
  BATCH_SECRET: "a secret of the chaos run: 32 bytes and more",
  FLUSH_MS: "400",
  LEAVE_GRACE_MS: "2000",
};
const APPLIED_BEFORE = /had been applied, and its answer was lost/g;
const REFUSED_WRITE = /A write failed|disk is full|SQLITE_FULL/g;

/** The servers of one platform with their proxies and their disk: what runs, and can be hit. */
export class ChaosDeployment {
  readonly #servers = new Map<ServerRole, Server>();
  #earlierLogs = "";
  /** Messages about servers that were started and never answered. */
  readonly failedStarts: string[] = [];
  /** Between the players and the rooms; and between the rooms and the worker, where those are two. */
  #clients: CuttingProxy | undefined;
  #link: CuttingProxy | undefined;
  #disk: SmallDisk | string = "it was not requested";
  /** Is called once, when the next answer to a batch comes by on its way to the room. */
  #onBatchResponse: ((line: ProxiedConnection) => void) | undefined;
  readonly #batchConnections = new WeakSet<ProxiedConnection>();

  constructor(
    readonly platform: PlatformName,
    private readonly random: Random,
  ) {}

  async start(): Promise<void> {
    const disk = SmallDisk.mount();
    this.#disk = disk;
    const at = (folder: string) => (typeof disk === "string" ? {} : { dataDir: `${disk.folder}/${folder}` });
    const isOne = this.platform === "cloudflare";
    const main = isOne ? { main: "test/support/far-database/worker.ts" } : {};
    const worker = await startCloudflare({ env: ENV, ...main, ...at("worker") });
    this.#servers.set("worker", worker);
    let rooms = worker;
    if (!isOne) {
      const sees = (line: ProxiedConnection, way: Direction, piece: Buffer) =>
        this.#onChunk(line, way, piece);
      this.#link = await new CuttingProxy({ port: worker.port, random: this.random, onChunk: sees }).start();
      const env = { ...ENV, SCOREBOARD_URL: `http://${this.#link.host}` };
      rooms = await startPartyKit({ env, port: await freePort(), ...at("rooms") });
    }
    this.#servers.set("rooms", rooms);
    this.#clients = await new CuttingProxy({ port: rooms.port, random: this.random }).start();
  }

  async stop(): Promise<void> {
    await this.#clients?.stop();
    await this.#link?.stop();
    for (const server of new Set(this.#servers.values())) await server.stop();
    if (typeof this.#disk !== "string") this.#disk.unmount();
  }

  /** The proxy's address, which players use as the rooms'. */
  get host(): string {
    return this.clients.host;
  }

  get clients(): CuttingProxy {
    if (!this.#clients) throw new Error("Nothing has been started.");
    return this.#clients;
  }

  get link(): CuttingProxy | undefined {
    return this.#link;
  }

  /** Or why there is none. */
  get disk(): SmallDisk | string {
    return this.#disk;
  }

  server(part: ServerRole): Server {
    const server = this.#servers.get(part);
    if (!server) throw new Error(`There are no ${part}.`);
    return server;
  }

  /** As a crash or a power cut would. */
  async kill(part: ServerRole): Promise<void> {
    await this.server(part).kill9();
    await this.startAgain(part);
  }

  /** An orderly stop. */
  async restart(part: ServerRole): Promise<void> {
    await this.server(part).stop();
    await this.startAgain(part);
  }

  /** Starts stopped servers again, on the same port and state. */
  async startAgain(part: ServerRole): Promise<void> {
    const before = this.server(part);
    // Once in some hundred starts `partykit dev` says that it starts, and never listens: the run starts it again.
    const after = await before.restart().catch((error: Error) => {
      this.failedStarts.push(error.message);
      return before.restart();
    });
    this.#earlierLogs += before.log();
    for (const [name, server] of this.#servers) if (server === before) this.#servers.set(name, after);
  }

  /** Alive, but stopped: it neither reads nor answers. */
  async stall(part: ServerRole, ms: number): Promise<void> {
    const { pid } = this.server(part);
    process.kill(-pid, "SIGSTOP");
    await pause(ms);
    process.kill(-pid, "SIGCONT");
  }

  /** Acts at the moment when the worker has answered a batch and the answer has not reached the room. Returns whether it came. */
  async atBatchResponse(act: (line: ProxiedConnection) => void, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#onBatchResponse = undefined;
        resolve(false);
      }, withinMs);
      this.#onBatchResponse = (line) => {
        clearTimeout(timer);
        act(line);
        resolve(true);
      };
    });
  }

  /** Batches that D1 had applied and that came again: the faults between its commit and its answer. */
  get lostResponses(): number {
    return this.#countInLog(APPLIED_BEFORE);
  }

  /** Writes that a full disk refused, by the servers' logs. */
  get rejectedWrites(): number {
    return this.#countInLog(REFUSED_WRITE);
  }

  /** Everything that they have printed over all starts. */
  get log(): string {
    return this.#earlierLogs + [...new Set(this.#servers.values())].map((server) => server.log()).join("");
  }

  #countInLog(pattern: RegExp): number {
    return this.log.match(pattern)?.length ?? 0;
  }

  #onChunk(line: ProxiedConnection, way: Direction, piece: Buffer): void {
    if (way === "up") {
      if (piece.includes("POST /v1/batches")) this.#batchConnections.add(line);
      else if (piece.includes("POST /v1/")) this.#batchConnections.delete(line);
      return;
    }
    if (!this.#batchConnections.has(line)) return;
    const then = this.#onBatchResponse;
    this.#onBatchResponse = undefined;
    then?.(line);
  }
}
