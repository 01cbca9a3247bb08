import { databaseName } from "../../scripts/migrations.mjs";
import { startGroup } from "../../scripts/process-group.mjs";
import { wrangler } from "../../scripts/wrangler-dev.mjs";
import { CuttingProxy } from "../support/cutting-proxy";
import { freePort } from "../support/ports";
import { type Server, startCloudflare, startPartyKit } from "../support/servers";
import { type Random, randomFrom } from "./random";
import { PartyClient } from "./sockets";
import { OPEN } from "./stage";
import { AUTH_SECRET, mint } from "./tokens";
import { eventually, pause } from "./waiting";

const ROOM = "chaos";
const BATCH_SECRET = "a secret of the chaos run: 32 bytes and more";
/** At once under way, as from several desks. */
const DESKS = 6;
const ENV = {
  ...OPEN,
  AUTH_SECRET,
  BATCH_SECRET,
  FLUSH_MS: "400",
  LEAVE_GRACE_MS: "2000",
  DEBUG_ROOMS: "off",
};

interface Size {
  players: number;
  awards: number;
  /** How often something is killed, stalled or cut. */
  blows: number;
}

/** Where rooms and points live, and what of that can be hit. */
export const runs = [
  {
    name: "Cloudflare",
    start: async (run: ChaosRun) => {
      const server = await startCloudflare({ env: ENV });
      run.use({ rooms: server, worker: server });
    },
  },
  {
    name: "PartyKit",
    start: async (run: ChaosRun) => {
      const [worker, port] = [await startCloudflare({ env: ENV }), await freePort()];
      const proxy = await new CuttingProxy({ port: worker.port, random: run.random }).start();
      const rooms = await startPartyKit({ env: { ...ENV, SCOREBOARD_URL: `http://${proxy.host}` }, port });
      run.use({ rooms, worker, proxy });
    },
  },
] as const;

/** One room, its players, and awards that are sent until they are acknowledged, while blows fall. */
export class ChaosRun {
  readonly random: Random;
  readonly blows: string[] = [];
  sent = 0;
  repeats = 0;
  readonly #acknowledged = new Map<string, number>();
  readonly #players: string[];
  #rooms!: Server;
  #worker!: Server;
  #proxy: CuttingProxy | undefined;
  #token = "";
  #left = 0;

  constructor(
    seed: number,
    private readonly size: Size,
  ) {
    this.random = randomFrom(seed);
    this.#players = Array.from({ length: size.players }, (_, n) => `player-${n}`);
  }

  use({ rooms, worker, proxy }: { rooms: Server; worker: Server; proxy?: CuttingProxy }): void {
    this.#rooms = rooms;
    this.#worker = worker;
    this.#proxy = proxy;
  }

