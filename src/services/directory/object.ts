import { DurableObject } from "cloudflare:workers";
import { configOf } from "../../config/config";
import { type Role, roles } from "../../protocol/codes";
import type { BanNotice } from "../bans/contract";
import { type Ban, EVERYWHERE, liftBan, putBan } from "../bans/store";
import { type BansFound, UserBans } from "../bans/user-bans";
import type { DirectoryEnv } from "./env";
import { isRoomLocation, notifyRoom, type RoomLocation, roomAt, TELL_MS } from "./room-location";
import { shardOf } from "./shard";

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** An hour and more: whoever has not been reached by then asks at the next join. */
const MAX_TRIES = 70;
/** Pairs that a platform takes in one call. */
const MAX_KEYS_PER_CALL = 128;
/** How long the role that a user came with counts after they came, so that an admin who has just left is spared. */
const RANK_MS = 86_400_000;
/** A rank is written again when it has aged by this: not with each join of a host. */
const RANK_AGE_MS = 3_600_000;
/** A write that has not ended by then is looked into by the alarm. */
const LOOK_MS = 15_000;

export interface PresenceChange {
  at: number;
  joined: readonly { user: string; role: Role; from?: string | undefined }[];
  left: readonly string[];
}
interface PresenceEntry {
  at: number;
  role: Role;
  from?: string | undefined;
}
/** The highest role that a user came with lately. Players have none. */
interface SeenRole {
  role: Role;
  at: number;
}
/** A ban to be set, or the end of one; `by` is a user, `role` theirs. */
export type BanWrite = Omit<Ban, "scope"> & { scope: string; isLifted: boolean; role?: Role };
export interface BanWriteResult {
  /** Nothing was changed, for the user's role is no lower. */
  isRefused: boolean;
  askedAt: number;
  /** A ban was in force that this lifted. */
  isLifted: boolean;
  /** Where a guest who is banned everywhere comes from. */
  addresses: string[];
}
/** A user's rooms that have still to be told. */
interface Notification {
  user: string;
  /** Tells it from one that a later change began. */
  id: string;
  locations: string[];
  tries: number;
  nextAt: number;
}

const NOTIFICATION_PREFIX = "t/";

/**
 * Knows where a share of the users are and which of them are banned. Rooms report joins and leavings to it, edges ask it before a join,
 * and every change of a ban is made here and passed on to the rooms.
 */
export class DirectoryObject extends DurableObject<DirectoryEnv> {
  #share: string | undefined;
  readonly #bans = new UserBans(this.ctx.storage, this.env.DB, (user) => shardOf(user) === this.#share);

  /** For the edge: what holds for a user in a room. */
  async ask(user: string, room: string): Promise<BansFound> {
    this.#share = shardOf(user);
    return this.#bans.find([user], [EVERYWHERE, room]);
  }

