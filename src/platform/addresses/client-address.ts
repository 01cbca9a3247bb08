/**
 * One form for each address that a person may come from: an IPv4, or the /64 of an IPv6, since a whole one is what a
 * household is given. Answers `undefined` for what is no address.
 */
export function normalAddress(text: string): string | undefined {
  const plain = text.trim();
  if (plain.includes(":")) return normalV6(plain);
  return v4Numbers(plain)?.join(".");
}

function v4Numbers(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part))) return undefined;
  const numbers = parts.map(Number);
  return numbers.every((number) => number <= 255) ? numbers : undefined;
}

function normalV6(text: string): string | undefined {
  const groups = v6Groups(text.replace(/%.*$/s, ""));
  if (!groups) return undefined;
  const mapped = mappedV4(groups);
  if (mapped) return mapped.join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/** `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2) and the NAT64 prefix `64:ff9b::/96` (RFC 6052): one IPv4 under another name. */
function mappedV4(groups: number[]): number[] | undefined {
  const [a, b, c, d, e, f, high = 0, low = 0] = groups;
  const isMapped = [a, b, c, d, e].every((group) => group === 0) && f === 0xffff;
  const isNat64 = a === 0x64 && b === 0xff9b && [c, d, e, f].every((group) => group === 0);
  return isMapped || isNat64 ? [high >> 8, high & 255, low >> 8, low & 255] : undefined;
}

function v6Groups(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  // An IPv4 may stand at the very end, and nowhere else.
  const [head, tail] = halves.map((half, at) => readGroups(half, at === halves.length - 1));
  if (!head || (halves.length === 2 && !tail)) return undefined;
  if (!tail) return head.length === 8 ? head : undefined;
  const zeros = 8 - head.length - tail.length;
  return zeros >= 1 ? [...head, ...Array<number>(zeros).fill(0), ...tail] : undefined;
}

function readGroups(half: string, isLast: boolean): number[] | undefined {
  if (half === "") return [];
  const parts = half.split(":");
  const last = parts.at(-1) ?? "";
  const v4 = isLast && last.includes(".") ? v4Numbers(last) : [];
  if (!v4) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = v4;
  const plain = v4.length === 0 ? parts : parts.slice(0, -1);
  if (!plain.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  const groups = plain.map((part) => Number.parseInt(part, 16));
  return v4.length === 0 ? groups : [...groups, (a << 8) | b, (c << 8) | d];
}
