import { checksum } from "../../protocol/checksum";

/**
 * Users are kept by so many objects, each of which knows where its share of them are. One object a user would be as simple
 * and cost a new database for everybody who ever looks in (docs/decisions/0011); sixteen bear ten thousand joins a second.
 */
const SHARES = 16;

export function shareOf(user: string): string {
  return `users-${Number.parseInt(checksum(user), 16) % SHARES}`;
}

/** Who belongs to which share, of a batch of users. */
export function byShare<T>(users: readonly T[], idOf: (user: T) => string): Map<string, T[]> {
  const shares = new Map<string, T[]>();
  for (const user of users) {
    const share = shareOf(idOf(user));
    const held = shares.get(share);
    if (held) held.push(user);
    else shares.set(share, [user]);
  }
  return shares;
}