  async play(): Promise<void> {
    this.#token = await mint({ sub: "desk", role: "admin" });
    await this.#everybodyIn();
    this.#left = this.size.awards;
    const desks = Array.from({ length: DESKS }, (_, desk) => this.#desk(desk));
    const storm = this.#storm();
    await Promise.all([...desks, storm]);
  }

  /** By player, and added up. */
  async sums() {
    const rooms = new Map<string, number>();
    // An award of nothing changes nothing, and tells the total.
    for (const player of this.#players)
      rooms.set(player, (await this.#award(player, 0, `look ${player}`)) ?? NaN);
    let database = new Map<string, number>();
    await eventually(
      async () => {
        database = await this.#database();
        return this.#players.every(
          (player) => (database.get(player) ?? 0) === this.#acknowledged.get(player),
        );
      },
      "the database to have it all",
      90_000,
    ).catch(() => {});
    const add = (sums: Map<string, number>) => [...sums.values()].reduce((all, sum) => all + sum, 0);
    return {
      acknowledged: add(this.#acknowledged),
      room: add(rooms),
      database: add(database),
      differing: this.#players
        .map((player) => [
          player,
          this.#acknowledged.get(player),
          rooms.get(player),
          database.get(player) ?? 0,
        ])
        .filter(([, acknowledged, room, stored]) => acknowledged !== room || room !== stored),
    };
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
    await this.#rooms?.stop();
    if (this.#worker !== this.#rooms) await this.#worker?.stop();
  }

  /** Points go to whom the room knows: everybody comes in once, and has a first point before anything breaks. */
  async #everybodyIn(): Promise<void> {
    const seats: PartyClient[] = [];
    for (const player of this.#players) {
      const seat = new PartyClient(this.#rooms.host, {
        room: ROOM,
        token: await mint({ sub: player, name: player }),
      });
      seats.push(seat);
      await seat.welcome();
      await this.#until(player, 1, `first ${player}`);
    }
    for (const seat of seats) seat.close();
  }

  async #desk(desk: number): Promise<void> {
    for (let n = 0; this.#left > 0; n++) {
      this.#left--;
      const player = this.random.pick(this.#players);
      const points = this.random.below(20) - 4;
      const id = `${desk}-${n}`;
      this.sent++;
      // Sent twice at once, now and then, as by a finger that slips; or given up before the answer, and sent again.
      if (this.random.below(10) === 0) void this.#award(player, points, id).catch(() => {});
      if (this.random.below(12) === 0) {
        await this.#award(player, points, id, 1 + this.random.below(8)).catch(() => {});
        this.repeats++;
      }
      await this.#until(player, points, id);
    }
  }

  /** Until it is acknowledged: what it answers then is what counts. */
  async #until(player: string, points: number, id: string): Promise<void> {
    for (;;) {
      try {
        await this.#award(player, points, id);
        this.#acknowledged.set(player, (this.#acknowledged.get(player) ?? 0) + points);
        return;
      } catch (error) {
        if (error instanceof Refused) throw error;
        this.repeats++;
        await pause(50 + this.random.below(200));
      }
    }
  }

  async #award(user: string, points: number, id: string, patienceMs = 4_000): Promise<number | undefined> {
    const response = await fetch(`${this.#rooms.http}/parties/main/${ROOM}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.#token}` },
      body: JSON.stringify({ id, f: "scores", a: "award", d: { user, points } }),
      signal: AbortSignal.timeout(patienceMs),
    });
    const text = await response.text();
    if (response.status >= 500) throw new Error(`${response.status} ${text}`);
    if (response.status !== 200) throw new Refused(`${response.status} ${text}`);
    return (JSON.parse(text) as { d?: { total?: number } }).d?.total;
  }

  /** Blows until there have been enough, and as long as there is work: at random moments, also amid a flush. */
  async #storm(): Promise<void> {
    while (this.blows.length < this.size.blows) {
      await pause(200 + this.random.below(900));
      await this.#blow();
    }
  }

  async #blow(): Promise<void> {
    const { random } = this;
    const hasProxy = this.#proxy !== undefined;
    const what = random.pick(
      hasProxy
        ? (["kill rooms", "kill worker", "stall rooms", "stall worker", "cut", "cut", "refuse"] as const)
        : (["kill rooms", "kill rooms", "stall rooms"] as const),
    );
    this.blows.push(what);
    switch (what) {
      case "kill rooms": {
        await this.#rooms.kill9();
        const isOne = this.#worker === this.#rooms;
        this.#rooms = await this.#rooms.restart();
        if (isOne) this.#worker = this.#rooms;
        return;
      }
      case "kill worker":
        await this.#worker.kill9();
        this.#worker = await this.#worker.restart();
        return;
      case "stall rooms":
        return this.#stall(this.#rooms);
      case "stall worker":
        return this.#stall(this.#worker);
      case "cut":
        // Whether the worker had committed before, nobody can tell: that is the point.
        for (let n = 0; n < 200 && !this.#proxy?.cutAny(); n++) await pause(5);
        return;
      case "refuse":
        if (this.#proxy) this.#proxy.refuses = true;
        await pause(random.below(1_500));
        if (this.#proxy) this.#proxy.refuses = false;
    }
  }

  /** Alive, and deaf and dumb. */
  async #stall({ pid }: Server): Promise<void> {
    process.kill(-pid, "SIGSTOP");
    await pause(this.random.below(2_500));
    process.kill(-pid, "SIGCONT");
  }

  /** What D1 holds for the kind's board, read from outside of the worker. */
  async #database(): Promise<Map<string, number>> {
    const query =
      "select s.user as user, -s.score as points from scores s join rankings r on r.id = s.ranking where r.board = 'main' and r.period = 'all'";
    const args = ["d1", "execute", databaseName(), "--local", "--json", "--command", query];
    const command = wrangler(this.#worker.dataDir, args);
    let output = "";
    const group = startGroup({ ...command, env: { ...command.env, CI: "1" } }, (chunk) => {
      output += chunk;
    });
    await group.ended;
    await group.stop();
    const json = output.slice(output.indexOf("["), output.lastIndexOf("]") + 1);
    const [answer] = JSON.parse(json) as { results: { user: string; points: number }[] }[];
    return new Map((answer?.results ?? []).map(({ user, points }) => [user, points]));
  }
}

/** A refusal for good: a fault of the run's. */
class Refused extends Error {}
