import { configOf } from "../../config/config";
import { backoffMs } from "../../lib/backoff";
import { type Role, roles } from "../../protocol/codes";
import type { Directory, DirectoryHost, PresenceChange, RoomLocation, ServiceNotice } from "./contract";
import type { DirectoryEnv } from "./env";
import { isRoomLocation, NOTIFY_DEADLINE_MS, notifyRoom } from "./notify-room";

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** More than an hour. A room that was not reached by then learns of the change at the user's next join. */
const MAX_TRIES = 70;
/** The most pairs that a platform takes in one call. */
const MAX_KEYS_PER_CALL = 128;
/** How long a user's role counts after they joined with it, so that an admin who has just left cannot be banned. */
const ROLE_MS = 86_400_000;
/** A stored role is refreshed at this age, so that not every join of a host writes. */
const ROLE_REFRESH_MS = 3_600_000;
/** Roles that no longer count are deleted together, at a full hour, so that few alarms are set. */
const ROLE_SWEEP_MS = 3_600_000;

interface PresenceEntry {
  at: number;
  role: Role;
  from?: string | undefined;
}
/** The highest role that a user joined with recently. Players have none. */
interface SeenRole {
  role: Role;
  at: number;
}
/** The rooms of a user that must still be notified. */
interface Notification {
  user: string;
  /** Distinguishes it from the notification of a later change. */
  id: string;
  locations: string[];
  tries: number;
  nextAt: number;
}

const NOTIFICATION_PREFIX = "t/";
const ROLE_PREFIX = "r/";

/** Opens the directory that is kept in this storage. */
export function openDirectory(
  storage: DurableObjectStorage,
  env: DirectoryEnv,
  host: DirectoryHost,
): Directory {
  return new StoredDirectory(storage, host, (location, notice) =>
    notifyRoom(location, notice, env.ROOMS, configOf(env)),
  );
}

class StoredDirectory implements Directory {
  constructor(
    private readonly storage: DurableObjectStorage,
    private readonly host: DirectoryHost,
    private readonly send: (location: RoomLocation, notice: ServiceNotice) => Promise<"notified" | "missing">,
  ) {}

  async updatePresence(location: RoomLocation, { at, joined, left }: PresenceChange): Promise<void> {
    const { storage } = this;
    const keys = [...joined.map(({ user }) => user), ...left].map((user) => presenceKey(user, location));
    const stored = new Map<string, PresenceEntry>();
    for (let from = 0; from < keys.length; from += MAX_KEYS_PER_CALL) {
      const some = await storage.get<PresenceEntry>(keys.slice(from, from + MAX_KEYS_PER_CALL));
      for (const [key, value] of some) stored.set(key, value);
    }
    const isOlder = (user: string) => (stored.get(presenceKey(user, location))?.at ?? 0) > at;
    const present = joined
      .filter(({ user }) => !isOlder(user))
      .map((one): [string, PresenceEntry] => [
        presenceKey(one.user, location),
        { at, role: roleElsewhere(one), from: one.from },
      ]);
    const absent = left.filter((user) => !isOlder(user)).map((user) => presenceKey(user, location));
    await Promise.all([
      present.length > 0 ? storage.put(Object.fromEntries(present)) : undefined,
      absent.length > 0 ? storage.delete(absent) : undefined,
      ...joined.map((one) =>
        one.role === "player" ? undefined : this.#recordRole(one.user, roleElsewhere(one)),
      ),
    ]);
  }

