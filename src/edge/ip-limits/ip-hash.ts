/**
 * The keyed hash of a client's address, from which the address cannot be found. The hash of an IPv6 begins with that of its network:
 * `<network>.<address>`.
 */
export type IpHash = string;

/** Stands for all clients whose address the platform does not know. */
export const UNKNOWN_IP: IpHash = "nowhere";

/** Each is a file on a local machine, and answers a few hundred calls a second (docs/decisions/0012). */
const OBJECTS = 64;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

export function joinHashes(network: string, address: string): IpHash {
  return `${network}.${address}`;
}

/** The hash of the address's network; an IPv4 has none. */
export function networkHash(address: IpHash): string | undefined {
  const end = address.indexOf(".");
  return end < 0 ? undefined : address.slice(0, end);
}

/** The object with the windows of an address and of its network: one call checks both. */
export function objectName(address: IpHash): string {
  return `windows-${Math.max(0, DIGITS.indexOf(address.charAt(0))) % OBJECTS}`;
}
