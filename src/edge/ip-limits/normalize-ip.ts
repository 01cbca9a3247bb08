/**
 * The normal form of an address: an IPv4, or the /64 of an IPv6, because a household is given a whole /64. `undefined` if the text is
 * no address.
 */
export function normalizeIp(text: string): string | undefined {
  const plain = text.trim();
  if (plain.includes(":")) return normalizeV6(plain);
  return parseV4(plain)?.join(".");
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part))) return undefined;
  const numbers = parts.map(Number);
  return numbers.every((number) => number <= 255) ? numbers : undefined;
}

function normalizeV6(text: string): string | undefined {
  const groups = parseV6(text.replace(/%.*$/s, ""));
  if (!groups) return undefined;
  const mapped = wrappedV4(groups);
  if (mapped) return mapped.join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/**
 * The network of an address in normal form: the /48 of an IPv6, which a site or a rented server is given, and which contains 65,536
 * normal forms. An IPv4 has none, because its neighbours are other people.
 */
export function networkOf(normal: string): string | undefined {
  const [, network] = /^((?:[0-9a-f]+:){3})[0-9a-f]+::\/64$/.exec(normal) ?? [];
  return network === undefined ? undefined : `${network}:/48`;
}

/** The IPv4 inside an IPv6. Both must have the same normal form, or one client would have two windows. */
function wrappedV4(groups: number[]): number[] | undefined {
  const [a, b, c, d, e, f, high = 0, low = 0] = groups;
  const isZero = (...some: (number | undefined)[]) => some.every((group) => group === 0);
  // RFC 4291, 2.5.5.2: ::ffff:a.b.c.d. RFC 2765: ::ffff:0:a.b.c.d.
  const isMapped = isZero(a, b, c, d) && ((e === 0 && f === 0xffff) || (e === 0xffff && f === 0));
  // RFC 6052: NAT64, 64:ff9b::/96.
  const isNat64 = a === 0x64 && b === 0xff9b && isZero(c, d, e, f);
  if (isMapped || isNat64) return bytes(high, low);
  // RFC 3056: 6to4, 2002:<IPv4>::/48.
  if (a === 0x2002) return bytes(b ?? 0, c ?? 0);
  // RFC 4380: Teredo, 2001:0:<server>:<flags>:<port>:<IPv4, inverted>; its /64 is a server's and not a client's.
  if (a === 0x2001 && b === 0) return bytes(high ^ 0xffff, low ^ 0xffff);
  return undefined;
}

function bytes(high: number, low: number): number[] {
  return [high >> 8, high & 255, low >> 8, low & 255];
}

function parseV6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  // An IPv4 is allowed only at the end.
  const [head, tail] = halves.map((half, at) => parseGroups(half, at === halves.length - 1));
  if (!head || (halves.length === 2 && !tail)) return undefined;
  if (!tail) return head.length === 8 ? head : undefined;
  const zeros = 8 - head.length - tail.length;
  return zeros >= 1 ? [...head, ...Array<number>(zeros).fill(0), ...tail] : undefined;
}

function parseGroups(half: string, isLast: boolean): number[] | undefined {
  if (half === "") return [];
  const parts = half.split(":");
  const last = parts.at(-1) ?? "";
  const v4 = isLast && last.includes(".") ? parseV4(last) : [];
  if (!v4) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = v4;
  const plain = v4.length === 0 ? parts : parts.slice(0, -1);
  if (!plain.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  const groups = plain.map((part) => Number.parseInt(part, 16));
  return v4.length === 0 ? groups : [...groups, (a << 8) | b, (c << 8) | d];
}
