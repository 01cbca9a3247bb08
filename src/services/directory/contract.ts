import { checksum } from "../../protocol/checksum";
import type { Role } from "../../protocol/codes";
import type { Json } from "../../protocol/messages";

/** Where a room runs: in this worker, or on PartyKit. */
export type Platform = "cloudflare" | "partykit";
/** A room and where it runs, as one text: `cloudflare:main/hall`. */
export type RoomLocation = `${Platform}:${string}/${string}`;

export function toRoomLocation(platform: Platform, room: { kind: string; id: string }): RoomLocation {
  return `${platform}:${room.kind}/${room.id}`;
}

/** `kind/id`, which is also the scope of that room's own bans. */
export function roomAt(location: RoomLocation): string {
  return location.slice(location.indexOf(":") + 1);
}

/** The users who joined and left a room, at a time of that room. */
export interface PresenceChange {
  at: number;
  joined: readonly {
    user: string;
    role: Role;
    /** An admin whose token is for every room. */
    allRooms?: true | undefined;
    from?: string | undefined;
  }[];
  left: readonly string[];
}

/** A message to a feature of each room that a user is in. */
export interface ServiceNotice {
  feature: string;
  message: Json;
}

/** Knows which rooms some of the users are in, and notifies those rooms until each has answered. */
export interface Directory {
  /** Ignores a change of a user that is older than what is stored of that user in that room. */
  updatePresence(location: RoomLocation, change: PresenceChange): Promise<void>;
  /** The rooms that a user is in, as they have reported. */
  listLocations(user: string): Promise<string[]>;
  /** The keyed hashes of a guest's addresses. Empty if the platform does not reveal addresses. */
  listIpHashes(user: string): Promise<string[]>;
  /** The highest role that a user has in any room, or joined with recently. */
  highestRole(user: string): Promise<Role>;
  /** Stores that every room of a user must be notified. The alarm delivers the notices. */
  scheduleNotices(user: string): Promise<void>;
  /** Notifies every room of a user now. Rooms that cannot be reached are notified later. */
  notifyRooms(user: string): Promise<void>;
  /** Forgets the role that an erased user joined with. Rooms report a user who is still in them as before. */
  forgetRole(user: string): Promise<void>;
  /** Delivers the notices that are due, and deletes the roles that no longer count. */
  runDue(now: number): Promise<void>;
  /** When `runDue` must be called next; infinity if nothing waits. */
  nextDueAt(): Promise<number>;
}

/** What the object that keeps a directory provides. */
export interface DirectoryHost {
  /** Builds the current notice of a user. `undefined`: not possible now, so the rooms are notified later. */
  buildNotice(user: string): Promise<ServiceNotice | undefined>;
  /** Sets the object's alarm again, because `nextDueAt` has changed. */
  resetAlarm(): Promise<void>;
  /** Sets the object's alarm to this time, unless it rings earlier. */
  armBy(at: number): Promise<void>;
}

/**
 * Users are spread over this many objects. One object per user would be as simple, but would create a database for every
 * visitor (docs/decisions/0011). Sixteen objects handle ten thousand joins a second.
 */
const SHARDS = 16;

/** The name of the object that keeps a user. */
export function shardOf(user: string): string {
  return `users-${Number.parseInt(checksum(user), 16) % SHARDS}`;
}

/** Groups items by the object that keeps their user. */
export function groupByShard<T>(items: readonly T[], idOf: (item: T) => string): Map<string, T[]> {
  const shards = new Map<string, T[]>();
  for (const item of items) {
    const shard = shardOf(idOf(item));
    const group = shards.get(shard);
    if (group) group.push(item);
    else shards.set(shard, [item]);
  }
  return shards;
}
