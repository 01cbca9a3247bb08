import { openBoardBook } from "../../src/boards/board-book";
import { BanKeeper, type UserObjects } from "../../src/platform/bans/ban-keeper";
import { databaseSink } from "../../src/platform/points/database-sink";
import type { Json } from "../../src/protocol/messages";
import type { Random } from "../platforms/random";
import { BanModel } from "./ban-model";
import { SimulatedDatabase } from "./database";
import type { Deployment } from "./deployment";
import type { Response as Answer } from "./platform-globals";
import { type Machine, runIn } from "./platform-globals";
import { Scoreboard } from "./scoreboard";

/** The worker and its database: what rooms reach by their errands. Its own clock is right. */
export class Outside implements Machine {
  readonly database = new SimulatedDatabase();
  readonly bans = new BanModel();
  readonly scoreboard: Scoreboard;
  readonly #keeper: BanKeeper;
  readonly #sink;
  /** Where users are, as rooms have told: the users' objects. */
  readonly #places = new Map<string, Map<string, number>>();

  constructor(private readonly deployment: Deployment) {
    const d1 = this.database as unknown as ConstructorParameters<typeof BanKeeper>[0];
    const [kind] = deployment.kinds;
    this.scoreboard = new Scoreboard(deployment, this.database, this.bans);
    this.#keeper = new BanKeeper(d1, this.#users(), async () => {});
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
    return runIn(this, async () => {
      const answer = await this.#keeper.writes({ kind: "main", id }, ask);
      const { writes } = ask as unknown as {
        writes: { scope: string; user: string; at: number; untilMs?: number; isLifted: boolean }[];
      };
      for (const { scope, user, at, untilMs, isLifted } of writes) {
        this.bans.say(scope === "everywhere" ? scope : `main/${id}`, user, { at, untilMs, isLifted });
      }
      return answer;
    });
  }

  /** A user's object keeps where its user is, and tells those rooms of a change until each has heard. */
  #users(): UserObjects {
    const object = {
      moved: async (place: string, { at, came, gone }: Moved) => {
        for (const user of [...came.map((one) => one.user), ...gone]) {
          const places = this.#places.get(user) ?? new Map<string, number>();
          this.#places.set(user, places);
          if ((places.get(place) ?? 0) > at) continue;
          if (gone.includes(user)) places.delete(place);
          else places.set(place, at);
        }
      },
      // No address is closed outside the room: nobody is let in by an edge here.
      addresses: async () => [],
      changed: async (user: string) => {
        for (const place of this.#places.get(user)?.keys() ?? []) this.#tell(user, place);
      },
    };
    return { getByName: () => object } as unknown as UserObjects;
  }

  #tell(user: string, place: string): void {
    const { deployment } = this;
    const object = deployment.objects.find(({ id }) => place === `cloudflare:main/${id}`);
    deployment.clock.in(1 + deployment.netMs(), async () => {
      if (!object?.process.world.has("room")) return;
      const { process } = object;
      const askedAt = this.now;
      const bans = ["everywhere" as const].filter((scope) => this.bans.holds(scope, user, askedAt));
      const word = { askedAt, user, bans: bans.map((scope) => ({ scope })) };
      let isTold = false;
      await process.deliver(async (host) => {
        const { status } = (await host.answer({
          method: "PUT",
          feature: "moderation",
          word,
        })) as unknown as Answer;
        if (process.isDead) return;
        process.world.release(() => {
          isTold = status === 200 || status === 404;
        });
      });
      // Its gate may hold the answer back for as long as the disk takes.
      deployment.clock.in(2_500, () => {
        if (!isTold) this.#tell(user, place);
      });
    });
  }
}

interface Moved {
  at: number;
  came: readonly { user: string }[];
  gone: readonly string[];
}
