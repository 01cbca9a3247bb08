import { networkHash } from "../../lib/ip-hash";

/** Whether two hashed addresses (`from`) are one, or are in one network: the /48 of an IPv6. An IPv4 has none. */
export function isSameNetwork(one: string, other: string): boolean {
  const network = networkHash(one);
  return one === other || (network !== undefined && network === networkHash(other));
}
