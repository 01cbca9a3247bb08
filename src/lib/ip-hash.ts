/**
 * The keyed hash of a client's address, from which the address cannot be found. The hash of an IPv6 begins with that of its network:
 * `<network>.<address>`.
 */
export type IpHash = string;

export function joinHashes(network: string, address: string): IpHash {
  return `${network}.${address}`;
}

/** The hash of the address's network; an IPv4 has none. */
export function networkHash(address: IpHash): string | undefined {
  const end = address.indexOf(".");
  return end < 0 ? undefined : address.slice(0, end);
}
