import { DurableObject } from "cloudflare:workers";
import type { Environment } from "../../config/config";
import type { Role } from "../../protocol/codes";
import {
  type Directory,
  type DirectoryHost,
  type PresenceChange,
  type RoomLocation,
  roomAt,
  type ServiceNotice,
  shardOf,
} from "../directory/contract";
import { appliesToRole, type BanNotice } from "./contract";
import { type Ban, EVERYWHERE, liftBan, putBan } from "./store";
import { type BansFound, UserBans } from "./user-bans";

/** A write that has not ended by then is checked by the alarm. */
const CHECK_WRITE_MS = 15_000;

/** A ban to set, or to lift. `by` is a user, and `rank` the role of the user who set the ban. */
export type BanWrite = Ban & { isLifted: boolean };
export interface BanWriteResult {
  /** Nothing was changed, because the user's role is equal or higher. */
  isRefused: boolean;
  askedAt: number;
  /** The write lifted a ban that was in force. */
  isLifted: boolean;
  /** The keyed hashes of the addresses of a guest who is now banned everywhere. */
  addresses: string[];
}

/** The bindings of the users' objects, those of a directory included. */
export type UsersEnv = Environment & { DB: D1Database; ROOMS: DurableObjectNamespace };
export type OpenDirectory = (storage: DurableObjectStorage, env: UsersEnv, host: DirectoryHost) => Directory;

/**
 * One shard of the users: the rooms they are in, and their bans. Rooms report joins and leaves to it, edges ask it before a
 * join, and every change of a ban is made here and passed on to the rooms.
 */
export class UsersObject extends DurableObject<UsersEnv> {
  #shard: string | undefined;
  readonly #bans = new UserBans(this.ctx.storage, this.env.DB, (user) => shardOf(user) === this.#shard);
  readonly #directory: Directory;

  constructor(ctx: DurableObjectState, env: UsersEnv, openDirectory: OpenDirectory) {
    super(ctx, env);
    this.#directory = openDirectory(ctx.storage, env, {
      buildNotice: (user) => this.#buildNotice(user),
      resetAlarm: () => this.#resetAlarm(),
      armBy: (at) => this.#armBy(at),
    });
  }

  /** For the edge: the bans of a user in a room. */
  async ask(user: string, room: string): Promise<BansFound> {
    this.#shard = shardOf(user);
    return this.#bans.find([user], [EVERYWHERE, room]);
  }

  /**
   * Returns the bans of the users who joined. Presence is stored before the bans are read, so that a ban which is set
   * meanwhile either finds the user in the room or is found here.
   */
  async updatePresence(location: RoomLocation, change: PresenceChange): Promise<BansFound> {
    await this.#directory.updatePresence(location, change);
    const users = change.joined.map(({ user }) => user);
    this.#shard ??= shardOf(users[0] ?? change.left[0] ?? "");
    if (users.length === 0) return { askedAt: Date.now(), bans: [] };
    return this.#bans.find(users, [EVERYWHERE, roomAt(location)]);
  }

  /** Changes a ban in the database and in this object's copy. `notifyRooms` then notifies the rooms. */
  async write({ isLifted, ...ban }: BanWrite): Promise<BanWriteResult> {
    const { scope, user, by, at } = ban;
    this.#shard = shardOf(user);
    const isEverywhere = scope === EVERYWHERE;
    // A ban in a room was authorised by the room, and its rank decides at each join.
    if (isEverywhere && !isLifted && !appliesToRole(ban, await this.highestRole(user))) {
      return { isRefused: true, askedAt: Date.now(), isLifted: false, addresses: [] };
    }
    // If this instance ends meanwhile, the alarm of the next one finds out what became of the write, and notifies the rooms.
    await this.#armBy(Date.now() + CHECK_WRITE_MS);
    const wasInForce = await this.#bans.write(scope, user, async () => {
      if (isLifted) return liftBan(this.env.DB, scope, user, { by, at });
      await putBan(this.env.DB, ban);
      return false;
    });
    const addresses = isEverywhere && !isLifted ? await this.listIpHashes(user) : [];
    if (isEverywhere) await this.#directory.scheduleNotices(user);
    return { isRefused: false, askedAt: Date.now(), isLifted: wasInForce, addresses };
  }

  /** A user was erased: their bans have lost their reasons in the database, and the role they joined with is forgotten. */
  async erase(user: string): Promise<void> {
    this.#shard = shardOf(user);
    await this.#directory.forgetRole(user);
    await this.#bans.reread(user);
  }

  listLocations(user: string): Promise<string[]> {
    return this.#directory.listLocations(user);
  }

  listIpHashes(user: string): Promise<string[]> {
    return this.#directory.listIpHashes(user);
  }

  highestRole(user: string): Promise<Role> {
    return this.#directory.highestRole(user);
  }

  /** A ban everywhere was set or lifted. Resolves once every room was notified, or is scheduled to be. */
  async notifyRooms(user: string): Promise<void> {
    this.#shard = shardOf(user);
    await this.#directory.notifyRooms(user);
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
    try {
      for (const user of await this.#bans.resolve()) await this.#directory.scheduleNotices(user);
    } catch (error) {
      console.warn("A ban whose write did not finish could not be read back and will be tried again:", error);
    }
    await this.#directory.runDue(now);
    await this.#resetAlarm();
  }

  /** The user's bans as they are now. `undefined` if they had to be read from the database and it is not available. */
  async #buildNotice(user: string): Promise<ServiceNotice | undefined> {
    try {
      this.#shard = shardOf(user);
      const { askedAt, bans } = await this.#bans.find([user], [EVERYWHERE]);
      const inForce = bans.map(({ reason, untilMs }) => ({
        scope: "everywhere" as const,
        ...(reason === null ? {} : { reason }),
        ...(untilMs === null ? {} : { untilMs }),
      }));
      return { feature: "moderation", message: { askedAt, user, bans: inForce } satisfies BanNotice };
    } catch (error) {
      console.warn("The bans of a user could not be read and will be tried again:", error);
      return undefined;
    }
  }

  /** One alarm serves writes to check, notices to deliver and roles to delete. */
  async #resetAlarm(): Promise<void> {
    const next = Math.min(await this.#bans.resolveAt(), await this.#directory.nextDueAt());
    if (Number.isFinite(next)) await this.ctx.storage.setAlarm(Math.ceil(next));
    else await this.ctx.storage.deleteAlarm();
  }

  /** Sets the alarm to this time, unless it rings earlier. */
  async #armBy(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }
}

/** The object class with a directory of the deployment's choice. */
export function createUsersClass(
  openDirectory: OpenDirectory,
): new (
  ctx: DurableObjectState,
  env: UsersEnv,
) => UsersObject {
  return class Users extends UsersObject {
    constructor(ctx: DurableObjectState, env: UsersEnv) {
      super(ctx, env, openDirectory);
    }
  };
}