  /**
   * A word that is older than what is known of a user at the place changes nothing. Answers the bans of those who came: the place first,
   * the bans after, so that a ban which is set meanwhile finds the one or is found by the other.
   */
  async updatePresence(location: RoomLocation, { at, joined, left }: PresenceChange): Promise<BansFound> {
    const { storage } = this.ctx;
    const keys = [...joined.map(({ user }) => user), ...left].map((user) => presenceKey(user, location));
    const stored = new Map<string, PresenceEntry>();
    for (let from = 0; from < keys.length; from += MAX_KEYS_PER_CALL) {
      const some = await storage.get<PresenceEntry>(keys.slice(from, from + MAX_KEYS_PER_CALL));
      for (const [key, value] of some) stored.set(key, value);
    }
    const isOlder = (user: string) => (stored.get(presenceKey(user, location))?.at ?? 0) > at;
    const present = joined
      .filter(({ user }) => !isOlder(user))
      .map(({ user, role, from }): [string, PresenceEntry] => [
        presenceKey(user, location),
        { at, role, from },
      ]);
    const absent = left.filter((user) => !isOlder(user)).map((user) => presenceKey(user, location));
    await Promise.all([
      present.length > 0 ? storage.put(Object.fromEntries(present)) : undefined,
      absent.length > 0 ? storage.delete(absent) : undefined,
      ...joined.map(({ user, role }) => (role === "player" ? undefined : this.#ranked(user, role))),
    ]);
    const users = joined.map(({ user }) => user);
    this.#share ??= shardOf(users[0] ?? left[0] ?? "");
    if (users.length === 0) return { askedAt: Date.now(), bans: [] };
    return this.#bans.find(users, [EVERYWHERE, roomAt(location)]);
  }

  /** A ban in force of the user's, changed in the database and here. `changed` then tells the rooms. */
  async write({ isLifted, role, ...ban }: BanWrite): Promise<BanWriteResult> {
    const { scope, user, by, at } = ban;
    this.#share = shardOf(user);
    if (role !== undefined && roles.indexOf(await this.highestRole(user)) >= roles.indexOf(role)) {
      return { isRefused: true, askedAt: Date.now(), isLifted: false, addresses: [] };
    }
    const isEverywhere = scope === EVERYWHERE;
    // Should this instance end meanwhile, the alarm of the next one finds out what became of the write, and tells the rooms.
    await this.#armBy(Date.now() + LOOK_MS);
    const stood = await this.#bans.write(scope, user, async () => {
      if (isLifted) return liftBan(this.env.DB, scope, user, { by, at });
      await putBan(this.env.DB, ban);
      return false;
    });
    const addresses = isEverywhere && !isLifted ? await this.listIpHashes(user) : [];
    if (isEverywhere) await this.#plan(user);
    return { isRefused: false, askedAt: Date.now(), isLifted: stood, addresses };
  }

  /** The database holds something else of a user than before, and it was not this object that changed it. */
  async reread(user: string): Promise<void> {
    this.#share = shardOf(user);
    await this.#bans.reread(user);
  }