  async listLocations(user: string): Promise<string[]> {
    return [...(await this.#presenceOf(user)).keys()].map((key) => key.slice(presencePrefix(user).length));
  }

  async listIpHashes(user: string): Promise<string[]> {
    const ipHashes = [...(await this.#presenceOf(user)).values()].map(({ from }) => from);
    return [...new Set(ipHashes.filter((from) => from !== undefined))];
  }

  async highestRole(user: string): Promise<Role> {
    const ranks = [...(await this.#presenceOf(user)).values()].map(({ role }) => roles.indexOf(role));
    const seen = await this.storage.get<SeenRole>(roleKey(user));
    if (seen && Date.now() - seen.at < ROLE_MS) ranks.push(roles.indexOf(seen.role));
    return roles[Math.max(0, ...ranks)] ?? "player";
  }

  async #recordRole(user: string, role: Role): Promise<void> {
    const seen = await this.storage.get<SeenRole>(roleKey(user));
    const age = seen ? Date.now() - seen.at : Number.POSITIVE_INFINITY;
    const isHigher = !seen || roles.indexOf(role) > roles.indexOf(seen.role);
    // A lower role replaces a higher one only after the higher one has stopped counting.
    if (!isHigher && age < ROLE_MS && (role !== seen.role || age < ROLE_REFRESH_MS)) return;
    const at = Date.now();
    await this.storage.put<SeenRole>(roleKey(user), { role, at });
    await this.host.armBy(roleSweepAt(at));
  }

  async forgetRole(user: string): Promise<void> {
    await this.storage.delete(roleKey(user));
  }

  async scheduleNotices(user: string): Promise<void> {
    await this.#schedule(user);
  }

  async notifyRooms(user: string): Promise<void> {
    const notification = await this.#schedule(user);
    if (notification) await this.#deliver(notification);
  }

  async runDue(now: number): Promise<void> {
    await this.#sweepRoles(now);
    const due = [...(await this.#notifications()).values()].filter(({ nextAt }) => nextAt <= now);
    await Promise.all(due.map((notification) => this.#deliver(notification)));
  }

  async nextDueAt(): Promise<number> {
    const deliveries = [...(await this.#notifications()).values()].map(({ nextAt }) => nextAt);
    const sweeps = [...(await this.#seenRoles()).values()].map(({ at }) => roleSweepAt(at));
    // A shard has as many roles as it saw hosts within a day, too many to be arguments.
    return [...deliveries, ...sweeps].reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  }

  async #sweepRoles(now: number): Promise<void> {
    const expired = [...(await this.#seenRoles())]
      .filter(([, { at }]) => at + ROLE_MS <= now)
      .map(([key]) => key);
    for (let from = 0; from < expired.length; from += MAX_KEYS_PER_CALL) {
      await this.storage.delete(expired.slice(from, from + MAX_KEYS_PER_CALL));
    }
  }

  /** Stored first: if this instance ends meanwhile, the alarm delivers. */
  async #schedule(user: string): Promise<Notification | undefined> {
    const locations = await this.listLocations(user);
    if (locations.length === 0) return undefined;
    const notification: Notification = {
      user,
      id: crypto.randomUUID(),
      locations,
      tries: 0,
      nextAt: Date.now() + NOTIFY_DEADLINE_MS + FIRST_RETRY_MS,
    };
    await this.storage.put<Notification>(notificationKey(user), notification);
    await this.host.resetAlarm();
    return notification;
  }

  async #deliver(notification: Notification): Promise<void> {
    const { storage } = this;
    const { user } = notification;
    const notice = await this.host.buildNotice(user);
    const before = await this.#presenceOf(user);
    const outcomes = await Promise.all(
      notification.locations.map(async (location) => ({
        location,
        outcome: notice ? await this.#notify(location, notice) : "unreachable",
      })),
    );
    const locationsWith = (result: string) =>
      outcomes.filter(({ outcome }) => outcome === result).map(({ location }) => location);
    // A presence that changed meanwhile was reported by a new room of the same name, and stays.
    const after = await this.#presenceOf(user);
    const gone = locationsWith("missing")
      .map((location) => presencePrefix(user) + location)
      .filter((key) => after.get(key)?.at === before.get(key)?.at);
    if (gone.length > 0) await storage.delete(gone);
    // A later change has replaced this notification, and notifies every room itself.
    if ((await storage.get<Notification>(notificationKey(user)))?.id !== notification.id) return;
    const missed = locationsWith("unreachable");
    const tries = notification.tries + 1;
    if (missed.length === 0 || tries >= MAX_TRIES) {
      if (missed.length > 0) console.warn(`${missed.length} rooms could not be notified of a ban.`);
      await storage.delete(notificationKey(user));
    } else {
      const pauseMs = backoffMs(tries, FIRST_RETRY_MS, MAX_RETRY_MS);
      const nextAt = Date.now() + pauseMs * (0.5 + Math.random() / 2);
      await storage.put<Notification>(notificationKey(user), {
        ...notification,
        locations: missed,
        tries,
        nextAt,
      });
    }
    await this.host.resetAlarm();
  }

  async #notify(location: string, notice: ServiceNotice): Promise<"notified" | "missing" | "unreachable"> {
    if (!isRoomLocation(location)) return "missing";
    try {
      return await this.send(location, notice);
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      console.warn(`${location} could not be notified and will be tried again:`, reason);
      return "unreachable";
    }
  }

  #presenceOf(user: string): Promise<Map<string, PresenceEntry>> {
    return this.storage.list<PresenceEntry>({ prefix: presencePrefix(user) });
  }

  #seenRoles(): Promise<Map<string, SeenRole>> {
    return this.storage.list<SeenRole>({ prefix: ROLE_PREFIX });
  }

  #notifications(): Promise<Map<string, Notification>> {
    return this.storage.list<Notification>({ prefix: NOTIFICATION_PREFIX });
  }
}

/** User ids are any text. Once encoded, no id is a prefix of another id's keys. */
function presencePrefix(user: string): string {
  return `u/${encodeURIComponent(user)}/`;
}

function presenceKey(user: string, location: RoomLocation): string {
  return presencePrefix(user) + location;
}

function roleKey(user: string): string {
  return ROLE_PREFIX + encodeURIComponent(user);
}

/** When the role of a user who joined at this time is deleted. */
function roleSweepAt(seenAt: number): number {
  return Math.ceil((seenAt + ROLE_MS) / ROLE_SWEEP_MS) * ROLE_SWEEP_MS;
}

function notificationKey(user: string): string {
  return NOTIFICATION_PREFIX + encodeURIComponent(user);
}

/** An admin of some rooms counts as a host elsewhere: only an admin of all rooms is an equal of one who bans everywhere. */
function roleElsewhere({ role, allRooms }: PresenceChange["joined"][number]): Role {
  return role === "admin" && !allRooms ? "host" : role;
}
