import type { Json } from "../../src/protocol/messages";
import { BanService } from "../../src/services/bans/ban-service";
import { createDatabaseSink } from "../../src/services/boards/ingest/database-sink";
import { createBoardRegistry } from "../../src/services/boards/store/board-registry";
import type { Random } from "../platforms/random";
import { BanModel } from "./ban-model";
import { SimulatedDatabase } from "./database";
import type { Deployment } from "./deployment";
import { type Machine, runIn } from "./platform-globals";
import { ScoreboardModel } from "./scoreboard-model";
import { ObjectEnded, SimulatedUsers } from "./simulated-users";

/** The worker and its database, which rooms reach by their effects. Its own clock is right. */
export class SimulatedServices implements Machine {
  readonly database = new SimulatedDatabase();
  readonly bans = new BanModel();
  readonly scoreboard: ScoreboardModel;
  readonly #banService: BanService;
  readonly #sink;
  readonly users: SimulatedUsers;

  constructor(private readonly deployment: Deployment) {
    const d1 = this.database as unknown as ConstructorParameters<typeof BanService>[0];
    const [kind] = deployment.releases;
    this.scoreboard = new ScoreboardModel(deployment, this.database, this.bans);
    this.users = new SimulatedUsers(deployment, this, d1);
    this.#banService = new BanService(d1, this.users.namespace, async () => {});
    this.#sink = createDatabaseSink(d1, createBoardRegistry([kind]));
  }

  get now(): number {
    return Math.floor(this.deployment.clock.now);
  }

  get random(): Random {
    return this.deployment.random;
  }

  onLog(said: unknown[]): void {
    const text = said.map(String).join(" ");
    // A room's promise that was refused while the worker had its turn.
    if (/The disk (refused|cannot be read)/.test(text)) return;
    this.deployment.reportBreach(13, `in the worker: ${text}`);
  }

  setTimeout(run: () => void, ms: number): () => void {
    return this.deployment.clock.in(ms, run);
  }

  /** Points, by the worker's own statements; `isGhost`: from a call whose caller no longer waits. */
  applyBatch(id: string, ask: Json, isGhost: boolean): Promise<Json> {
    return runIn(this, async () => {
      const answer = await this.#sink({ kind: "main", id }, ask, new AbortController().signal);
      this.scoreboard.checkBatch(ask, answer, isGhost);
      return answer;
    });
  }

  reportPresence(id: string, ask: Json): Promise<Json> {
    return runIn(this, () => this.#banService.recordPresence("cloudflare", { kind: "main", id }, ask));
  }

  writeBans(id: string, ask: Json): Promise<Json> {
    return runIn(this, () => this.#banService.applyWrites({ kind: "main", id }, ask));
  }

  /** An admin's call over HTTP, whose answer may be lost. */
  async banOverHttp(user: string, untilMs: number | null): Promise<void> {
    const ban = { user, by: "root", at: this.now, reason: null, untilMs };
    await this.#unheard(() => this.#banService.setBan(ban));
  }

  async liftOverHttp(user: string): Promise<void> {
    await this.#unheard(() => this.#banService.liftBan(user, "root", this.now));
  }

  async #unheard(work: () => Promise<unknown>): Promise<void> {
    try {
      await runIn(this, work);
    } catch (error) {
      if (!(error instanceof ObjectEnded)) throw error;
    }
  }
}
