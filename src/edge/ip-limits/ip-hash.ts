import type { IpHash } from "../../lib/ip-hash";

/** Stands for all clients whose address the platform does not know. */
export const UNKNOWN_IP: IpHash = "nowhere";

/** Each is a file on a local machine, and answers a few hundred calls a second (docs/decisions/0012). */
const OBJECTS = 64;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The object with the windows of an address and of its network: one call checks both. */
export function objectName(address: IpHash): string {
  return `windows-${Math.max(0, DIGITS.indexOf(address.charAt(0))) % OBJECTS}`;
}
