/**
 * An address as we know it: a keyed hash, which tells nobody where that is. That of an IPv6 begins with the hash of its
 * network: `<network>.<address>`.
 */
export type IpHash = string;

/** Clients whose address the platform does not tell: all of them are one. */
export const UNKNOWN_IP: IpHash = "nowhere";

/** Each is a file and its descriptors on one's own machine, and takes a few hundred questions a second (docs/decisions/0012). */
const OBJECTS = 64;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

export function joinHashes(network: string, address: string): IpHash {
  return `${network}.${address}`;
}

/** The part that an address shares with its whole network; an IPv4 has none. */
export function networkHash(address: IpHash): string | undefined {
  const end = address.indexOf(".");
  return end < 0 ? undefined : address.slice(0, end);
}

/** The object that keeps the windows of an address, and those of its network: one question reaches both. */
export function objectName(address: IpHash): string {
  return `windows-${Math.max(0, DIGITS.indexOf(address.charAt(0))) % OBJECTS}`;
}
