import { type Random, randomFrom } from "../random";
import { PartyClient } from "../sockets";
import { mintToken } from "../tokens";
import { eventually, pause } from "../waiting";
import { AckedAwards } from "./acked-awards";
import { AwardClient } from "./award-client";
import { ChaosClient, findViolations } from "./chaos-client";
import { ChaosDeployment, type PlatformName } from "./chaos-deployment";
import { readStoredPoints } from "./database";
import { FaultSchedule } from "./fault-schedule";

const ROOM = "chaos";
/** Clients that award points at the same time. */
const AWARD_CLIENTS = 6;
/** So many players join at once, before the first fault. */
const JOIN_CONCURRENCY = 20;
/** The longest time for a call that is given up and the pauses after failed ones. */
const SETTLE_MS = 120_000;

export interface ChaosPlan {
  platform: PlatformName;
  seed: number;
  players: number;
  /** Our own clients, connected all through the run. */
  clients: number;
  /** At least so many, and more while faults go on. */
  awards: number;
  /** At least so many; with `minutes`, as many as that time allows. */
  faults: number;
  minutes?: number;
}

export interface PointTotals {
  acknowledged: number;
  room: number;
  database: number;
  /** Players whose three totals are not one: [player, acknowledged, the room's, the database's]. */
  differing: [string, number, number, number][];
}

/** One room, its players, and awards that are sent until they are acknowledged, while faults are injected. */
export class ChaosRun {
  readonly deployment: ChaosDeployment;
  readonly ackedAwards = new AckedAwards();
  readonly schedule: FaultSchedule;
  readonly #random: Random;
  readonly #players: string[];
  #clients: ChaosClient[] = [];
  #awardClients: AwardClient[] = [];

  constructor(readonly plan: ChaosPlan) {
    this.#random = randomFrom(plan.seed);
    this.deployment = new ChaosDeployment(plan.platform, this.#random);
    this.schedule = new FaultSchedule(this.deployment, this.#random, plan, () => this.ackedAwards.awards);
    this.#players = Array.from({ length: plan.players }, (_, n) => `player-${n}`);
  }

  async run(): Promise<void> {
    const token = await mintToken({ sub: "awarder", role: "admin" });
    const url = () => `http://${this.deployment.host}/parties/main/${ROOM}`;
    this.#awardClients = Array.from(
      { length: AWARD_CLIENTS },
      (_, n) => new AwardClient(`awarder${n}`, { url, token }, this.ackedAwards, this.#random),
    );
    await this.#joinPlayers();
    const address = { host: this.deployment.host, room: ROOM };
    this.#clients = Array.from(
      { length: this.plan.clients },
      (_, n) => new ChaosClient(`person-${n}`, address, this.ackedAwards, this.#random, n % 4 === 0),
    );
    await Promise.all(this.#clients.map(({ room }) => room.joined()));
    const isOver = () => this.schedule.isOver && this.sentCount >= this.plan.awards;
    await Promise.all([
      ...this.#awardClients.map((client) => this.#awardUntil(client, isOver)),
      ...this.#clients.map((client) => client.run(isOver, this.#players)),
      this.schedule.run(),
    ]);
  }

  get sentCount(): number {
    const awards = [
      ...this.#awardClients.map(({ sentCount: sent }) => sent),
      ...this.#clients.map(({ awards }) => awards),
    ];
    return awards.reduce((all, some) => all + some, 0);
  }

  get resendCount(): number {
    return this.#awardClients.reduce((all, { resendCount: repeats }) => all + repeats, 0);
  }

  /** What our own clients received or were promised that is not true, once the room is quiet. */
  async findViolations(): Promise<string[]> {
    const clients = this.#clients;
    const settled = Promise.all(clients.map((client) => client.settledActions()));
    const isTooLate = pause(SETTLE_MS).then(() => "too late");
    if ((await Promise.race([settled, isTooLate])) === "too late") {
      const open = clients.flatMap(({ user, room }) => room.pending.map(({ id }) => `${user}'s ${id}`));
      return [`Not settled within ${SETTLE_MS} ms: ${open.join(", ")}`];
    }
    const seqs = () => new Set(clients.map(({ room }) => room.position.seq));
    await eventually(
      () => clients.every(({ room }) => room.status.is === "live") && seqs().size === 1,
      "all clients at the same number",
      SETTLE_MS,
    );
    const verdicts = await Promise.all(clients.map(({ room }) => room.verify()));
    const differing = verdicts.flatMap((verdict, n) =>
      verdict.differing.map(
        (feature) => `person-${n}'s ${feature} differs from the room's at ${verdict.seq}`,
      ),
    );
    return [...differing, ...(await findViolations(clients))];
  }

  /** The promises of our own clients, by outcome. */
  async countOutcomes(): Promise<{ done: number; refused: number; unknown: number }> {
    const all = (await Promise.all(this.#clients.map((client) => client.settledActions()))).flat();
    const count = (what: string) => all.filter(({ is }) => is === what).length;
    return { done: count("done"), refused: count("refused"), unknown: count("unknown") };
  }

  /** By player, and added up. */
  async readTotals(): Promise<PointTotals> {
    const rooms = new Map<string, number>();
    const [awarder] = this.#awardClients;
    for (const player of this.#players) rooms.set(player, (await awarder?.readTotal(player)) ?? Number.NaN);
    let database = new Map<string, number>();
    const of = (player: string): [string, number, number, number] => [
      player,
      this.ackedAwards.pointsOf(player),
      rooms.get(player) ?? Number.NaN,
      database.get(player) ?? 0,
    ];
    await eventually(
      async () => {
        database = await readStoredPoints(this.deployment.server("worker").dataDir);
        return this.#players.map(of).every(([, , room, stored]) => room === stored);
      },
      "the database to have all points",
      SETTLE_MS,
    ).catch(() => {});
    const add = (column: 1 | 2 | 3) => this.#players.reduce((sum, player) => sum + of(player)[column], 0);
    return {
      acknowledged: add(1),
      room: add(2),
      database: add(3),
      differing: this.#players
        .map(of)
        .filter(([player, , room, stored]) => room !== stored || !this.ackedAwards.allows(player, room)),
    };
  }

  async stop(): Promise<void> {
    for (const { room } of this.#clients) room.leave();
    await this.deployment.stop();
  }

  /** Only members can have points: every player joins once, and gets a first point before the first fault. */
  async #joinPlayers(): Promise<void> {
    const [awarder] = this.#awardClients;
    for (let from = 0; from < this.#players.length; from += JOIN_CONCURRENCY) {
      const some = this.#players.slice(from, from + JOIN_CONCURRENCY).map(async (player) => {
        const token = await mintToken({ sub: player, name: player });
        const seat = new PartyClient(this.deployment.host, { room: ROOM, token });
        await seat.waitForWelcome();
        await awarder?.award(player, 1);
        seat.close();
      });
      await Promise.all(some);
    }
  }

  async #awardUntil(client: AwardClient, isOver: () => boolean): Promise<void> {
    while (!isOver()) await client.award(this.#random.pick(this.#players), this.#random.below(20) - 4);
  }
}
