import { checksum } from "../../protocol/checksum";

/**
 * Users are kept by so many objects, each of which knows where its share of them are. One object a user would be as simple
 * and cost a new database for everybody who ever looks in (docs/decisions/0011); sixteen bear ten thousand joins a second.
 */
const SHARDS = 16;

export function shardOf(user: string): string {
  return `users-${Number.parseInt(checksum(user), 16) % SHARDS}`;
}

/** Who belongs to which share, of a batch of users. */
export function groupByShard<T>(users: readonly T[], idOf: (user: T) => string): Map<string, T[]> {
  const shards = new Map<string, T[]>();
  for (const user of users) {
    const shard = shardOf(idOf(user));
    const group = shards.get(shard);
    if (group) group.push(user);
    else shards.set(shard, [user]);
  }
  return shards;
}
