import { type Random, randomFrom } from "../random";
import { PartyClient } from "../sockets";
import { mint } from "../tokens";
import { eventually, pause } from "../waiting";
import { Acknowledged } from "./acknowledged";
import { storedPoints } from "./database";
import { Deployment, type PlatformName } from "./deployment";
import { Desk } from "./desk";
import { Person, untruths } from "./person";
import { Storm } from "./storm";

const ROOM = "chaos";
/** At once under way, as from several desks. */
const DESKS = 6;
/** So many come in at once, before anything breaks. */
const AT_ONCE = 20;
/** A call that is given up, and the pauses after some that failed, come to so much at most. */
const SETTLE_MS = 120_000;

export interface Plan {
  platform: PlatformName;
  seed: number;
  players: number;
  /** With our own client, all through it. */
  people: number;
  /** At least so many, and more while blows still fall. */
  awards: number;
  /** At least so many; with `minutes`, as many as come to pass within that time. */
  blows: number;
  minutes?: number;
}

export interface Sums {
  acknowledged: number;
  room: number;
  database: number;
  /** Players whose three totals are not one: [player, acknowledged, the room's, the database's]. */
  differing: [string, number, number, number][];
}

/** One room, its players, and awards that are sent until they are acknowledged, while blows fall. */
export class ChaosRun {
  readonly deployment: Deployment;
  readonly acknowledged = new Acknowledged();
  readonly storm: Storm;
  readonly #random: Random;
  readonly #players: string[];
  #people: Person[] = [];
  #desks: Desk[] = [];

  constructor(readonly plan: Plan) {
    this.#random = randomFrom(plan.seed);
    this.deployment = new Deployment(plan.platform, this.#random);
    this.storm = new Storm(this.deployment, this.#random, plan, () => this.acknowledged.awards);
    this.#players = Array.from({ length: plan.players }, (_, n) => `player-${n}`);
  }

  async play(): Promise<void> {
    const token = await mint({ sub: "desk", role: "admin" });
    const url = () => `http://${this.deployment.host}/parties/main/${ROOM}`;
    this.#desks = Array.from(
      { length: DESKS },
      (_, n) => new Desk(`desk${n}`, { url, token }, this.acknowledged, this.#random),
    );
    await this.#everybodyIn();
    const address = { host: this.deployment.host, room: ROOM };
    this.#people = Array.from(
      { length: this.plan.people },
      (_, n) => new Person(`person-${n}`, address, this.acknowledged, this.#random, n % 4 === 0),
    );
    await Promise.all(this.#people.map(({ room }) => room.joined()));
    const isOver = () => this.storm.isOver && this.sent >= this.plan.awards;
    await Promise.all([
      ...this.#desks.map((desk) => this.#work(desk, isOver)),
      ...this.#people.map((person) => person.live(isOver, this.#players)),
      this.storm.rage(),
    ]);
  }

  get sent(): number {
    const awards = [...this.#desks.map(({ sent }) => sent), ...this.#people.map(({ awards }) => awards)];
    return awards.reduce((all, some) => all + some, 0);
  }

  get repeats(): number {
    return this.#desks.reduce((all, { repeats }) => all + repeats, 0);
  }

  /** What is not true of what our own clients were told and promised, once it is quiet. */
  async faults(): Promise<string[]> {
    const people = this.#people;
    const settled = Promise.all(people.map((person) => person.promised()));
    const isTooLate = pause(SETTLE_MS).then(() => "too late");
    if ((await Promise.race([settled, isTooLate])) === "too late") {
      const open = people.flatMap(({ user, room }) => room.pending.map(({ id }) => `${user}'s ${id}`));
      return [`Not settled within ${SETTLE_MS} ms: ${open.join(", ")}`];
    }
    const seqs = () => new Set(people.map(({ room }) => room.position.seq));
    await eventually(
      () => people.every(({ room }) => room.status.is === "live") && seqs().size === 1,
      "everybody at the same number",
      SETTLE_MS,
    );
    const verdicts = await Promise.all(people.map(({ room }) => room.verify()));
    const differing = verdicts.flatMap((verdict, n) =>
      verdict.differing.map(
        (feature) => `person-${n}'s ${feature} differs from the room's at ${verdict.seq}`,
      ),
    );
    return [...differing, ...(await untruths(people))];
  }

  /** What our own clients were promised, by how it ended. */
  async promises(): Promise<{ done: number; refused: number; unknown: number }> {
    const all = (await Promise.all(this.#people.map((person) => person.promised()))).flat();
    const count = (what: string) => all.filter(({ is }) => is === what).length;
    return { done: count("done"), refused: count("refused"), unknown: count("unknown") };
  }

  /** By player, and added up. */
  async sums(): Promise<Sums> {
    const rooms = new Map<string, number>();
    const [desk] = this.#desks;
    for (const player of this.#players) rooms.set(player, (await desk?.totalOf(player)) ?? Number.NaN);
    let database = new Map<string, number>();
    const of = (player: string): [string, number, number, number] => [
      player,
      this.acknowledged.of(player),
      rooms.get(player) ?? Number.NaN,
      database.get(player) ?? 0,
    ];
    await eventually(
      async () => {
        database = await storedPoints(this.deployment.server("worker").dataDir);
        return this.#players.map(of).every(([, , room, stored]) => room === stored);
      },
      "the database to have it all",
      SETTLE_MS,
    ).catch(() => {});
    const add = (column: 1 | 2 | 3) => this.#players.reduce((sum, player) => sum + of(player)[column], 0);
    return {
      acknowledged: add(1),
      room: add(2),
      database: add(3),
      differing: this.#players
        .map(of)
        .filter(([player, , room, stored]) => room !== stored || !this.acknowledged.allows(player, room)),
    };
  }

  async stop(): Promise<void> {
    for (const { room } of this.#people) room.leave();
    await this.deployment.stop();
  }

  /** Points go to whom the room knows: everybody comes in once, and has a first point before anything breaks. */
  async #everybodyIn(): Promise<void> {
    const [desk] = this.#desks;
    for (let from = 0; from < this.#players.length; from += AT_ONCE) {
      const some = this.#players.slice(from, from + AT_ONCE).map(async (player) => {
        const token = await mint({ sub: player, name: player });
        const seat = new PartyClient(this.deployment.host, { room: ROOM, token });
        await seat.welcome();
        await desk?.give(player, 1);
        seat.close();
      });
      await Promise.all(some);
    }
  }

  async #work(desk: Desk, isOver: () => boolean): Promise<void> {
    while (!isOver()) await desk.give(this.#random.pick(this.#players), this.#random.below(20) - 4);
  }
}
