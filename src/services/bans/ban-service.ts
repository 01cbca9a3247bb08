import { withDeadline } from "../../lib/deadline";
import type { Role } from "../../protocol/codes";
import type { Json } from "../../protocol/messages";
import { groupByShard, type Platform, shardOf, toRoomLocation } from "../directory/contract";
import type { BansInForce } from "./ban-lookup";
import { banWrites, presenceReport } from "./contract";
import type { BanWrite, UsersObject } from "./object";
import { type Ban, EVERYWHERE, findBans, listBans } from "./store";
import type { StoredBan } from "./user-bans";

/** What the storage of one object takes in one call, in case all users belong to one object. */
const MAX_USERS_PER_CALL = 100;
/** Shorter than the deadline of an effect (10 s), which is then tried again. */
const DEADLINE_MS = 8_000;

export type UsersNamespace = DurableObjectNamespace<UsersObject>;
interface RoomRef {
  kind: string;
  id: string;
}

/** Blocks new guests from an address (a keyed hash) for a while. */
export type BlockNewGuests = (ipHash: string) => Promise<void>;

/**
 * Answers edges, rooms and operators about bans. The users' objects know where users are and who is banned. The database,
 * from which those objects are rebuilt, is read here only for an operator's lists.
 */
export class BanService {
  constructor(
    private readonly db: D1Database,
    private readonly users: UsersNamespace,
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
    const shards = [...new Set([...joinedByShard.keys(), ...leftByShard.keys()])];
    const answers = await Promise.all(
      shards.map((shard) => {
        const change = {
          at,
          joined: joinedByShard.get(shard) ?? [],
          left: leftByShard.get(shard) ?? [],
        };
        return withDeadline(
          () => this.users.getByName(shard).updatePresence(location, change),
          DEADLINE_MS,
          NO_ANSWER,
        );
      }),
    );
    // The oldest of several: a room treats a later time as newer.
    const askedAt = Math.min(...answers.map((answer) => answer.askedAt));
    const bans = answers.flatMap((answer) =>
      answer.bans.map((ban) => ({ ...toWireBan(ban), user: ban.user })),
    );
    return { askedAt, came: joined.map(({ user }) => user), gone: left, bans };
  }

  /** In order, because a ban and its end may follow each other. A ban everywhere of a user who is an admin elsewhere is rejected. */
  async applyWrites(room: RoomRef, request: unknown): Promise<Json> {
    const { writes } = banWrites.parse(request);
    const refused: number[] = [];
    let askedAt = 0;
    for (const { n, scope, user, reason, untilMs, by, at, isLifted, rank, from: ipHash } of writes) {
      const isEverywhere = scope === "everywhere";
      const write = { scope: isEverywhere ? EVERYWHERE : `${room.kind}/${room.id}`, user, by, at, isLifted };
      const written = await this.#write(
        {
          ...write,
          reason: reason ?? null,
          untilMs: untilMs ?? null,
          // Only an admin may ban everywhere.
          rank: isEverywhere ? "admin" : (rank ?? "admin"),
        },
        isLifted || ipHash === undefined ? [] : [ipHash],
      );
      if (written) askedAt = Math.max(askedAt, written.askedAt);
      else refused.push(n);
    }
    return { askedAt: askedAt || Date.now(), done: writes.map(({ n }) => n), refused };
  }

  /** Sets a ban everywhere, unless the user is an admin. Returns whether it was set. */
  async setBan(ban: Omit<Ban, "scope" | "rank">): Promise<boolean> {
    const write = { ...ban, scope: EVERYWHERE, isLifted: false, rank: "admin" } as const;
    return (await this.#write(write, [])) !== undefined;
  }

  /** Returns whether there was a ban to lift. */
  async liftBan(user: string, by: string, at: number): Promise<boolean> {
    const ban = { scope: EVERYWHERE, user, by, at, reason: null, untilMs: null, rank: "admin" } as const;
    return (await this.#write({ ...ban, isLifted: true }, []))?.isLifted ?? false;
  }

  /** Call this after a user was erased from the database. */
  async erase(user: string): Promise<void> {
    await this.#call(user, (object) => object.erase(user));
  }

  async findBan(user: string, now: number): Promise<Ban | undefined> {
    const [ban] = await findBans(this.db, [user], [EVERYWHERE], now);
    return ban;
  }

  listBans(after: string, limit: number, now: number): Promise<Ban[]> {
    return listBans(this.db, EVERYWHERE, { after, limit }, now);
  }

  /** `undefined`: rejected because of the user's role. */
  async #write(
    write: BanWrite,
    ipHashes: readonly string[],
  ): Promise<{ askedAt: number; isLifted: boolean } | undefined> {
    const { user, scope } = write;
    const written = await this.#call(user, (object) => object.write(write));
    if (written.isRefused) return undefined;
    // Before the rooms are notified: a user who was disconnected has no known address. A user may have several.
    const blocked = new Set([...ipHashes, ...written.addresses]);
    await Promise.all([...blocked].map((ipHash) => this.blockNewGuests(ipHash)));
    if (scope === EVERYWHERE) await this.#call(user, (object) => object.notifyRooms(user));
    return written;
  }

  /** Calls the object that keeps a user, with a deadline. */
  #call<T>(user: string, ask: (object: DurableObjectStub<UsersObject>) => Promise<T>): Promise<T> {
    return withDeadline(() => ask(this.users.getByName(shardOf(user))), DEADLINE_MS, NO_ANSWER);
  }
}

const NO_ANSWER = "The object of a user did not answer";

/** A ban as it goes over the wire: absent fields instead of null. */
type BanOnWire = { scope: "room" | "everywhere"; reason?: string; untilMs?: number; rank?: Role };

function toWireBan({ scope, reason, untilMs, rank }: StoredBan): BanOnWire {
  return {
    ...(scope === EVERYWHERE ? { scope: "everywhere" } : { scope: "room", rank }),
    ...(reason === null ? {} : { reason }),
    ...(untilMs === null ? {} : { untilMs }),
  };
}
