import { openBoardBook } from "../../src/boards/board-book";
import { BanKeeper } from "../../src/platform/bans/ban-keeper";
import { databaseSink } from "../../src/platform/points/database-sink";
import type { Json } from "../../src/protocol/messages";
import type { Random } from "../platforms/random";
import { BanModel } from "./ban-model";
import { SimulatedDatabase } from "./database";
import type { Deployment } from "./deployment";
import { type Machine, runIn } from "./platform-globals";
import { Scoreboard } from "./scoreboard";
import { ObjectEnded, SimulatedUsers } from "./simulated-users";

/** The worker and its database: what rooms reach by their errands. Its own clock is right. */
export class Outside implements Machine {
  readonly database = new SimulatedDatabase();
  readonly bans = new BanModel();
  readonly scoreboard: Scoreboard;
  readonly #keeper: BanKeeper;
  readonly #sink;
  readonly users: SimulatedUsers;

  constructor(private readonly deployment: Deployment) {
    const d1 = this.database as unknown as ConstructorParameters<typeof BanKeeper>[0];
    const [kind] = deployment.kinds;
    this.scoreboard = new Scoreboard(deployment, this.database, this.bans);
    this.users = new SimulatedUsers(deployment, this, d1);
    this.#keeper = new BanKeeper(d1, this.users.namespace, async () => {});
    this.#sink = databaseSink(d1, openBoardBook([kind]));
  }

  get now(): number {
    return Math.floor(this.deployment.clock.now);
  }

  get chance(): Random {
    return this.deployment.chance;
  }

  complained(said: unknown[]): void {
    const text = said.map(String).join(" ");
    // A room's promise that was refused while the worker had its turn.
    if (/The disk (refused|cannot be read)/.test(text)) return;
    this.deployment.breach(13, `in the worker: ${text}`);
  }

  setTimeout(run: () => void, ms: number): () => void {
    return this.deployment.clock.in(ms, run);
  }

  /** Points, by the worker's own statements; `isGhost`: from a call that nobody waits for any more. */
  takeBatch(id: string, ask: Json, isGhost: boolean): Promise<Json> {
    return runIn(this, async () => {
      const answer = await this.#sink({ kind: "main", id }, ask, new AbortController().signal);
      this.scoreboard.applied(ask, answer, isGhost);
      return answer;
    });
  }

  tellPlaces(id: string, ask: Json): Promise<Json> {
    return runIn(this, () => this.#keeper.places("cloudflare", { kind: "main", id }, ask));
  }

  writeBans(id: string, ask: Json): Promise<Json> {
    return runIn(this, () => this.#keeper.writes({ kind: "main", id }, ask));
  }

  /** An admin's, over HTTP, who may never hear how it went. */
  async banOverHttp(user: string, untilMs: number | null): Promise<void> {
    const ban = { user, by: "root", at: this.now, reason: null, untilMs };
    await this.#unheard(() => this.#keeper.put(ban));
  }

  async liftOverHttp(user: string): Promise<void> {
    await this.#unheard(() => this.#keeper.lift(user, "root", this.now));
  }

  async #unheard(work: () => Promise<unknown>): Promise<void> {
    try {
      await runIn(this, work);
    } catch (error) {
      if (!(error instanceof ObjectEnded)) throw error;
    }
  }
}
