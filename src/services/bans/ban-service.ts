import { withDeadline } from "../../lib/deadline";
import type { Json } from "../../protocol/messages";
import type { BanWrite, DirectoryObject, PresenceChange } from "../directory/object";
import { type Platform, toRoomLocation } from "../directory/room-location";
import { groupByShard, shardOf } from "../directory/shard";
import type { BansInForce } from "./ban-lookup";
import { banWrites, presenceReport } from "./contract";
import { type Ban, EVERYWHERE, findBans, listBans } from "./store";
import type { StoredBan } from "./user-bans";

/** What the storage of one object takes in one call, should all of them belong to one. */
const MAX_USERS_PER_CALL = 100;
/** Before the deadline of an errand (10 s), which is then tried again. */
const DEADLINE_MS = 8_000;

export type DirectoryNamespace = DurableObjectNamespace<DirectoryObject>;
interface RoomRef {
  kind: string;
  id: string;
}

/** Lets nobody new in as a guest from an address for a while. */
export type BlockNewGuests = (from: string) => Promise<void>;

/**
 * Where edges, rooms and operators ask about bans. Users' objects know where users are and who of them is banned; the database, from
 * which they are rebuilt, is read here only for an operator's lists.
 */
export class BanService {
  constructor(
    private readonly db: D1Database,
    private readonly directory: DirectoryNamespace,
    private readonly blockNewGuests: BlockNewGuests,
  ) {}

  async fetchBans(user: string, room: string): Promise<BansInForce> {
    const { askedAt, bans } = await this.#call(user, (object) => object.ask(user, room));
    return { askedAt, bans: bans.map(toWireBan) };
  }

  async recordPresence(platform: Platform, room: RoomRef, request: unknown): Promise<Json> {
    const { at, came, gone } = presenceReport.parse(request);
    const location = toRoomLocation(platform, room);
    const joined = came.slice(0, MAX_USERS_PER_CALL);
    const left = gone.slice(0, MAX_USERS_PER_CALL - joined.length);
    const joinedByShard = groupByShard(joined, ({ user }) => user);
    const leftByShard = groupByShard(left, (user) => user);
    const shares = [...new Set([...joinedByShard.keys(), ...leftByShard.keys()])];
    const answers = await Promise.all(
      shares.map((shard) => {
        const change: PresenceChange = {
          at,
          joined: joinedByShard.get(shard) ?? [],
          left: leftByShard.get(shard) ?? [],
        };
        return withDeadline(
          this.directory.getByName(shard).updatePresence(location, change),
          DEADLINE_MS,
          NO_ANSWER,
        );
      }),
    );
    // Of several the oldest: a room takes what it was told later for newer.
    const askedAt = Math.min(...answers.map((answer) => answer.askedAt));
    const bans = answers.flatMap((answer) =>
      answer.bans.map((ban) => ({ ...toWireBan(ban), user: ban.user })),
    );
    return { askedAt, came: joined.map(({ user }) => user), gone: left, bans };
  }

  /** In order: a ban and its end may follow each other. A ban everywhere of somebody who is an admin elsewhere is refused. */
  async applyWrites(room: RoomRef, request: unknown): Promise<Json> {
    const { writes } = banWrites.parse(request);
    const refused: number[] = [];
    let askedAt = 0;
    for (const { n, scope, user, reason, untilMs, by, at, isLifted, from: ipHash } of writes) {
      const isEverywhere = scope === "everywhere";
      const write = { scope: isEverywhere ? EVERYWHERE : `${room.kind}/${room.id}`, user, by, at, isLifted };
      const written = await this.#write(
        {
          ...write,
          reason: reason ?? null,
          untilMs: untilMs ?? null,
          // Only an admin bans everywhere: of other bans the room has judged.
          ...(isEverywhere && !isLifted ? { role: "admin" } : {}),
        },
        isLifted || ipHash === undefined ? [] : [ipHash],
      );
      if (written) askedAt = Math.max(askedAt, written.askedAt);
      else refused.push(n);
    }
    return { askedAt: askedAt || Date.now(), done: writes.map(({ n }) => n), refused };
  }

  /** Sets an admin's ban, unless its user is an admin too. Answers whether it was set. */
  async setBan(ban: Omit<Ban, "scope">): Promise<boolean> {
    const write = { ...ban, scope: EVERYWHERE, isLifted: false, role: "admin" } as const;
    return (await this.#write(write, [])) !== undefined;
  }

  /** Answers whether there was one. */
  async liftBan(user: string, by: string, at: number): Promise<boolean> {
    const end = { scope: EVERYWHERE, user, by, at, reason: null, untilMs: null, isLifted: true };
    return (await this.#write(end, []))?.isLifted ?? false;
  }

  /** The database holds something else of a user's bans than before. */
  async reread(user: string): Promise<void> {
    await this.#call(user, (object) => object.reread(user));
  }

  async findBan(user: string, now: number): Promise<Ban | undefined> {
    const [ban] = await findBans(this.db, [user], [EVERYWHERE], now);
    return ban;
  }

  listBans(after: string, limit: number, now: number): Promise<Ban[]> {
    return listBans(this.db, EVERYWHERE, { after, limit }, now);
  }

  /** `undefined`: refused for the user's role. */
  async #write(
    write: BanWrite,
    from: readonly string[],
  ): Promise<{ askedAt: number; isLifted: boolean } | undefined> {
    const { user, scope } = write;
    const written = await this.#call(user, (object) => object.write(write));
    if (written.isRefused) return undefined;
    // Before the rooms are told: a user who was sent away has no known address. One who is banned everywhere may have several.
    const addresses = new Set([...from, ...written.addresses]);
    await Promise.all([...addresses].map((address) => this.blockNewGuests(address)));
    if (scope === EVERYWHERE) await this.#call(user, (object) => object.notifyRooms(user));
    return written;
  }

  /** Calls the object of a user, with a deadline. */
  #call<T>(user: string, ask: (object: DurableObjectStub<DirectoryObject>) => Promise<T>): Promise<T> {
    return withDeadline(ask(this.directory.getByName(shardOf(user))), DEADLINE_MS, NO_ANSWER);
  }
}

const NO_ANSWER = "The object of a user did not answer";

/** As it goes over the wire: what is absent is not there. */
type BanOnWire = { scope: "room" | "everywhere"; reason?: string; untilMs?: number };

function toWireBan({ scope, reason, untilMs }: StoredBan): BanOnWire {
  return {
    scope: scope === EVERYWHERE ? "everywhere" : "room",
    ...(reason === null ? {} : { reason }),
    ...(untilMs === null ? {} : { untilMs }),
  };
}
