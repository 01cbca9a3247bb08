import { addressRates } from "../../../src/protocol/rates";
import { CuttingProxy, type Line, type Way } from "../../support/cutting-proxy";
import { freePort } from "../../support/ports";
import { type Server, startCloudflare, startPartyKit } from "../../support/servers";
import { SmallDisk } from "../../support/small-disk";
import type { Random } from "../random";
import { AUTH_SECRET } from "../tokens";
import { pause } from "../waiting";

export type PlatformName = "cloudflare" | "partykit";
/** On Cloudflare they are one. */
export type Part = "rooms" | "worker";

const OFF = Object.fromEntries(Object.values(addressRates).map(({ variable }) => [variable, "0"]));
const ENV = {
  ...OFF,
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
export class Deployment {
  readonly #servers = new Map<Part, Server>();
  #earlierLives = "";
  /** What was said of servers that were started and never answered. */
  readonly deadStarts: string[] = [];
  /** Between the players and the rooms; and between the rooms and the worker, where those are two. */
  #clients: CuttingProxy | undefined;
  #link: CuttingProxy | undefined;
  #disk: SmallDisk | string = "it was not asked for";
  /** Is called once, when the next answer to a batch comes by on its way to the room. */
  #atAnswer: ((line: Line) => void) | undefined;
  readonly #asking = new WeakSet<Line>();

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
      const sees = (line: Line, way: Way, piece: Buffer) => this.#seen(line, way, piece);
      this.#link = await new CuttingProxy({ port: worker.port, random: this.random, sees }).start();
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

  /** What players take for the rooms. */
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

  server(part: Part): Server {
    const server = this.#servers.get(part);
    if (!server) throw new Error(`There are no ${part}.`);
    return server;
  }

  /** As a crash or a power cut would. */
  async kill(part: Part): Promise<void> {
    await this.server(part).kill9();
    await this.comeBack(part);
  }

  /** In order: they are asked to stop. */
  async restart(part: Part): Promise<void> {
    await this.server(part).stop();
    await this.comeBack(part);
  }

  /** Another life of what does not run any more, on the same port and state. */
  async comeBack(part: Part): Promise<void> {
    const before = this.server(part);
    // Once in some hundred starts `partykit dev` says that it starts, and never listens: whoever runs it starts it again.
    const after = await before.restart().catch((error: Error) => {
      this.deadStarts.push(error.message);
      return before.restart();
    });
    this.#earlierLives += before.log();
    for (const [name, server] of this.#servers) if (server === before) this.#servers.set(name, after);
  }

  /** Alive, and deaf and dumb. */
  async stall(part: Part, ms: number): Promise<void> {
    const { pid } = this.server(part);
    process.kill(-pid, "SIGSTOP");
    await pause(ms);
    process.kill(-pid, "SIGCONT");
  }

  /** Does something at the moment at which the worker has answered a batch and the room has not heard it. Answers whether it came. */
  async atAnswer(what: (line: Line) => void, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#atAnswer = undefined;
        resolve(false);
      }, withinMs);
      this.#atAnswer = (line) => {
        clearTimeout(timer);
        what(line);
        resolve(true);
      };
    });
  }

  /** Batches that D1 had taken before and that came again: so often a blow fell between its commit and the room's hearing of it. */
  get lostAnswers(): number {
    return this.#told(APPLIED_BEFORE);
  }

  /** What the servers say of a disk that took nothing more. */
  get refusedWrites(): number {
    return this.#told(REFUSED_WRITE);
  }

  /** All that they have printed, in all their lives. */
  get log(): string {
    return this.#earlierLives + [...new Set(this.#servers.values())].map((server) => server.log()).join("");
  }

  #told(what: RegExp): number {
    return this.log.match(what)?.length ?? 0;
  }

  #seen(line: Line, way: Way, piece: Buffer): void {
    if (way === "up") {
      if (piece.includes("POST /v1/batches")) this.#asking.add(line);
      else if (piece.includes("POST /v1/")) this.#asking.delete(line);
      return;
    }
    if (!this.#asking.has(line)) return;
    const then = this.#atAnswer;
    this.#atAnswer = undefined;
    then?.(line);
  }
}
