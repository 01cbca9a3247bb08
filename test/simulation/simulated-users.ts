import type { UsersNamespace } from "../../src/services/bans/ban-service";
import type { BanWrite } from "../../src/services/bans/object";
import { EVERYWHERE, liftBan, putBan } from "../../src/services/bans/store";
import { type StoredBan, UserBans } from "../../src/services/bans/user-bans";
import type { Deployment } from "./deployment";
import { type Response as Answer, runIn } from "./platform-globals";
import type { SimulatedServices } from "./simulated-services";

/** When a restarted object checks its unfinished writes, and how often it checks again. */
const LOOK_MS = 15_000;
const LOOK_AGAIN_MS = 5_000;
/** A room that did not receive a notification gets it again after this. */
const TELL_AGAIN_MS = 2_500;

/** What a caller sees when the object ends during its call. */
export class ObjectEnded extends Error {}

interface PresenceChange {
  at: number;
  joined: readonly { user: string }[];
  left: readonly string[];
}

/** The users' objects as one: storage that lasts, and an instance over it that may end in the middle of a write. */
export class SimulatedUsers {
  readonly #stored = new Map<string, unknown>();
  readonly #places = new Map<string, Map<string, number>>();
  #bans: UserBans;
  #looks = false;

  constructor(
    private readonly deployment: Deployment,
    private readonly services: SimulatedServices,
    private readonly d1: ConstructorParameters<typeof UserBans>[1],
  ) {
    this.#bans = this.#begin();
  }

  get namespace(): UsersNamespace {
    const object = {
      updatePresence: (location: string, change: PresenceChange) => this.#updatePresence(location, change),
      write: (write: BanWrite) => this.#write(write),
      notifyRooms: async (user: string) => this.#notifyRooms(user),
    };
    return { getByName: () => object } as unknown as UsersNamespace;
  }

  /** What an instance that begins now, and the one that is there, answer: what the database holds. */
  async settled(): Promise<void> {
    const { services, deployment } = this;
    await runIn(services, async () => {
      const all = services.bans.all;
      for (const [which, bans] of [
        ["the object", this.#bans],
        ["its next instance", this.#begin()],
      ] as const) {
        for (const { scope, user } of all) {
          const { bans: found } = await bans.find([user], [scope]);
          if (found.length > 0 !== services.bans.isBannedFrom(scope, user, services.now))
            deployment.reportBreach(23, `${which} holds ${JSON.stringify(found)} of ${user} in ${scope}`);
        }
      }
    });
  }

  #begin(): UserBans {
    const stored = this.#stored;
    const storage = {
      get: async (key: string) => stored.get(key),
      list: async ({ prefix }: { prefix: string }) =>
        new Map([...stored].filter(([key]) => key.startsWith(prefix))),
      put: async (key: string, value: unknown) => void stored.set(key, structuredClone(value)),
      delete: async (keys: string[]) => {
        for (const key of keys) stored.delete(key);
      },
    };
    return new UserBans(storage, this.d1, () => true);
  }

  async #updatePresence(
    place: string,
    { at, joined, left }: PresenceChange,
  ): Promise<{ askedAt: number; bans: StoredBan[] }> {
    for (const user of [...joined.map((one) => one.user), ...left]) {
      const places = this.#places.get(user) ?? new Map<string, number>();
      this.#places.set(user, places);
      if ((places.get(place) ?? 0) > at) continue;
      if (left.includes(user)) places.delete(place);
      else places.set(place, at);
    }
    const scope = place.slice(place.indexOf(":") + 1);
    return this.#bans.find(
      joined.map(({ user }) => user),
      [EVERYWHERE, scope],
    );
  }

  async #write({ isLifted, ...ban }: BanWrite) {
    const { scope, user, by, at } = ban;
    const { deployment, services, d1 } = this;
    const fate = deployment.injectsFaults
      ? deployment.random.pick(["done", "done", "done", "ends before", "ends after"])
      : "done";
    this.#lookIn(LOOK_MS);
    const bans = this.#bans;
    const isDone = await bans.write(scope, user, async () => {
      if (fate === "ends before") this.#end();
      const stood = isLifted ? await liftBan(d1, scope, user, { by, at }) : await putBan(d1, ban);
      services.bans.record(scope, user, { at, untilMs: ban.untilMs ?? undefined, isLifted });
      if (fate === "ends after") this.#end();
      return stood === true;
    });
    return { isRefused: false, askedAt: services.now, isLifted: isDone, addresses: [] };
  }

  #end(): never {
    this.deployment.countFault("a user's object ended");
    this.#bans = this.#begin();
    throw new ObjectEnded("The object has ended.");
  }

  /** Its alarm. */
  #lookIn(ms: number): void {
    if (this.#looks) return;
    this.#looks = true;
    this.deployment.clock.in(ms, () =>
      runIn(this.services, async () => {
        this.#looks = false;
        for (const user of await this.#bans.resolve()) this.#notifyRooms(user);
        if (Number.isFinite(await this.#bans.resolveAt())) this.#lookIn(LOOK_AGAIN_MS);
      }),
    );
  }

  #notifyRooms(user: string): void {
    for (const place of this.#places.get(user)?.keys() ?? []) this.#tell(user, place);
  }

  #tell(user: string, place: string): void {
    const { deployment } = this;
    const object = deployment.objects.find(({ id }) => place === `cloudflare:main/${id}`);
    deployment.clock.in(1 + deployment.drawNetMs(), async () => {
      if (!object?.process.runtime.has("room")) return;
      const { askedAt, bans } = await runIn(this.services, () => this.#bans.find([user], [EVERYWHERE]));
      const { process } = object;
      const word = { askedAt, user, bans: bans.map(() => ({ scope: "everywhere" })) };
      let isTold = false;
      await process.deliver(async (host) => {
        const { status } = (await host.answer({
          method: "PUT",
          feature: "moderation",
          message: word,
        })) as unknown as Answer;
        if (process.isDead) return;
        process.runtime.release(() => {
          isTold = status === 200 || status === 404;
        });
      });
      // Its gate may hold the answer back for as long as the disk takes.
      deployment.clock.in(TELL_AGAIN_MS, () => {
        if (!isTold) this.#tell(user, place);
      });
    });
  }
}