  /** Where a user is, as rooms have told. */
  async listLocations(user: string): Promise<string[]> {
    return [...(await this.#presenceOf(user)).keys()].map((key) => key.slice(presencePrefix(user).length));
  }

  /** Where a guest is from, as keyed hashes, where a platform tells that. */
  async listIpHashes(user: string): Promise<string[]> {
    const ipHashes = [...(await this.#presenceOf(user)).values()].map(({ from }) => from);
    return [...new Set(ipHashes.filter((from) => from !== undefined))];
  }

  /** The highest role that a user holds in any room, or came with lately. */
  async highestRole(user: string): Promise<Role> {
    const ranks = [...(await this.#presenceOf(user)).values()].map(({ role }) => roles.indexOf(role));
    const rank = await this.ctx.storage.get<SeenRole>(roleKey(user));
    if (rank && Date.now() - rank.at < RANK_MS) ranks.push(roles.indexOf(rank.role));
    return roles[Math.max(0, ...ranks)] ?? "player";
  }

  async #ranked(user: string, role: Role): Promise<void> {
    const known = await this.ctx.storage.get<SeenRole>(roleKey(user));
    const age = known ? Date.now() - known.at : Number.POSITIVE_INFINITY;
    const isHigher = !known || roles.indexOf(role) > roles.indexOf(known.role);
    // A lower one takes the place of a higher only when that counts no longer.
    if (isHigher || age >= RANK_MS || (role === known.role && age >= RANK_AGE_MS))
      await this.ctx.storage.put<SeenRole>(roleKey(user), { role, at: Date.now() });
  }

  /** A ban everywhere was set or lifted. Answers once every room was told, or will be told later. */
  async notifyRooms(user: string): Promise<void> {
    this.#share = shardOf(user);
    const notification = await this.#plan(user);
    if (notification) await this.#deliver(notification);
  }

  /** Every room that the user is in has to be told: now, or should this instance end meanwhile, by the alarm. */
  async #plan(user: string): Promise<Notification | undefined> {
    const places = await this.listLocations(user);
    if (places.length === 0) return undefined;
    const telling: Notification = {
      user,
      id: crypto.randomUUID(),
      locations: places,
      tries: 0,
      nextAt: Date.now() + TELL_MS + FIRST_RETRY_MS,
    };
    await this.ctx.storage.put<Notification>(notificationKey(user), telling);
    await this.#setAlarm();
    return telling;
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
    try {
      for (const user of await this.#bans.resolve()) await this.#plan(user);
    } catch (error) {
      console.warn("A ban that may have been written could not be looked into, and will be again:", error);
    }
    const due = [...(await this.#notifications()).values()].filter(({ nextAt }) => nextAt <= now);
    await Promise.all(due.map((notification) => this.#deliver(notification)));
    await this.#setAlarm();
  }

  async #deliver(notification: Notification): Promise<void> {
    const { storage } = this.ctx;
    const { user } = notification;
    const notice = await this.#buildNotice(user);
    const before = await this.#presenceOf(user);
    const outcomes = await Promise.all(
      notification.locations.map(async (location) => ({
        place: location,
        outcome: notice ? await this.#notifyRoom(location, notice) : "away",
      })),
    );
    const locationsWith = (result: string) =>
      outcomes.filter(({ outcome }) => outcome === result).map(({ place: location }) => location);
    // Unless it was told meanwhile that they are there: in a room made anew.
    const after = await this.#presenceOf(user);
    const gone = locationsWith("nowhere")
      .map((location) => presencePrefix(user) + location)
      .filter((key) => after.get(key)?.at === before.get(key)?.at);
    if (gone.length > 0) await storage.delete(gone);
    // Another change came in meanwhile, and tells everybody itself.
    if ((await storage.get<Notification>(notificationKey(user)))?.id !== notification.id) return;
    const missed = locationsWith("away");
    const tries = notification.tries + 1;
    if (missed.length === 0 || tries >= MAX_TRIES) {
      if (missed.length > 0) console.warn(`${missed.length} rooms could not be told of a ban.`);
      await storage.delete(notificationKey(user));
    } else {
      const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** (tries - 1), MAX_RETRY_MS);
      const nextAt = Date.now() + pauseMs * (0.5 + Math.random() / 2);
      await storage.put<Notification>(notificationKey(user), {
        ...notification,
        locations: missed,
        tries,
        nextAt,
      });
    }
    await this.#setAlarm();
  }

  /** As it stands now, whatever was changed in between; nothing where the database had to be read, and is away. */
  async #buildNotice(user: string): Promise<BanNotice | undefined> {
    try {
      this.#share = shardOf(user);
      const { askedAt, bans } = await this.#bans.find([user], [EVERYWHERE]);
      const inForce = bans.map(({ reason, untilMs }) => ({
        scope: "everywhere" as const,
        ...(reason === null ? {} : { reason }),
        ...(untilMs === null ? {} : { untilMs }),
      }));
      return { askedAt, user, bans: inForce };
    } catch (error) {
      console.warn("The bans of somebody could not be read, and will be again:", error);
      return undefined;
    }
  }

  async #notifyRoom(location: string, notice: BanNotice): Promise<"told" | "nowhere" | "away"> {
    if (!isRoomLocation(location)) return "nowhere";
    try {
      return await notifyRoom(location, notice, this.env.ROOMS, configOf(this.env));
    } catch (error) {
      console.warn(`${location} could not be told of a ban:`, error instanceof Error ? error.message : error);
      return "away";
    }
  }

  /** The one alarm: for whichever of them comes next. */
  async #setAlarm(): Promise<void> {
    const tellings = [...(await this.#notifications()).values()].map(({ nextAt }) => nextAt);
    const next = Math.min(await this.#bans.resolveAt(), ...tellings);
    if (Number.isFinite(next)) await this.ctx.storage.setAlarm(Math.ceil(next));
    else await this.ctx.storage.deleteAlarm();
  }

  /** At this time or before. */
  async #armBy(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }

  #presenceOf(user: string): Promise<Map<string, PresenceEntry>> {
    return this.ctx.storage.list<PresenceEntry>({ prefix: presencePrefix(user) });
  }

  #notifications(): Promise<Map<string, Notification>> {
    return this.ctx.storage.list<Notification>({ prefix: NOTIFICATION_PREFIX });
  }
}

/** User ids are any text; encoded, none is the beginning of another's keys. */
function presencePrefix(user: string): string {
  return `u/${encodeURIComponent(user)}/`;
}

function presenceKey(user: string, location: RoomLocation): string {
  return presencePrefix(user) + location;
}

function roleKey(user: string): string {
  return `r/${encodeURIComponent(user)}`;
}

function notificationKey(user: string): string {
  return NOTIFICATION_PREFIX + encodeURIComponent(user);
}
